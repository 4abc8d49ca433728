"""The mix: everybody but oneself, without clipping, without latency left behind."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pexrtc_py.media.mixer import Mix, Mixer
from pexrtc_py.media.voice import SILENCE_DBOV


def tone(hertz: float, seconds: float = 1.0, *, amplitude: int = 6000) -> NDArray[np.int16]:
    """A sine at 48 kHz."""
    return (amplitude * np.sin(2 * np.pi * hertz * np.arange(round(48000 * seconds)) / 48000)).astype(np.int16)


def run(mixer: Mixer[str], voices: dict[str, NDArray[np.int16]]) -> list[Mix[str]]:
    """Push 20 ms of every voice, then mix, until the voices end."""
    mixes = []
    for tick in range(max(len(voice) for voice in voices.values()) // 960):
        for name, voice in voices.items():
            mixer.push(name, voice[960 * tick :][:960], tick / 50)
        mixes.append(mixer.mix())
    return mixes


def strength(samples: NDArray[np.int16], hertz: float) -> float:
    """Amplitude of one frequency."""
    wave = np.exp(-2j * np.pi * hertz * np.arange(len(samples)) / 48000)
    return float(2 * abs(np.dot(samples.astype(np.float64), wave)) / len(samples))


def test_everybody_hears_the_others_and_not_itself() -> None:
    """Three speakers hear two each, a listener hears all three; frequencies tell them apart."""
    mixer = Mixer[str]()
    voices = {"ada": tone(300), "ben": tone(500), "cleo": tone(900)}
    for name in (*voices, "listener"):
        mixer.add(name)
    mixes = run(mixer, voices)[10:]
    assert set(mixes[0].minus) == set(voices)
    heard = {name: np.concatenate([mix.minus[name] for mix in mixes]) for name in voices}
    heard["listener"] = np.concatenate([mix.common for mix in mixes])
    for listener, wave in heard.items():
        for speaker, hertz in (("ada", 300), ("ben", 500), ("cleo", 900)):
            expected = 0 if listener == speaker else 6000
            assert strength(wave, hertz) == pytest.approx(expected, abs=60), (listener, speaker)


def test_a_muted_participant_is_not_heard_and_shares_the_common_mix() -> None:
    """Muting takes effect at once for others; after a second without a voice its own mix is the common one."""
    mixer = Mixer[str]()
    voices = {"ada": tone(300, 3.0), "ben": tone(500, 3.0)}
    for name in voices:
        mixer.add(name)
    mixer.set_muted("ada", muted=True)
    mixes = run(mixer, voices)
    common = np.concatenate([mix.common for mix in mixes[10:]])
    assert strength(common, 300) < 10
    assert strength(common, 500) == pytest.approx(6000, abs=60)
    assert mixes[-1].levels["ada"] == SILENCE_DBOV
    assert "ada" not in mixes[-1].minus
    mixer.set_muted("ada", muted=False)
    mixer.push("ada", voices["ada"][:960], 3.0)
    assert "ada" in mixer.mix().minus


def test_a_pause_between_words_keeps_the_own_mix_for_a_second() -> None:
    """What is encoded for whom does not change with every pause."""
    mixer = Mixer[str]()
    mixer.add("ada")
    run(mixer, {"ada": tone(300, 0.4)})
    own = ["ada" in mixer.mix().minus for _ in range(60)]
    assert own[:40] == [True] * 40
    assert not own[-1]


def test_loud_voices_together_do_not_clip() -> None:
    """Five voices at nearly full scale stay below it, keep their shape, and full gain comes back after them."""
    mixer = Mixer[str]()
    voices = {str(hertz): tone(hertz, 2.0, amplitude=30000) for hertz in (300, 500, 700, 900, 1100)}
    for name in (*voices, "soft"):
        mixer.add(name)
    loud = np.concatenate([mix.common for mix in run(mixer, voices)[20:]])
    assert np.abs(loud.astype(int)).max() <= 32767
    assert (np.abs(loud.astype(int)) >= 32767).mean() < 0.001
    assert strength(loud, 400) < 0.02 * strength(loud, 500)
    for name in voices:
        mixer.remove(name)
    soft = run(mixer, {"soft": tone(440, 3.0)})
    assert strength(np.concatenate([mix.common for mix in soft[-50:]]), 440) == pytest.approx(6000, rel=0.02)


def test_the_delay_of_each_voice_is_known() -> None:
    """The time of the sound just mixed tells how far the mix is behind the call's timeline."""
    mixer = Mixer[str]()
    mixer.add("ada")
    assert mixer.delay("ada", 5.0) is None
    for tick in range(4):
        mixer.push("ada", tone(300, 0.02), 100 + tick / 50)
    mixer.mix()
    assert mixer.delay("ada", 100.08) == pytest.approx(0.08)
    for _ in range(4):
        mixer.mix()
    assert mixer.delay("ada", 100.16) is None, "what is not heard is not late, however long ago it was"
    assert mixer.delay("nobody", 100.06) is None


def test_a_restart_leaves_out_what_waits_and_keeps_who_is_there() -> None:
    """Sound of before is not heard any more; a mute holds, and what is owed is each queue's matter."""
    mixer = Mixer[str]()
    for name in ("ada", "ben"):
        mixer.add(name)
        for number in range(8):
            mixer.push(name, np.full(960, 3000, np.int16), number / 50)
    mixer.set_muted("ben", muted=True)
    assert mixer.mix().common[0] == 3000
    mixer.restart()
    assert not mixer.mix().common.any()
    mixer.owe(1.0)
    for name in ("ada", "ben"):
        for number in range(60):
            mixer.push(name, np.full(960, 4000, np.int16), 10 + number / 50)
    assert mixer.mix().common[0] == 4000
    assert mixer.delay("ada", 11.0) == pytest.approx(1.0)


def test_only_what_is_listened_to_is_mixed() -> None:
    """One who speaks and hears nothing costs no mix of its own; when nobody listens there are levels, and no sound."""
    mixer = Mixer[str]()
    heard = []
    for listeners in (None, {"ben", "cleo"}, set[str]()):
        for name, value in (("ada", 3000), ("ben", 4000)):
            mixer.add(name)
            for number in range(4):
                mixer.push(name, np.full(960, value, np.int16), number / 50)
        heard.append(mixer.mix(listeners))
    assert [set(mix.minus) for mix in heard] == [{"ada", "ben"}, {"ben"}, set()]
    assert heard[1].minus["ben"][0] == 3000
    assert [int(mix.common[0]) for mix in heard] == [7000, 7000, 0]
    assert [mix.levels for mix in heard[1:]] == [heard[0].levels] * 2
