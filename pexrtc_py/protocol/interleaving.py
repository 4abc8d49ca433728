"""How far a sender of H.264 in packetization mode 2 moves NAL units about, and how much of that we can put in order.

What it says of itself in `a=fmtp` (RFC 6184 section 8.1) decides whether its stream is taken: a stream that needs a
larger buffer than ours would only be broken at every picture. `webrtc.depayload.interleaved` holds to the same bounds.
"""

from __future__ import annotations

from dataclasses import dataclass

from .sdp import parse_parameters

__all__ = ["BUFFER_BYTES", "Interleaving", "answered_parameters", "parse_interleaving"]

BUFFER_BYTES = 4_000_000
"""Our `deint-buf-cap`: NAL units that may wait for their turn, bytes; 3 s of 10 Mb/s."""
_MOST_DEPTH = 1024  # VCL NAL units: four seconds of pictures in eight slices
_MOST_DON_DIFF = 32767  # RFC 6184 section 8.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Interleaving:
    """What a sender promises about the order of its NAL units."""

    depth: int
    """`sprop-interleaving-depth`: so many VCL NAL units at most go ahead of one that is decoded before them."""
    max_don_diff: int | None = None
    """`sprop-max-don-diff`: decoding order numbers never go back by more; None when it is not said."""


def parse_interleaving(parameters: str) -> Interleaving | None:
    """Read `a=fmtp` of a sender in packetization mode 2.

    Args:
        parameters: the value of `a=fmtp`.

    Returns:
        None when it lacks what mode 2 must say, says it wrongly, or needs more than we hold.
    """
    values = parse_parameters(parameters)
    depth = _number(values.get("sprop-interleaving-depth"), _MOST_DEPTH)
    if depth is None or _number(values.get("sprop-deint-buf-req"), BUFFER_BYTES) is None:
        return None
    difference = None
    if "sprop-max-don-diff" in values:
        difference = _number(values["sprop-max-don-diff"], _MOST_DON_DIFF)
        if difference is None:
            return None
    return Interleaving(depth=depth, max_don_diff=difference)


def answered_parameters(parameters: str) -> str:
    """Return what we answer to the `a=fmtp` of mode 2: without what only a sender says, with our buffer."""
    kept = [
        item.strip()
        for item in parameters.split(";")
        if item.strip() and not item.strip().lower().startswith(("sprop-", "deint-buf-cap"))
    ]
    return ";".join([*kept, f"deint-buf-cap={BUFFER_BYTES}"])


def _number(text: str | None, most: int) -> int | None:
    if text is None or not (text.isascii() and text.isdecimal()) or len(text) > 10:
        return None
    return int(text) if int(text) <= most else None
