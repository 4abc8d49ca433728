"""One clock a call: places every stream's RTP time on one timeline, and gives our senders one NTP line.

`CallClock` is for what is received. A stream is placed by the earliest arrivals of its frames until its first RTCP
sender report; from then on by the NTP times its sender gives, which all streams of one sender share, so that sound and
picture line up however differently they travelled. The difference between the sender's wall clock and our monotonic
clock is common to all those streams (`_SenderEpoch`), follows the earliest arrivals slowly, and so never parts them.

Steps are avoided once frames were given out: a stream's mapping may change at any time, but the time given to a frame
runs at the stream's own pace plus or minus 5 % (sound) or 50 % (picture) until it has caught up with the mapping, and
never runs backwards. Only an advance of more than a second is taken at once: it is no correction but a new beginning.

A call has one clock, and guesses anew by its first arrivals where the sender's wall clock stands. Whoever puts call
after call on one timeline (a recorder that comes back) hands `SenderMemory` to them all: the same sender stands where
it did.

`SendClock` is for what is sent: one for all the senders of a peer, so that their reports tell of one clock.
"""

from __future__ import annotations

from collections.abc import Callable

from ..media.frames import Kind

__all__ = ["CallClock", "SendClock", "SenderMemory", "StreamClock"]

_WINDOW_S = 10.0  # earliest arrivals of the last 10 to 20 s count: 100 ppm of drift are 2 ms in that time
_SAME_CLOCK_S = 2.0  # two streams whose reports disagree by more with their arrivals have different wall clocks
# Likewise with the call before: no first picture is so late on good ways; other nodes' clocks may differ by less.
_SAME_SENDER_S = 0.25
_JUMP_S = 1.0  # a report that contradicts its predecessor by more tells of a stepped wall clock
_REPORT_WEIGHT = 0.25  # of a new report: senders stamp them to some milliseconds only
_REPORT_TRUST_S = 0.05  # beyond this a difference is no noise: taken whole
_EPOCH_SLEW = 200e-6  # how fast the common offset may move: two crystals, each 100 ppm off
_SLEW = {Kind.AUDIO: 0.05, Kind.VIDEO: 0.5}
_STEP_S = 1.0


class _Earliest:
    """The least offset between arrival and media time among the frames of the last 10 to 20 seconds."""

    __slots__ = ("_before", "_low", "_window_end")

    def __init__(self) -> None:
        self._low = self._before = float("inf")
        self._window_end = float("-inf")

    def add(self, offset: float, now: float) -> None:
        if now >= self._window_end:
            self._before = self._low
            self._low = offset
            self._window_end = now + _WINDOW_S
        elif offset < self._low:
            self._low = offset

    @property
    def offset(self) -> float:
        return self._low if self._low < self._before else self._before


class _SenderEpoch:
    """Maps one sender's wall clock to ours: `local = ntp + offset`. Shared by all its streams."""

    __slots__ = ("_earliest", "_updated", "offset")

    def __init__(self, offset: float, now: float) -> None:
        self.offset = offset
        self._updated = now
        self._earliest = _Earliest()

    def follow(self, offset: float, now: float) -> None:
        """Move slowly towards the earliest arrivals of all streams, given those of one."""
        self._earliest.add(offset, now)
        limit = _EPOCH_SLEW * max(0.0, now - self._updated)
        self._updated = now
        self.offset += max(-limit, min(limit, self._earliest.offset - self.offset))


class SenderMemory:
    """Where the sender of the last call stood; hand the same one to calls that follow each other."""

    def __init__(self) -> None:
        self.epoch: _SenderEpoch | None = None


class CallClock:
    """The timeline of one call; hand the same one to all its receivers.

    Args:
        memory: of the calls before on the same timeline.
    """

    def __init__(self, memory: SenderMemory | None = None) -> None:
        self._memory = memory if memory is not None else SenderMemory()
        self._epoch: _SenderEpoch | None = None

    def stream(self, kind: Kind, clock_rate: int, *, not_before: float = float("-inf")) -> StreamClock:
        """Begin a stream: an SSRC, or a new run of timestamps of one.

        Args:
            kind: sound is corrected more gently than pictures.
            clock_rate: ticks per second of its RTP clock.
            not_before: time of the last frame of the stream that this one continues.
        """
        return StreamClock(self, kind, clock_rate, not_before)

    def _join(self, ntp_offset: float, provisional: float, now: float, *, fresh: bool) -> _SenderEpoch:
        """Return the epoch of a stream with its first report, or with a report after its wall clock stepped."""
        epoch = self._epoch
        if epoch is not None and abs(epoch.offset + ntp_offset - provisional) <= _SAME_CLOCK_S:
            return epoch
        before = self._memory.epoch
        if epoch is None and before is not None and abs(before.offset + ntp_offset - provisional) <= _SAME_SENDER_S:
            self._epoch = before
            return before
        epoch = _SenderEpoch(provisional - ntp_offset, now)
        if fresh or self._epoch is None:
            self._epoch = self._memory.epoch = epoch
        return epoch


class StreamClock:
    """Places the frames of one stream. Made by `CallClock.stream`; driven by `place` and `sender_report`."""

    __slots__ = (
        "_call",
        "_earliest",
        "_epoch",
        "_last_media",
        "_last_time",
        "_ntp_offset",
        "_pending",
        "_slew",
        "_tick",
    )

    def __init__(self, call: CallClock, kind: Kind, clock_rate: int, not_before: float) -> None:
        self._call = call
        self._tick = 1.0 / clock_rate
        self._slew = _SLEW[kind]
        self._epoch: _SenderEpoch | None = None
        self._ntp_offset = 0.0
        self._earliest = _Earliest()
        self._last_media: float | None = None
        self._last_time = not_before
        self._pending: tuple[float, int, float] | None = None

    def ntp_time(self, rtp: int) -> float | None:
        """Return the sender's wall clock at an unwrapped RTP time, seconds since the Unix epoch; None when unknown."""
        return rtp * self._tick + self._ntp_offset if self._epoch is not None else None

    def place(self, rtp: int, arrival: float) -> float:
        """Return the time of the next frame on the call's timeline, in seconds of `time.monotonic`.

        Args:
            rtp: its unwrapped RTP timestamp.
            arrival: when it arrived.
        """
        media = rtp * self._tick
        self._earliest.add(arrival - media, arrival)
        last_media = self._last_media
        if last_media is None:
            self._last_media = media
            if self._pending is not None:
                self.sender_report(*self._pending)
                self._pending = None
            self._last_time = max(self._mapped(media), self._last_time)
            return self._last_time
        step = media - last_media
        time = self._last_time + step
        if step > 0:
            error = self._mapped(media) - time
            limit = self._slew * step
            if -limit <= error <= limit or error > _STEP_S:
                time += error
            else:
                time += limit if error > 0 else -limit
        self._last_media = media
        self._last_time = time
        return time

    def _mapped(self, media: float) -> float:
        epoch = self._epoch
        if epoch is None:
            return media + self._earliest.offset
        return media + self._ntp_offset + epoch.offset

    def sender_report(self, ntp: float, rtp: int, now: float) -> None:
        """Take the NTP time and the unwrapped RTP time of a sender report.

        Args:
            ntp: the sender's wall clock, seconds since the Unix epoch.
            rtp: the RTP time of the same instant.
            now: when the report arrived.
        """
        if self._last_media is None:
            self._pending = (ntp, rtp, now)
            return
        offset = ntp - rtp * self._tick
        provisional = self._earliest.offset
        if self._epoch is None:
            self._ntp_offset = offset
            self._epoch = self._call._join(offset, provisional, now, fresh=False)
            return
        error = offset - self._ntp_offset
        if abs(error) > _JUMP_S:
            current = self._mapped(0.0)
            self._ntp_offset = offset
            self._epoch = self._call._join(offset, current, now, fresh=True)
            return
        self._ntp_offset += error if abs(error) > _REPORT_TRUST_S else error * _REPORT_WEIGHT
        self._epoch.follow(provisional - self._ntp_offset, now)


class SendClock:
    """The clock behind all sender reports of one peer.

    Frames carry times in the `time.monotonic` domain or of a source that began at 0; whichever it is, the NTP time of a
    report is that time plus one constant, so that streams whose frames share a timeline share it at the receiver too.

    Args:
        now: the monotonic clock, seconds.
        unix_time: wall-clock time in seconds at this moment; the constant comes from it.
    """

    def __init__(self, now: Callable[[], float], unix_time: float) -> None:
        self.now = now
        """The monotonic clock, seconds."""
        self._offset = unix_time - now()

    def unix_time(self, time: float) -> float:
        """Return the wall-clock time, seconds since the Unix epoch, of a frame's time."""
        return time + self._offset
