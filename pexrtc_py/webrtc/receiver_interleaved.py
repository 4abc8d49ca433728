"""Pictures of one SSRC whose NAL units come interleaved: H.264 in packetization mode 2 (RFC 6184 section 6.4).

A class of its own, so that packets of every other format take the short way of `VideoStream`. Each NAL unit goes that
way too once its turn has come; a picture ends where one of another timestamp follows, as the marker is of the order of
sending (section 5.1). After a loss parts of the pictures that follow may be among what was lost, and only their numbers
show it: a number left out is taken for a loss then, until nothing of before can be missing any more. Later it is the
sender's way, who may leave numbers out (section 5.5).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from ..errors import RemoteProtocolError
from ..protocol.interleaving import Interleaving
from .depayload.interleaved import Deinterleaver, Unit, unit_heads
from .receiver_config import MediaFormat, PayloadFormat
from .receiver_timeline import Timeline
from .receiver_video import VideoStream
from .reorder import Held, StreamOwner

__all__ = ["InterleavedVideoStream", "interleaved_formats"]

# A loss is felt in so many times the depth of units after it: what was lost goes ahead of others, and they of others.
_AFTERMATH_DEPTHS = 4
_REMEMBERED_MARKERS = 1024  # a picture each of the deepest interleaving that is agreed on


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
        self._doubtful = self._aftermath
        """So many units more may lack others that were lost before them."""
        self._leaves_out = False
        """Whether the sender leaves numbers out although nothing is lost."""
        self._marked: deque[int] = deque(maxlen=_REMEMBERED_MARKERS)
        """Timestamps of the last pictures whose last packet came."""

    @property
    def _aftermath(self) -> int:
        depth = max(deinterleaver.form.depth for deinterleaver in self._deinterleavers.values())
        return _AFTERMATH_DEPTHS * depth

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
            self._marked.append(deinterleaver.last_timestamp)
        self._pass(units, payload_type, arrival)

    def _pass(self, units: Sequence[Unit], payload_type: int, arrival: float) -> None:
        """Let units go the way of packets, without marker."""
        for timestamp, data, follows in units:
            if not follows:
                self._whole = False
                self._leaves_out |= not self._doubtful
            begins = timestamp != self._timestamp
            super()._take(data, payload_type, timestamp, 0, len(data), arrival)
            if begins:
                self._whole = True
            self._doubtful -= self._doubtful > 0

    def _give_rest(self, now: float) -> None:
        """Pass on what waits: nothing that belongs before it will come."""
        deinterleaver = self._deinterleavers.get(self._payload_type)
        if deinterleaver is None:
            return
        units = deinterleaver.flush()
        if not self._leaves_out:  # nothing else tells of what was lost at the very end
            self._doubtful = max(self._doubtful, len(units) + 1)
        self._pass(units, self._payload_type, now)
        if self._building and self._timestamp in self._marked:
            self._finish()

    def _finish(self) -> None:
        """End the picture; in doubt only if nothing of it can be missing."""
        doubtful = self._doubtful > 0 and self._payload_type in self._deinterleavers
        if not doubtful or (self._whole and (self._synced or self._depayloader.width)):
            super()._finish()
            return
        super()._break(0, self._latest)
        self._owner.want_key_frame(self._latest)

    def _break(self, lost: int, now: float) -> None:
        for deinterleaver in self._deinterleavers.values():
            deinterleaver.reset()
        self._whole = True
        self._doubtful = self._aftermath
        self._marked.clear()
        super()._break(lost, now)

    def flush(self, now: float) -> None:
        """Give out what is held and what waits: the stream has ended or begins anew."""
        super().flush(now)
        self._give_rest(self.last_arrival)  # the end may be told long after, and a picture's place goes by its arrival

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
