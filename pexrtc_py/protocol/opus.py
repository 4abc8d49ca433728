"""What a peer wishes of the Opus that is sent to it (RFC 7587 section 6.1): hints, for any decoder takes any Opus."""

from __future__ import annotations

from dataclasses import dataclass

from .sdp import parse_parameters

__all__ = ["OpusWishes", "opus_wishes"]

# RFC 7587 section 6.1, maxaveragebitrate: "the lower bound is 6000 and the upper bound is 510000".
_LEAST_BPS, _MOST_BPS = 6000, 510_000
# Likewise maxplaybackrate: "a decimal value between 8000 and 48000".
_LEAST_RATE, _MOST_RATE = 8000, 48000
_MOST_DIGITS = 9  # that is beyond both bounds already, and `int` refuses thousands


@dataclass(frozen=True, slots=True, kw_only=True)
class OpusWishes:
    """What a receiver prefers; the defaults are those of who says nothing."""

    stereo: bool = False
    """Whether two channels rather than one."""
    fec: bool = False
    """Whether it makes use of in-band forward error correction."""
    dtx: bool = False
    """Whether silence rather as few packets."""
    most_bps: int | None = None
    """Bits per second that it takes on average at most; None: any."""
    playback_hz: int = _MOST_RATE
    """Highest sampling rate that it plays."""


def opus_wishes(parameters: str) -> OpusWishes:
    """Read the `a=fmtp` value of an Opus payload type. What makes no sense is as if it were not said.

    A bitrate or rate outside of what Opus has is taken for the nearest that it has.
    """
    said = parse_parameters(parameters)
    bitrate = _number(said.get("maxaveragebitrate"))
    playback = _number(said.get("maxplaybackrate"))
    return OpusWishes(
        stereo=said.get("stereo") == "1",
        fec=said.get("useinbandfec") == "1",
        dtx=said.get("usedtx") == "1",
        most_bps=None if bitrate is None else min(_MOST_BPS, max(_LEAST_BPS, bitrate)),
        playback_hz=_MOST_RATE if playback is None else min(_MOST_RATE, max(_LEAST_RATE, playback)),
    )


def _number(text: str | None) -> int | None:
    """A positive decimal number; None for anything else."""
    if text is None or not text.isascii() or not text.isdecimal():
        return None
    digits = text.lstrip("0")
    return int(digits[:_MOST_DIGITS]) if digits else None
