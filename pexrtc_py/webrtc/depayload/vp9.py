"""VP9 out of RTP (RFC 9628)."""

from __future__ import annotations

from itertools import pairwise

from ...errors import RemoteProtocolError
from .bits import BitReader
from .vp9_layers import MOST_FRAMES, hidden, own_size, superframe

__all__ = ["Vp9Depayloader"]


def _descriptor_end(packet: bytes, start: int) -> int:
    """Return where the VP9 data begins behind the payload descriptor (RFC 9628 section 4.2)."""
    flags = packet[start]
    at = start + 1
    if flags & 0x80:  # I: picture id
        at += 2 if packet[at] & 0x80 else 1
    if flags & 0x20:  # L: layer indices, with TL0PICIDX in the non-flexible mode
        at += 1 if flags & 0x10 else 2
    if flags & 0x50 == 0x50:  # P and F: up to three references
        for _ in range(3):
            at += 1
            if not packet[at - 1] & 1:
                break
    if flags & 0x02:  # V: scalability structure
        structure = packet[at]
        at += 1
        if structure & 0x10:
            at += 4 * ((structure >> 5) + 1)
        if structure & 0x08:
            groups = packet[at]
            at += 1
            for _ in range(groups):
                at += 1 + (packet[at] >> 2 & 3)
    return at


def _key_size(data: bytes) -> tuple[int, int] | None:
    """Return width and height when a frame is a key frame (VP9 bitstream specification section 6.2), else None."""
    bits = BitReader(data[:16])
    try:
        if bits.read(2) != 2:
            return None
        profile = bits.read(1) | bits.read(1) << 1
        if profile == 3:
            bits.read(1)
        if bits.read(1) or bits.read(1):  # show_existing_frame, frame_type
            return None
        bits.read(2)  # show_frame, error_resilient_mode
        if bits.read(24) != 0x498342:
            return None
        if profile >= 2:
            bits.read(1)
        if bits.read(3) != 7:  # color_space, 7 is sRGB
            bits.read(1)
            if profile in {1, 3}:
                bits.read(3)
        elif profile in {1, 3}:
            bits.read(1)
        return bits.read(16) + 1, bits.read(16) + 1
    except EOFError:
        return None


class Vp9Depayloader:
    """Builds VP9 pictures; of several spatial layers the highest is shown (`vp9_layers`)."""

    def __init__(self) -> None:
        self.width = 0
        self.height = 0
        self._parts: list[bytes] = []
        self._begins: list[int] = []
        self._widths: dict[int, int] = {}

    def add(self, packet: bytes, start: int, end: int) -> None:
        """See `Depayloader.add`."""
        try:
            at = _descriptor_end(packet, start)
        except IndexError as exc:
            raise RemoteProtocolError("VP9 payload descriptor is cut short") from exc
        if at > end:
            raise RemoteProtocolError("VP9 payload descriptor is cut short")
        if at == end:
            return
        if packet[start] & 0x08 and self._parts:  # B: another layer begins
            self._begins.append(len(self._parts))
            if len(self._begins) >= MOST_FRAMES:
                raise RemoteProtocolError(f"a VP9 picture of more than {MOST_FRAMES} layers")
        self._parts.append(packet[at:end])

    def finish(self) -> tuple[bytes, bool] | None:
        """See `Depayloader.finish`."""
        if not self._parts:
            return None
        if self._begins:
            return self._finish_layers()
        data = b"".join(self._parts)
        self._parts.clear()
        size = _key_size(data)
        if size is not None:
            self.width, self.height = size
            self._widths[0] = size[0]
        return data, size is not None

    def _finish_layers(self) -> tuple[bytes, bool]:
        begins = [0, *self._begins, len(self._parts)]
        frames = [b"".join(self._parts[begin:end]) for begin, end in pairwise(begins)]
        self.drop()
        key = _key_size(frames[0])
        for number, frame in enumerate(frames):
            size = key if number == 0 else own_size(frame)
            if size is not None:
                self._widths[number] = size[0]
                if key is not None:
                    self.width, self.height = size
        last = len(frames) - 1
        layers = [hidden(frame, self._widths.get(number, 0)) for number, frame in enumerate(frames[:last])]
        return superframe([*layers, frames[last]]), key is not None

    def drop(self) -> None:
        """See `Depayloader.drop`."""
        self._parts.clear()
        self._begins.clear()

    def is_frame_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_frame_start`: the B bit."""
        return packet[start] & 0x08 != 0

    def is_key_start(self, packet: bytes, start: int, end: int) -> bool:
        """See `Depayloader.is_key_start`: the B bit, and not predicted from other pictures."""
        if packet[start] & 0x48 != 0x08:
            return False
        try:
            at = _descriptor_end(packet, start)
        except IndexError:
            return False
        return _key_size(packet[at:end]) is not None
