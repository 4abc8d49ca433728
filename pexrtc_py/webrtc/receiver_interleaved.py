"""Pictures of one SSRC whose NAL units come interleaved: H.264 in packetization mode 2 (RFC 6184 section 6.4).

A class of its own, so that packets of every other format take the short way of `VideoStream`. Each NAL unit goes that
way too once its turn has come; a picture ends where one of another timestamp follows, as the marker is of the order of
sending (section 5.1). After a loss parts of the next key frame may be among what was lost; its numbers show it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..errors import RemoteProtocolError
from ..protocol.interleaving import Interleaving
from .depayload.interleaved import Deinterleaver, Unit, unit_heads
from .receiver_config import MediaFormat, PayloadFormat
from .receiver_timeline import Timeline
from .receiver_video import VideoStream
from .reorder import Held, StreamOwner

__all__ = ["InterleavedVideoStream", "interleaved_formats"]


def interleaved_formats(formats: Mapping[int, PayloadFormat]) -> dict[int, Interleaving]:
    """Return the promises of those payload types that come interleaved."""
    return {
        number: form.interleaving
        for number, form in formats.items()
        if isinstance(form, MediaFormat) and form.interleaving is not None
    }


class InterleavedVideoStream(VideoStream):
    """A `VideoStream` that knows interleaved payload types beside the others."""

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
        super().__init__(ssrc, payload_type, owner, formats, timeline, form=form, nack=nack)
        self._deinterleavers = {
            number: Deinterleaver(promised) for number, promised in interleaved_formats(formats).items()
        }
        self._whole = True
        """Whether no number is left out in the picture begun, nor between it and what follows."""
        self._refused = False
        """Whether a key frame was refused since the last loss."""
        self._marked = -1
        """Timestamp of the last picture whose last packet came."""

    def _take(self, packet: bytes, second: int, timestamp: int, start: int, end: int, arrival: float) -> None:
        payload_type = second & 0x7F
        deinterleaver = self._deinterleavers.get(payload_type)
        if payload_type != self._payload_type and isinstance(self.formats.get(payload_type), MediaFormat):
            self._give_rest(arrival)
        if deinterleaver is None:
            super()._take(packet, second, timestamp, start, end, arrival)
            return
        try:
            units = deinterleaver.add(packet, start, end, timestamp)
        except RemoteProtocolError:
            self.malformed += 1
            self._break(0, arrival)
            return
        if second > 0x7F:
            self._marked = deinterleaver.last_timestamp
        self._pass(units, payload_type, arrival)

    def _pass(self, units: Sequence[Unit], payload_type: int, arrival: float) -> None:
        """Let units go the way of packets, without marker."""
        for timestamp, data, follows in units:
            if not follows:
                self._whole = False
            begins = timestamp != self._timestamp
            super()._take(data, payload_type, timestamp, 0, len(data), arrival)
            if begins:
                self._whole = True

    def _give_rest(self, now: float) -> None:
        """Pass on what waits: nothing that belongs before it will come."""
        deinterleaver = self._deinterleavers.get(self._payload_type)
        if deinterleaver is None:
            return
        self._pass(deinterleaver.flush(), self._payload_type, now)
        if self._building and self._timestamp == self._marked:
            self._finish()

    def _finish(self) -> None:
        """End the picture; the first key frame after a loss only if it is whole.

        The second is taken as it comes: a sender may leave numbers out (RFC 6184 section 5.5), and by then nothing of
        before the loss is waited for any more.
        """
        if self._synced or self._whole or self._refused or self._payload_type not in self._deinterleavers:
            super()._finish()
            return
        self._building = False
        picture = self._depayloader.finish()
        if picture is not None:
            self._refused = picture[1]
            self._note_dropped(self._timestamp)
            self._owner.want_key_frame(self._latest)

    def _break(self, lost: int, now: float) -> None:
        for deinterleaver in self._deinterleavers.values():
            deinterleaver.reset()
        self._whole = True
        self._refused = False
        self._marked = -1
        super()._break(lost, now)

    def flush(self, now: float) -> None:
        """Give out what is held and what waits: the stream has ended or begins anew."""
        super().flush(now)
        self._give_rest(now)

    def _note_held(self, number: int, item: Held) -> None:
        packet, second, _, start, end, _ = item
        if second & 0x7F not in self._deinterleavers or start >= end:
            super()._note_held(number, item)
            return
        depayloader = self._depayloaders.get(second & 0x7F)
        if depayloader is None:
            return
        if any(depayloader.is_key_start(head, 0, len(head)) for head in unit_heads(packet, start, end)):
            self._key_starts = [held for held in self._key_starts if held in self._held]
            self._key_starts.append(number)

    def _key_start(self) -> int | None:
        """See `VideoStream`: but parts of the key frame may have been sent before its start, so begin as early."""
        start = super()._key_start()
        while start is not None and start - 1 in self._held:
            start -= 1
        return start
