"""Speech quality from network figures: the E-model, narrowband, wideband and fullband.

ITU-T G.107 (06/2015), G.107.1 (06/2019) and G.107.2 (03/2023), reduced to what a probe can know: loss, how bursty it
is, and mouth-to-ear delay. Everything else (noise, sidetone, levels) stays at the recommendations' defaults, whose sum
is R = 93.2, 129 and 148; acoustic echo is taken as cancelled. The delay term is G.107's in all three, stretched with
the scale, so that equal delay costs equal opinion.

The recommendations themselves cannot be had without an account. Checked, and the tests hold the figures: narrowband in
full from the default values; wideband (129, 95, R / 1.29) with sipnab's src/rtp/emodel_wb.rs and its worked examples;
fullband (148, 132, R / 1.48, the delay term times 1.48) with rtpengine's daemon/ssrc.c, with a voice example of ns-3's
NR sidelink, and all three best ratings with a lecture of VSB-TU Ostrava. Of the wideband delay term nothing was found:
that it is stretched, too, is taken from fullband.

What is ours and not the ITU's: the Ie and Bpl of Opus, and the Bpl of G.722, for which no official values exist. Each
result that uses them says so (`CodecModel.source`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from ..media.frames import Codec

__all__ = ["CODEC_MODELS", "Band", "CodecModel", "Speech", "delay_impairment", "mos_of_r", "speech_quality"]


class Band(Enum):
    """Which E-model, by the bandwidth a codec carries."""

    NARROW = "narrowband"
    WIDE = "wideband"
    FULL = "fullband"

    @property
    def best_r(self) -> float:
        """Rating with all parameters at their defaults (section 7.7 of each recommendation)."""
        return {Band.NARROW: 93.2, Band.WIDE: 129.0, Band.FULL: 148.0}[self]

    @property
    def stretch(self) -> float:
        """By what R is divided before it is turned into MOS (G.107.1 and G.107.2 Annex A)."""
        return {Band.NARROW: 1.0, Band.WIDE: 1.29, Band.FULL: 1.48}[self]

    @property
    def worst_loss(self) -> float:
        """Rating lost when every packet is lost: the constant in the equation of Ie,eff (section 7.5 of each)."""
        return {Band.NARROW: 95.0, Band.WIDE: 95.0, Band.FULL: 132.0}[self]


@dataclass(frozen=True, slots=True, kw_only=True)
class CodecModel:
    """How a codec fares in the E-model."""

    band: Band
    ie: float
    """Equipment impairment factor without loss."""
    bpl: float
    """Packet-loss robustness factor: the loss in percent that costs half of what is left."""
    source: str
    """Where both numbers are from."""


CODEC_MODELS: Final[Mapping[Codec, CodecModel]] = {
    Codec.PCMU: CodecModel(
        band=Band.NARROW, ie=0, bpl=25.1, source="ITU-T G.113 Appendix I: G.711 with loss concealment, random loss"
    ),
    Codec.PCMA: CodecModel(
        band=Band.NARROW, ie=0, bpl=25.1, source="ITU-T G.113 Appendix I: G.711 with loss concealment, random loss"
    ),
    Codec.G722: CodecModel(
        band=Band.WIDE, ie=13, bpl=10, source="Ie of ITU-T G.113 for 64 kb/s; Bpl is an assumption of pexrtc_py"
    ),
    Codec.OPUS: CodecModel(
        band=Band.FULL, ie=0, bpl=20, source="assumption of pexrtc_py (24 kb/s or more, concealment); no ITU-T value"
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """What the E-model makes of a stretch of speech."""

    r: float
    """Transmission rating on the scale of its band: 93.2, 129 or 148 at best, 0 at worst."""
    mos: float
    """Estimated conversational mean opinion score, 1 to 4.5."""
    band: Band


def mos_of_r(r: float) -> float:
    """Return the mean opinion score of a narrowband rating (G.107 Annex B, equation B-4)."""
    if r <= 0:
        return 1.0
    if r >= 100:
        return 4.5
    return max(1.0, 1 + 0.035 * r + r * (r - 60) * (100 - r) * 7e-6)


def delay_impairment(delay_ms: float) -> float:
    """Return Idd of G.107 equation 7-27 for default sensitivity (sT = 1, mT = 100 ms): what absolute delay costs."""
    if delay_ms <= 100:
        return 0.0
    x = math.log2(delay_ms / 100)
    return float(25 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def speech_quality(model: CodecModel, *, delay_ms: float, loss: float, burst_ratio: float = 1.0) -> Speech:
    """Return rating and opinion score of speech.

    Args:
        model: the codec's.
        delay_ms: one way, mouth to ear.
        loss: share of packets that were not there when they were needed, 0 to 1.
        burst_ratio: BurstR of G.107 section 7.5, 1 for random loss; taken within 1 to 8.
    """
    percent = 100 * min(1.0, max(0.0, loss))
    ratio = min(8.0, max(1.0, burst_ratio))
    effective = model.ie + (model.band.worst_loss - model.ie) * percent / (percent / ratio + model.bpl)
    r = model.band.best_r - model.band.stretch * delay_impairment(delay_ms) - effective
    r = max(0.0, r)
    return Speech(r=r, mos=mos_of_r(r / model.band.stretch), band=model.band)
