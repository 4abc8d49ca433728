"""Pictures of one SSRC: whole access units in order, each of which can be decoded after those before it.

A picture ends with the marker bit or with the next timestamp. While a packet is missing nothing is given out; it is
asked for again, and after a while (`_patience`) a key frame is asked for too. Whichever comes first goes on: the
repaired packet, and then all that was held follows; or a key frame, and then what cannot be decoded is dropped and a
`Gap` says so. Giving up earlier would win nothing, as nothing before the next key frame could be shown.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import RemoteProtocolError
from ..media.frames import EncodedFrame, Gap
from .depayload import Depayloader, video_depayloader
from .receiver_config import MediaFormat, PayloadFormat
from .receiver_timeline import Timeline
from .reorder import Held, OrderedStream, StreamOwner

__all__ = ["VideoStream"]

_REORDER_PATIENCE_S = 0.060  # where nothing can be asked for again: what overtakes does so within that
_LEAST_PATIENCE_S = 0.200  # before a key frame is asked for and accepted in place of a repair
_MOST_PATIENCE_S = 1.0
_PATIENCE_ROUND_TRIPS = 4
_MOST_PACKETS = 8192  # of one picture: 10 MB; a sender that never ends one must not fill the memory
_LAST_STAND_S = 3.0  # after that: no repair and no key frame either; memory is worth more than hope


class VideoStream(OrderedStream):
    """Gives out an `EncodedFrame` a picture, and `Gap`s."""

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        owner: StreamOwner,
        formats: dict[int, PayloadFormat],
        timeline: Timeline,
        *,
        form: MediaFormat,
        nack: bool,
    ) -> None:
        super().__init__(ssrc, owner, formats, clock_rate=form.codec.clock_rate, nack=nack)
        self._nack = nack
        self._timeline = timeline
        self._payload_type = payload_type
        self.codec = form.codec
        self._depayloader = video_depayloader(form.codec, form.parameter_sets)
        self._depayloaders: dict[int, Depayloader] = {payload_type: self._depayloader}
        self._timestamp = -1
        self._began = 0.0
        self._latest = 0.0
        self._first = 0
        self._building = False
        self._open = False
        """Whether packets of the current picture are wanted."""
        self._synced = False
        """Whether everything since the last key frame was given out."""
        self._key_starts: list[int] = []
        self._noticed = -1
        """The missing packet after whose time a key frame was asked for."""
        self.frames_dropped = 0
        """Pictures of which something came, and that were not given out to be decoded."""
        self._dropped = -1
        """The timestamp of the last of them."""

    def _take(self, packet: bytes, second: int, timestamp: int, start: int, end: int, arrival: float) -> None:
        if second & 0x7F != self._payload_type:
            form = self._other_payload(second, packet[start:end], timestamp)
            if form is None:
                return
            self._change(second & 0x7F, form)
        if timestamp != self._timestamp:
            if self._building:
                self._finish()
            self._timestamp = timestamp
            self._open = self._synced
        depayloader = self._depayloader
        if not self._building:
            if not self._open:
                if not depayloader.is_frame_start(packet, start, end):
                    self._note_dropped(timestamp)
                    self._owner.want_key_frame(arrival)
                    return
                self._open = True
            self._building = True
            self._began = self._latest = arrival
            self._first = self._next
        try:
            depayloader.add(packet, start, end)
            if self._next - self._first > _MOST_PACKETS:
                raise RemoteProtocolError("a picture without an end")
        except RemoteProtocolError:
            self.malformed += 1
            self._break(0, arrival)
            return
        if arrival > self._latest:
            self._latest = arrival
        if second > 0x7F:
            self._finish()

    def _change(self, payload_type: int, form: MediaFormat) -> None:
        """Go on with another codec; each payload type keeps its depayloader, and with it its parameter sets."""
        if self._building:
            self._finish()
        self._payload_type = payload_type
        self.codec = form.codec
        depayloader = self._depayloaders.get(payload_type)
        if depayloader is None:
            depayloader = video_depayloader(form.codec, form.parameter_sets)
            self._depayloaders[payload_type] = depayloader
        self._depayloader = depayloader
        self._timestamp = -1
        self._synced = False
        self.clock_rate = form.codec.clock_rate

    def _finish(self) -> None:
        depayloader = self._depayloader
        self._building = False
        picture = depayloader.finish()
        if picture is None:
            return
        data, key = picture
        arrival = self._latest
        if key:
            self._synced = True
        rtp_time, time, ntp_time = self._timeline.place(self._timestamp, arrival)
        self._owner.deliver(
            EncodedFrame(
                codec=self.codec,
                data=data,
                rtp_time=rtp_time,
                time=time,
                ntp_time=ntp_time,
                arrival=arrival,
                key=key,
                width=depayloader.width,
                height=depayloader.height,
            ),
            self._began,
            max(arrival, self._now),
            decodable=self._synced,
        )
        if not self._synced:
            self._note_dropped(self._timestamp)
            self._owner.want_key_frame(arrival)

    def _note_dropped(self, timestamp: int) -> None:
        if timestamp != self._dropped:
            self._dropped = timestamp
            self.frames_dropped += 1

    def _break(self, lost: int, now: float) -> None:
        """Forget the picture begun and wait for a key frame."""
        self._depayloader.drop()
        if self._building:
            self._note_dropped(self._timestamp)
        self._building = self._open = False
        if self._synced:
            self._synced = False
            timeline = self._timeline
            self._owner.deliver_gap(
                Gap(
                    codec=self.codec,
                    rtp_time=timeline.rtp_time,
                    time=timeline.time,
                    duration=0,
                    packets=lost,
                )
            )

    def _skipped(self, lost: int, passed: Sequence[Held], now: float) -> None:
        self._break(lost, now)
        for _, _, timestamp, _, _, _ in passed:
            self._note_dropped(timestamp)
        self._key_starts = [number for number in self._key_starts if number > self._next]

    def _note_held(self, number: int, item: Held) -> None:
        packet, second, _, start, end, _ = item
        if start >= end:
            return
        depayloader = self._depayloaders.get(second & 0x7F)
        if depayloader is not None and depayloader.is_key_start(packet, start, end):
            self._key_starts = [held for held in self._key_starts if held in self._held]
            self._key_starts.append(number)

    def _patience(self) -> float:
        if not self._nack:
            return _REORDER_PATIENCE_S
        return max(_LEAST_PATIENCE_S, min(_PATIENCE_ROUND_TRIPS * self.missing.round_trip_s, _MOST_PATIENCE_S))

    def _patience_ends(self) -> float:
        """See `OrderedStream._patience_ends`; in the second part of its patience a stream only waits."""
        patience = self._patience() + (_LAST_STAND_S if self._noticed == self._next else 0.0)
        since = self.missing.since(self._next)
        return (since if since is not None else 0.0) + patience

    def _key_start(self) -> int | None:
        """Return the first held packet of a key frame; of a whole one, while a repair could still win over it."""
        held = self._held
        for start in sorted(self._key_starts):
            number = start
            while (item := held.get(number)) is not None:
                if not self._synced or item[1] > 0x7F:
                    return start
                number += 1
        return None

    def _give_up(self, now: float) -> None:
        """Skip to a key frame where one is held and it is time, or nothing can be lost by it."""
        while self._held:
            ended = now >= self._patience_ends()
            if self._synced and self._noticed != self._next and not ended:
                return
            key_start = self._key_start()
            if key_start is not None:
                self._skip_to(key_start, now)
            elif ended and self._noticed == self._next:
                self._skip_to(min(self._held), now)
            else:
                if ended:
                    self._noticed = self._next
                self._owner.want_key_frame(now)
                return
