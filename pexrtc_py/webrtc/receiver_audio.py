"""Sound of one SSRC: each packet is a frame, and a lost one costs its own duration and nothing else.

A packet in order is given out when it arrives. One ahead of its turn waits 60 ms for those before it, or longer where
they can be asked for; then a `Gap` of what is missing goes out and the rest follows at once: no delay is left behind.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..media.frames import Codec, EncodedFrame, Gap
from .depayload import packet_duration
from .receiver_config import PayloadFormat
from .receiver_timeline import Timeline
from .reorder import Held, OrderedStream, StreamOwner

__all__ = ["AudioStream"]

_MOST_PATIENCE_S = 0.200


class AudioStream(OrderedStream):
    """Gives out an `EncodedFrame` a packet, and `Gap`s."""

    def __init__(
        self,
        ssrc: int,
        payload_type: int,
        owner: StreamOwner,
        formats: dict[int, PayloadFormat],
        timeline: Timeline,
        *,
        codec: Codec,
        nack: bool,
        patience_s: float,
    ) -> None:
        super().__init__(ssrc, owner, formats, clock_rate=codec.clock_rate, nack=nack)
        self._nack = nack
        self._least_patience = patience_s
        self._timeline = timeline
        self._payload_type = payload_type
        self.codec = codec
        self._end: int | None = None
        self._duration = 0
        self._lost = 0

    def _take(self, packet: bytes, second: int, timestamp: int, start: int, end: int, arrival: float) -> None:
        data = packet[start:end]
        if second & 0x7F != self._payload_type:
            form = self._other_payload(second, data, timestamp)
            if form is None:
                return
            self._change(second & 0x7F, form.codec)
        codec = self.codec
        rtp_time, time, ntp_time = self._timeline.place(timestamp, arrival)
        if self._lost:
            self._note_gap(rtp_time)
        self._duration = duration = packet_duration(codec, data)
        self._end = rtp_time + duration
        self._owner.deliver(
            EncodedFrame(
                codec=codec,
                data=data,
                rtp_time=rtp_time,
                time=time,
                ntp_time=ntp_time,
                arrival=arrival,
                duration=duration,
            ),
            arrival,
            max(arrival, self._now),
            decodable=True,
        )

    def _change(self, payload_type: int, codec: Codec) -> None:
        if codec.clock_rate != self.clock_rate:
            self._timeline.begin(codec.clock_rate)
            self.clock_rate = codec.clock_rate
            self._end = None
        self.codec = codec
        self._payload_type = payload_type

    def _note_gap(self, rtp_time: int) -> None:
        """Tell of what is missing before a frame: as much as the lost packets held, and as their time allows.

        What was lost during a pause of the sender (mute, DTX) left no hole; nor did lost telephone events.
        """
        lost, self._lost = self._lost, 0
        if self._end is None:
            return
        duration = min(rtp_time - self._end, lost * self._duration)
        if duration <= 0:
            return
        self._owner.deliver_gap(
            Gap(
                codec=self.codec,
                rtp_time=self._end,
                time=self._timeline.time_of(self._end),
                duration=duration,
                packets=lost,
            )
        )

    def _skipped(self, lost: int, passed: Sequence[Held], now: float) -> None:
        self._lost += lost

    def _patience(self) -> float:
        if not self._nack:
            return self._least_patience
        return max(self._least_patience, min(2 * self.missing.round_trip_s, _MOST_PATIENCE_S))

    def _patience_ends(self) -> float:
        since = self.missing.since(self._next)
        return (since if since is not None else 0.0) + self._patience()

    def _give_up(self, now: float) -> None:
        while self._held and now >= self._patience_ends():
            self._skip_to(min(self._held), now)
