"""Who sees whose picture, without touching a pixel: feeds come in, outlets go out.

A `Feed` is one stream of encoded pictures: a publisher's, or what a transcoder or compositor makes. An `Outlet` is one
subscriber's line. It shows one feed at a time, changes to another only at a key frame of that other, and gives its
sender one RTP timeline that runs on through every change. While it waits for the new feed's key frame it goes on with
the old one. After a gap it waits for a key frame: its sender numbers packets anew, so the subscriber could not see that
something is missing.

Sound and picture on one line: sound is late by what the mixer holds of it, so a feed adds that delay to the time of its
pictures. The RTP times that leave an outlet follow those times: one instant of the publisher has one NTP time in sound
and picture, and RTP and NTP times of a line never part, as those of the mixed sound never do. So no receiver has to
hear a new sender report first, and none sees a picture twice as long that did not stand still anyway: what becomes
later than before (the mix ran dry: sound stood still) does so at once. What becomes earlier does so a little with every
picture, so that it has caught up in a second; but by more than a tenth of a second at once, for sound did so, too.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from msgspec.structs import replace

from ..media.frames import Codec, EncodedFrame, Gap, Tap

__all__ = ["Feed", "Outlet", "Timeline"]

logger = logging.getLogger(__name__)

_CLOCK_RATE = Codec.VP8.clock_rate
# Pictures of one stream whose RTP times and call times part by more than this belong to different runs of it.
_BREAK_S = 0.25
# Nobody is told to send less, for the sake of one who takes less: a face is still a face at this rate.
_LEAST_BPS = 150_000
# Smaller changes of a limit are not told.
_LIMIT_STEP = 0.05
# Two pictures are at least a millisecond apart.
_LEAST_STEP = _CLOCK_RATE // 1000
# How late sound usually is in the mix: what its queue waits for, less half a packet. Assumed until it is known.
_USUAL_DELAY_S = 0.07
# What pictures become later by at once, and otherwise what they move by at least: no step to be seen.
_STEP_S, _SLEW_S = 0.015, 0.002
# What they become earlier by at once; less than this goes by the share of it that a picture's time is of these: how
# much a feed's delay takes, and an RTP time, which has only to follow it.
_EARLIER_S, _FEED_S, _FOLLOW_S = 0.1, 0.5, 0.1
# RTP times this near to the times of pictures are left alone, so that they keep the pace of the camera.
_NEAR_S = 0.003


def _towards(error: float, step: float, whole: float) -> float:
    """Return how much of an error in time one picture takes that comes `step` seconds after the one before it."""
    if error > _STEP_S or error < -_EARLIER_S:
        return error
    most = max(_SLEW_S, abs(error) * min(1.0, step / whole))
    return max(-most, min(most, error))


class Timeline:
    """One RTP timeline made of the pieces of many; 90 kHz."""

    def __init__(self) -> None:
        self._origin: float | None = None
        self._offset: int | None = None
        self._correcting = False
        self._last_rtp = self._last_out = 0
        self._last_time = 0.0

    def restart(self) -> None:
        """Expect another stream's times next."""
        self._offset = None

    def place(self, rtp_time: int, time: float) -> int:
        """Return where a picture stands: at its stream's own pace as long as that keeps near to the call's timeline."""
        if self._origin is None:
            self._origin = time
            self._last_out = -_LEAST_STEP
        step = rtp_time - self._last_rtp
        broken = step <= 0 or abs(step / _CLOCK_RATE - (time - self._last_time)) > _BREAK_S
        wanted = round((time - self._origin) * _CLOCK_RATE)
        if self._offset is None or broken:
            self._offset = wanted - rtp_time
            self._correcting = False
        else:
            error = (wanted - rtp_time - self._offset) / _CLOCK_RATE
            self._correcting = abs(error) > (_SLEW_S if self._correcting else _NEAR_S)
            if self._correcting:
                self._offset += round(_towards(error, step / _CLOCK_RATE, _FOLLOW_S) * _CLOCK_RATE)
        # Never backwards: what is too early waits for its turn, and comes nearer with every picture.
        self._offset = max(self._offset, self._last_out + _LEAST_STEP - rtp_time)
        self._last_rtp, self._last_time = rtp_time, time
        self._last_out = rtp_time + self._offset
        return self._last_out

    def time_of(self, placed: int) -> float:
        """Return the time of a place on it, seconds on the call's timeline."""
        return (self._origin or 0.0) + placed / _CLOCK_RATE


class Feed:
    """One stream of pictures, a tap for whoever makes them.

    Args:
        request_key_frame: asks whoever makes them for a key frame.
        on_codec: called when `codec` has become known or has changed.
        delay_s: to begin with; 0 for what is made of pictures that have been moved to their sound already.

    Attributes:
        codec: of the pictures, None before the first.
        frames: how many came.
        delay_s: how late the publisher's sound is in the mix; the times of its pictures move towards it.
        limit_bps: what all who are shown it as it is can take, 150 kbit/s at least; None when nobody said.
        on_limit: told when that changes by 5 % or more.
    """

    def __init__(
        self,
        request_key_frame: Callable[[], None],
        on_codec: Callable[[], None] | None = None,
        *,
        delay_s: float = _USUAL_DELAY_S,
    ) -> None:
        self.codec: Codec | None = None
        self.frames = 0
        self.delay_s = delay_s
        self.limit_bps: int | None = None
        self.on_limit: Callable[[int | None], None] | None = None
        self.request_key_frame = request_key_frame
        self._on_codec = on_codec
        self._added: float | None = None
        self._last_time = 0.0
        self._taps: list[Tap] = []
        self._outlets: list[Outlet] = []

    @property
    def is_idle(self) -> bool:
        """Whether nobody takes anything from it."""
        return not self._taps and not self._outlets

    def add_tap(self, tap: Tap) -> None:
        """Give all that comes to a tap too: a transcoder, a compositor."""
        self._taps.append(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Give it nothing any more; unknown ones are ignored."""
        if tap in self._taps:
            self._taps.remove(tap)

    def push(self, item: EncodedFrame | Gap) -> None:
        """Take the next picture or gap and hand it on."""
        if self._added is None:
            self._added = self.delay_s
        self._added += _towards(self.delay_s - self._added, max(0.0, item.time - self._last_time), _FEED_S)
        self._last_time = item.time
        item = replace(item, time=item.time + self._added)
        if isinstance(item, EncodedFrame):
            self.frames += 1
            if item.codec is not self.codec:
                self.codec = item.codec
                if self._on_codec is not None:
                    self._on_codec()
        for tap in tuple(self._taps):
            try:
                tap.push(item)
            except Exception:  # one of those who look is no reason for the others to see nothing
                logger.exception("! a tap fails and gets no pictures any more")
                self.remove_tap(tap)
        for outlet in tuple(self._outlets):
            try:
                outlet.handle(self, item)
            except Exception:  # as above
                logger.exception("! %s fails and gets these pictures no more", outlet.name)
                outlet.lose(self)

    def end(self) -> None:
        """Learn that no more will come: outlets show it no longer, taps are ended."""
        taps, self._taps = self._taps, []
        for tap in taps:
            tap.end()
        for outlet in tuple(self._outlets):
            outlet.lose(self)

    def _attach(self, outlet: Outlet) -> None:
        self._outlets.append(outlet)
        self.update_limit()

    def _detach(self, outlet: Outlet) -> None:
        if outlet in self._outlets:
            self._outlets.remove(outlet)
            self.update_limit()

    def update_limit(self) -> None:
        """Find out anew what its subscribers can take; outlets call this when theirs has changed."""
        limits = [outlet.limit_bps for outlet in self._outlets if outlet.limit_bps is not None]
        limit, before = max(_LEAST_BPS, min(limits)) if limits else None, self.limit_bps
        if limit is not None and before is not None and abs(limit - before) < _LIMIT_STEP * before:
            return
        if limit != before:
            self.limit_bps = limit
            if self.on_limit is not None:
                self.on_limit(limit)


class Outlet:
    """One subscriber's line of pictures.

    A line keeps the codec of its first picture: a recorder's track has one, and a browser need not make a new decoder
    at each change of speaker. So `codecs` is what may be shown; whoever chooses feeds transcodes what is not in it.

    Args:
        tap: the subscriber's sender.
        codecs: what the subscriber negotiated, the preferred one first.
        name: for the log.

    Attributes:
        name: of the line.
        codecs: what can be shown; after the first picture only its codec.
        limit_bps: bits per second the subscriber can take; None when it has not said.
    """

    def __init__(self, tap: Tap, *, codecs: tuple[Codec, ...], name: str) -> None:
        self.codecs = codecs
        self.limit_bps: int | None = None
        self._tap = tap
        self.name = name
        self._shown: Feed | None = None
        self._next: Feed | None = None
        self._awaits_key = False
        self._timeline = Timeline()

    @property
    def shown(self) -> Feed | None:
        """The feed whose pictures leave now."""
        return self._shown

    @property
    def awaited(self) -> Feed | None:
        """The feed whose key frame is waited for."""
        return self._next

    def show(self, feed: Feed | None) -> None:
        """Show this feed from its next key frame on, which is asked for; None: nothing from now on."""
        if feed is (self._next or self._shown):
            return
        if self._next is not None:
            self._next._detach(self)
            self._next = None
        if feed is None:
            self.lose(self._shown)
        elif feed is not self._shown:
            self._next = feed
            feed._attach(self)
            feed.request_key_frame()

    def set_limit(self, bitrate_bps: int | None) -> None:
        """Say what the subscriber can take, bits per second: by its description, its estimate and its losses."""
        self.limit_bps = bitrate_bps
        for feed in (self._shown, self._next):
            if feed is not None:
                feed.update_limit()

    def request_key_frame(self) -> None:
        """Pass on that the subscriber needs a key frame (PLI, FIR)."""
        if feed := self._shown or self._next:
            feed.request_key_frame()

    def handle(self, feed: Feed, item: EncodedFrame | Gap) -> None:
        """Take what a feed has; only feeds call this."""
        if isinstance(item, Gap):
            if feed is self._shown and not self._awaits_key:
                self._awaits_key = True
                feed.request_key_frame()
            return
        if feed is self._next and item.key and item.codec in self.codecs:
            logger.debug("= %s changes picture at a key frame of %s", self.name, item.codec)
            if self._shown is not None:
                self._shown._detach(self)
            self._shown, self._next = feed, None
            self.codecs = (item.codec,)
            self._timeline.restart()
            self._awaits_key = False
        if feed is not self._shown or item.codec not in self.codecs or (self._awaits_key and not item.key):
            return
        self._awaits_key = False
        placed = self._timeline.place(item.rtp_time, item.time)
        self._tap.push(replace(item, rtp_time=placed, time=self._timeline.time_of(placed)))

    def lose(self, feed: Feed | None) -> None:
        """Forget a feed that has ended."""
        if feed is None:
            return
        feed._detach(self)
        if feed is self._shown:
            self._shown = None
        if feed is self._next:
            self._next = None

    def close(self) -> None:
        """Leave all feeds."""
        self.show(None)
