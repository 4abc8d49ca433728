"""The E-model gives the values the recommendations print, and moves in the right direction."""

from __future__ import annotations

import math

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


def test_best_narrowband_rating_is_that_of_the_whole_model() -> None:
    """G.107 section 7 computed in full from the default values of table 3: R = 93.2."""
    # Names are the recommendation's: loudness ratings, noise, circuit noise, echo, quantizing units.
    slr, rlr, stmr, lstr, telr, wepl, nc, nfor, ps, pr, ds, qdu = 8, 2, 15, 18, 65, 110, -70, -64, 35, 35, 3, 1
    olr = slr + rlr
    nos = ps - slr - ds - 100 + 0.004 * (ps - olr - ds - 14) ** 2
    pre = pr + 10 * math.log10(1 + 10 ** ((10 - lstr) / 10))
    nor = rlr - 121 + pre + 0.008 * (pre - 35) ** 2
    noise = 10 * math.log10(sum(10 ** (level / 10) for level in (nc, nos, nor, nfor + rlr)))
    ro = 15 - 1.5 * (slr + noise)
    xolr = olr + 0.2 * (64 + noise - rlr)
    iolr = 20 * ((1 + (xolr / 8) ** 8) ** (1 / 8) - xolr / 8)
    stmro = -10 * math.log10(10 ** (-stmr / 10) + 10 ** (-telr / 10))
    ist = (
        12 * (1 + ((stmro - 13) / 6) ** 8) ** (1 / 8)
        - 28 * (1 + ((stmro + 1) / 19.4) ** 35) ** (1 / 35)
        - 13 * (1 + ((stmro - 3) / 33) ** 13) ** (1 / 13)
        + 29
    )
    q = 37 - 15 * math.log10(qdu)
    g = 1.07 + 0.258 * q + 0.0602 * q**2
    iq = 15 * math.log10(1 + 10 ** ((ro - 100) / 15 + 46 / 8.4 - g / 9) + 10 ** (46 / 30 - g / 40))
    rle = 10.5 * (wepl + 7)
    idle = (ro - rle) / 2 + math.sqrt((ro - rle) ** 2 / 4 + 169)
    assert ro - (iolr + ist + iq) - idle == pytest.approx(Band.NARROW.best_r, abs=0.05)
    assert round(mos_of_r(Band.NARROW.best_r), 2) == 4.41


@pytest.mark.parametrize("band", Band)
def test_the_best_of_each_scale_is_the_best_of_mos(band: Band) -> None:
    """Each scale reaches the top of MOS: 4.41 for narrowband, 4.5 where its R divided by its stretch passes 100."""
    model = CodecModel(band=band, ie=0, bpl=10, source="")
    best = speech_quality(model, delay_ms=0, loss=0)
    assert best.r == {Band.NARROW: 93.2, Band.WIDE: 129.0, Band.FULL: 148.0}[band]
    assert best.mos == pytest.approx(4.41 if band is Band.NARROW else 4.5, abs=0.005)


@pytest.mark.parametrize(("ie", "mos"), [(0, 4.5), (1, 4.4940), (8, 4.4206), (13, 4.3371), (41, 3.5123), (56, 2.9220)])
def test_wideband_opinion_is_what_another_implementation_has(ie: float, mos: float) -> None:
    """AMR-WB without loss by G.107.1, as sipnab works it out (src/rtp/emodel_wb.rs)."""
    model = CodecModel(band=Band.WIDE, ie=ie, bpl=4.3, source="")
    assert speech_quality(model, delay_ms=0, loss=0).mos == pytest.approx(mos, abs=5e-5)


def test_wideband_loss_is_what_another_implementation_has() -> None:
    """AMR-WB at 12.65 kb/s with 2 % of loss: Ie,eff 43.8095 and MOS 3.4062; the constant is 95 in wideband, too."""
    speech = speech_quality(CodecModel(band=Band.WIDE, ie=20, bpl=4.3, source=""), delay_ms=0, loss=0.02)
    assert 129 - speech.r == pytest.approx(43.8095, abs=1e-3)
    assert speech.mos == pytest.approx(3.4062, abs=5e-4)


@pytest.mark.parametrize(("loss", "delay", "r"), [(0, 50, 137.8), (0.02, 50, 99.1333), (0.02, 200, 94.6278)])
def test_fullband_is_what_another_implementation_has(loss: float, delay: float, r: float) -> None:
    """EVS with Ie 10.2 and Bpl 4.3 by G.107.2, as rtpengine has it: 148, 132, and 1.48 on the delay as on the score."""
    speech = speech_quality(CodecModel(band=Band.FULL, ie=10.2, bpl=4.3, source=""), delay_ms=delay, loss=loss)
    assert speech.r == pytest.approx(r, abs=1e-3)
    assert speech.mos == pytest.approx(mos_of_r(r / 1.48), abs=1e-4)


def test_best_fullband_rating_is_that_of_its_noise() -> None:
    """Ro,FB = 20 - 1.5 (SLR + No) by the default values SLR 8 and twice -96 dBm0p of noise: 147.5, told as 148."""
    noise = 10 * math.log10(2 * 10 ** (-96 / 10))
    assert 20 - 1.5 * (8 + noise) == pytest.approx(Band.FULL.best_r, abs=0.52)
