"""The picture size out of an H.264 sequence parameter set (ITU-T H.264 sections 7.3.2.1.1 and E.2.1)."""

from __future__ import annotations

from .bits import BitReader

__all__ = ["picture_size"]

# Profiles whose parameter set carries chroma format and scaling lists (H.264 section 7.3.2.1.1).
_HIGH_PROFILES = frozenset({100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135})


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            following = (last + bits.signed()) % 256
        last = following or last


def picture_size(sps: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels, cropping applied; None when the set is damaged.

    Args:
        sps: the NAL unit, its header byte included, without a start code.
    """
    try:
        return _read(BitReader(sps[1:].replace(b"\0\0\3", b"\0\0")))
    except EOFError:
        return None


def _read(bits: BitReader) -> tuple[int, int] | None:
    profile = bits.read(8)
    bits.read(16)  # constraint flags, level_idc
    bits.unsigned()  # seq_parameter_set_id
    chroma = 1
    separate_planes = 0
    if profile in _HIGH_PROFILES:
        chroma = bits.unsigned()
        if chroma == 3:
            separate_planes = bits.read(1)
        bits.unsigned()  # bit_depth_luma_minus8
        bits.unsigned()  # bit_depth_chroma_minus8
        bits.read(1)  # qpprime_y_zero_transform_bypass_flag
        if bits.read(1):
            for index in range(12 if chroma == 3 else 8):
                if bits.read(1):
                    _skip_scaling_list(bits, 16 if index < 6 else 64)
    bits.unsigned()  # log2_max_frame_num_minus4
    order = bits.unsigned()  # pic_order_cnt_type
    if order == 0:
        bits.unsigned()
    elif order == 1:
        bits.read(1)
        bits.signed()
        bits.signed()
        for _ in range(bits.unsigned()):
            bits.signed()
    bits.unsigned()  # max_num_ref_frames
    bits.read(1)  # gaps_in_frame_num_value_allowed_flag
    width = (bits.unsigned() + 1) * 16
    map_units = bits.unsigned() + 1
    frames_only = bits.read(1)
    height = map_units * 16 * (2 - frames_only)
    if not frames_only:
        bits.read(1)  # mb_adaptive_frame_field_flag
    bits.read(1)  # direct_8x8_inference_flag
    if bits.read(1):  # frame_cropping_flag, in units of chroma samples (H.264 equations 7-19 to 7-22)
        across = 2 if chroma in {1, 2} and not separate_planes else 1
        down = (2 if chroma == 1 and not separate_planes else 1) * (2 - frames_only)
        width -= (bits.unsigned() + bits.unsigned()) * across
        height -= (bits.unsigned() + bits.unsigned()) * down
    return (width, height) if width > 0 and height > 0 else None
