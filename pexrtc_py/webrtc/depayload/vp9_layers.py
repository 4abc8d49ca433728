"""VP9 pictures of several spatial layers (RFC 9628 section 3) as one frame that any decoder shows once.

Each layer is a frame of its own, and each says that it is to be shown: a decoder that knows no layers would show
them all, the smallest first. So all but the last are hidden, and an index behind them tells a decoder where each ends:
a superframe (VP9 bitstream specification Annex B). None is left out: what a frame leaves to the next in the decoder's
state is not for us to know.
"""

from __future__ import annotations

from collections.abc import Sequence

from .bits import BitReader

__all__ = ["MOST_FRAMES", "hidden", "own_size", "superframe"]

MOST_FRAMES = 8
"""Of a superframe: its index has three bits for their number."""
_INTER, _SHOW, _RESILIENT = 0x04, 0x02, 0x01  # in the first byte, of profiles 0 to 2
_LONGEST_HEADER = 256  # bytes; segmentation has 100 values of 10 bits at most


def superframe(frames: Sequence[bytes]) -> bytes:
    """Return two to eight frames as one, with their index behind them (Annex B.2)."""
    width = (max(map(len, frames)).bit_length() + 7) // 8
    mark = bytes((0xC0 | (width - 1) << 3 | (len(frames) - 1),))
    return b"".join((*frames, mark, *(len(frame).to_bytes(width, "little") for frame in frames), mark))


def own_size(frame: bytes) -> tuple[int, int] | None:
    """Return width and height that an inter frame says itself, None when it has those of a frame before."""
    if not _is_shown_inter(frame):
        return None
    bits = _Bits(frame[:_LONGEST_HEADER])
    try:
        return _read_size(bits)
    except EOFError:
        return None


def hidden(frame: bytes, width: int) -> bytes:
    """Return a frame that is decoded and not shown.

    Args:
        frame: of profile 0; others, and what cannot be read, come back as they are.
        width: of the layer, where the frame does not say it itself; 0 when it is not known.
    """
    if frame and frame[0] & 0xF8 == 0x80 and not frame[0] & _INTER:
        return bytes((frame[0] & ~_SHOW,)) + frame[1:]
    if not _is_shown_inter(frame):
        return frame
    try:
        end = _header_bits(frame, width)
    except EOFError:
        return frame
    # One bit more than a frame that is shown: whether it is intra only. It is the first of the second byte, and is 0.
    size, longer = (end + 7) // 8, (end + 8) // 8
    rest = int.from_bytes(frame[1:size], "big") >> (8 * size - end) << (8 * longer - end - 1)
    return bytes((frame[0] & ~_SHOW,)) + rest.to_bytes(longer - 1, "big") + frame[size:]


def _is_shown_inter(frame: bytes) -> bool:
    """Whether it is a frame of profile 0, behind its marker, that depends on others and is shown."""
    return bool(frame) and frame[0] & 0xFE == 0x80 | _INTER | _SHOW


def _read_size(bits: _Bits) -> tuple[int, int] | None:
    """Read an inter frame's header to its size."""
    bits.read(7)
    if not bits.read(1):  # error_resilient_mode
        bits.read(2)  # reset_frame_context
    bits.read(8 + 3 * 4)  # refresh_frame_flags, and index and sign of three references
    if any(bits.read(1) for _ in range(3)):  # found_ref
        return None
    return bits.read(16) + 1, bits.read(16) + 1


def _header_bits(frame: bytes, width: int) -> int:
    """Return how long the uncompressed header of an inter frame is that is shown, without its padding (section 6.2).

    Raises:
        EOFError: it is cut short, or nobody knows how wide it is.
    """
    bits = _Bits(frame[:_LONGEST_HEADER])
    size = _read_size(bits)
    if size is not None:
        width = size[0]
    if not width:
        raise EOFError
    if bits.read(1):  # render_and_frame_size_different
        bits.read(32)
    bits.read(1)  # allow_high_precision_mv
    if not bits.read(1):  # is_filter_switchable
        bits.read(2)
    if not frame[0] & _RESILIENT:
        bits.read(2)  # refresh_frame_context, frame_parallel_decoding_mode
    bits.read(2)  # frame_context_idx
    bits.read(6 + 3)  # loop_filter_level, loop_filter_sharpness
    if bits.read(1) and bits.read(1):  # loop_filter_delta_enabled, loop_filter_delta_update
        bits.skip_optional(4 + 2, 7)
    bits.read(8)  # base_q_idx
    bits.skip_optional(3, 5)
    if bits.read(1):  # segmentation_enabled
        _skip_segmentation(bits)
    columns = (width + 63) // 64
    least = most = 0
    while 64 << least < columns:
        least += 1
    while columns >> (most + 1) >= 4:
        most += 1
    for _ in range(most - least):
        if not bits.read(1):  # increment_tile_cols_log2
            break
    if bits.read(1):  # tile_rows_log2
        bits.read(1)
    bits.read(16)  # header_size_in_bytes
    return bits.at


def _skip_segmentation(bits: _Bits) -> None:
    if bits.read(1):  # segmentation_update_map
        bits.skip_optional(7, 8)
        if bits.read(1):  # segmentation_temporal_update
            bits.skip_optional(3, 8)
    if bits.read(1):  # segmentation_update_data
        bits.read(1)
        for _ in range(8):
            for size in (9, 7, 2, 0):  # with the sign of the first two
                bits.skip_optional(1, size)


class _Bits(BitReader):
    """Knows where it is."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.at = 0

    def read(self, count: int) -> int:
        self.at += count
        return super().read(count)

    def skip_optional(self, times: int, size: int) -> None:
        """Skip values of so many bits, each behind a bit that tells whether it is there."""
        for _ in range(times):
            if self.read(1):
                self.read(size)
