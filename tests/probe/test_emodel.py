"""The E-model gives the values the recommendations print, and moves in the right direction."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.probe.emodel import CODEC_MODELS, Band, CodecModel, delay_impairment, mos_of_r, speech_quality

CLEAN = CodecModel(band=Band.NARROW, ie=0, bpl=25.1, source="test")
MODELS = st.sampled_from(list(CODEC_MODELS.values()))
LOSS = st.floats(min_value=0, max_value=1)
DELAY = st.floats(min_value=0, max_value=2000)


@pytest.mark.parametrize(("band", "r"), [(Band.NARROW, 93.2), (Band.WIDE, 129.0), (Band.FULL, 148.0)])
def test_default_rating(band: Band, r: float) -> None:
    """Without loss and delay the rating is that of the default parameters."""
    assert speech_quality(CodecModel(band=band, ie=0, bpl=10, source=""), delay_ms=0, loss=0).r == r


@pytest.mark.parametrize(
    ("r", "mos"), [(93.2, 4.41), (90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58), (0, 1.0), (100, 4.5)]
)
def test_mos_of_r(r: float, mos: float) -> None:
    """G.107 table B.1, to a hundredth."""
    assert mos_of_r(r) == pytest.approx(mos, abs=0.0065)


@pytest.mark.parametrize(("delay", "impairment"), [(0, 0), (100, 0), (150, 0.17), (200, 3.03), (400, 24.07)])
def test_delay_impairment(delay: float, impairment: float) -> None:
    """Nothing up to 100 ms, little at 150 and very much at 400 ms."""
    assert delay_impairment(delay) == pytest.approx(impairment, abs=0.05)


def test_g711_with_loss() -> None:
    """2 % random loss: Ie,eff = 95 x 2 / 27.1 = 7.01."""
    assert speech_quality(CLEAN, delay_ms=50, loss=0.02).r == pytest.approx(93.2 - 7.011, abs=0.001)


@given(MODELS, LOSS, LOSS, DELAY, DELAY)
def test_more_loss_or_delay_is_never_better(model: CodecModel, a: float, b: float, c: float, d: float) -> None:
    """Rating and opinion fall with loss and with delay."""
    good = speech_quality(model, loss=min(a, b), delay_ms=min(c, d))
    poor = speech_quality(model, loss=max(a, b), delay_ms=max(c, d))
    assert poor.r <= good.r + 1e-9
    assert 1 <= poor.mos <= good.mos + 0.02 <= 4.53  # equation B-4 itself dips a little below R = 6.5


@given(MODELS, LOSS)
def test_bursts_are_worse_than_random_loss(model: CodecModel, loss: float) -> None:
    """The same loss in bursts rates lower."""
    assert (
        speech_quality(model, delay_ms=0, loss=loss, burst_ratio=3).r <= speech_quality(model, delay_ms=0, loss=loss).r
    )


def test_every_sound_codec_has_a_model_and_a_source() -> None:
    """No codec is rated without saying from where its numbers are."""
    assert set(CODEC_MODELS) == {codec for codec in Codec if codec.kind is Kind.AUDIO}
    assert all(model.source for model in CODEC_MODELS.values())
