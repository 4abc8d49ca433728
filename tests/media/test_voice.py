"""Voice activity: what counts as speech, and what does not."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.media.voice import SILENCE_DBOV, VoiceActivity, level_dbov


def changes(levels: list[float]) -> list[tuple[int, bool]]:
    """Feed a level every 20 ms; returns when speaking changed (tick) and to what."""
    voice = VoiceActivity()
    return [(tick, voice.speaking) for tick, level in enumerate(levels) if voice.handle_level(level, tick / 50)]


def test_a_level_is_decibels_of_full_scale() -> None:
    """A square wave of full scale is at 0, half of it 6 dB lower, silence and nothing at -127."""
    assert level_dbov(np.full(960, -32768, np.int16)) == pytest.approx(0.0, abs=0.01)
    assert level_dbov(np.full(960, 16384, np.int16)) == pytest.approx(-6.02, abs=0.01)
    assert level_dbov(np.zeros(960, np.int16)) == SILENCE_DBOV
    assert level_dbov(np.zeros(0, np.int16)) == SILENCE_DBOV


def test_speech_begins_after_100_ms_and_ends_after_700_ms_of_quiet() -> None:
    """Both changes come once."""
    assert changes([-20.0] * 20 + [-70.0] * 60) == [(5, True), (20 + 35, False)]


def test_a_click_is_no_speech_and_a_breath_does_not_end_it() -> None:
    """60 ms of noise do not begin speech, 500 ms of pause do not end it."""
    assert changes(([-10.0] * 3 + [-70.0] * 10) * 4) == []
    assert changes([-20.0] * 10 + [-70.0] * 25 + [-20.0] * 10) == [(5, True)]


def test_levels_between_the_thresholds_change_nothing() -> None:
    """At -45 dBov silence stays silence and speech stays speech."""
    assert changes([-45.0] * 100) == []
    assert changes([-20.0] * 10 + [-45.0] * 100) == [(5, True)]
