"""Compositions of files are made once: mixed, levelled as a whole, encoded, and found again by what is in them."""

from __future__ import annotations

import io
import shutil
import wave
from pathlib import Path

import pytest

from pexrtc_py.announcer.readiness import Readiness, make_ready
from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.loudness import measure
from pexrtc_py.media.prepare_composed import can_be_prepared, compose_here
from pexrtc_py.media.sources.file import open_raw_file, probe_file
from pexrtc_py.media.sources.text import Way, parse_source
from tests.announcer.hearing import babble, read_sound, write_wav

CLIP = clip_path("motion.mkv")
SAID: list[str] = []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two sounds: 1.5 s in the upper part of the voice's band, 1 s in the lower."""
    folder = tmp_path_factory.mktemp("sounds")
    write_wav(folder / "high.wav", babble(1.5, seed=1, low=1500, high=3400, amplitude=0.05))
    write_wav(folder / "low.wav", babble(1.0, seed=2, low=300, high=1200, amplitude=0.05))
    return folder


@pytest.mark.parametrize(
    ("text", "can"),
    [
        (f"mix:{CLIP}|a.wav", True),
        (f"for:3:mix:{CLIP}|tone:440", True),
        (f"overlay:{CLIP}|pattern:", True),
        (f"gain:-6:fade:1:{CLIP}", True),
        (f"mix:{CLIP}|tone:440", False),  # goes on for ever
        (f"overlay:pattern:|{CLIP}", False),
        ("for:3:tone:440", False),  # nothing in it is worth being kept
        (f"mix:{CLIP}|microphone:", False),
        ("then:a.wav|https://example.com/b.mp3", False),
        ("a.wav", False),
    ],
)
def test_what_ends_and_is_made_of_files_can_be_prepared(text: str, can: bool) -> None:
    """A composition is prepared when it ends by itself, has a file in it, and nothing live."""
    assert can_be_prepared(parse_source(text)) is can


def test_parts_are_heard_and_the_whole_is_levelled(folder: Path, tmp_path: Path) -> None:
    """A mix comes out at the target as a whole, its parts in the proportion asked for, and as Opus."""
    made = compose_here(parse_source(f"mix:{folder}/high.wav|gain:-3:{folder}/low.wav"), tmp_path)
    assert {kind: track.codec for kind, track in probe_file(made.path).items()} == {Kind.AUDIO: Codec.OPUS}
    assert measure(open_raw_file(made.path)).integrated_lufs == pytest.approx(-20, abs=1)
    mixed = read_sound(made.path)
    high, low = (find_sound(read_sound(folder / name), mixed) for name in ("high.wav", "low.wav"))
    assert high is not None
    assert low is not None
    assert high.heard == low.heard == 1.0
    assert low.level_db - high.level_db == pytest.approx(-3, abs=0.7)


@pytest.mark.slow
def test_pictures_and_sound_in_a_row(folder: Path, tmp_path: Path) -> None:
    """A clip with half a second of itself after it has all its pictures and its sound, in wire form."""
    made = compose_here(parse_source(f"then:{CLIP}|for:0.5:{CLIP}"), tmp_path)
    tracks = probe_file(made.path)
    assert {kind: track.obstacle for kind, track in tracks.items()} == {Kind.AUDIO: "", Kind.VIDEO: ""}
    assert tracks[Kind.VIDEO].key_interval_s == pytest.approx(1.0, abs=0.1)
    raw = open_raw_file(made.path, kinds=(Kind.VIDEO,))
    count = 0
    while raw.pull() is not None:
        count += 1
    raw.close()
    assert count == 105
    assert len(read_sound(made.path)) / 48000 == pytest.approx(3.5, abs=0.05)


@pytest.mark.slow
async def test_it_is_made_once_by_content(folder: Path, tmp_path: Path) -> None:
    """The same composition of the same content is found again under other names; softer below speech it is another."""
    how = Readiness(cache=tmp_path / "cache", duck=True)
    [first] = await make_ready(parse_source(f"mix:{folder}/high.wav|{folder}/low.wav"), how)
    assert first.spec.way is Way.FILE
    assert first.soft is not None
    for name in ("high.wav", "low.wav"):
        shutil.copy(folder / name, tmp_path / f"copy-{name}")
    [again] = await make_ready(parse_source(f"mix:{tmp_path}/copy-high.wav|{tmp_path}/copy-low.wav"), how)
    assert again == first
    loud, soft = (measure(open_raw_file(Path(spec.value))) for spec in (first.spec, first.soft))
    assert soft.integrated_lufs - loud.integrated_lufs == pytest.approx(-12, abs=0.5)
    [other] = await make_ready(parse_source(f"mix:gain:-3:{folder}/high.wav|{folder}/low.wav"), how)
    assert other.spec != first.spec


def voice(text: str) -> bytes:
    """Speak; what is said by a function of a module is kept by its name (see `announcer.spoken`)."""
    SAID.append(text)
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setparams((1, 2, 48000, 0, "NONE", ""))
        file.writeframes(babble(1.5, seed=1, low=1500, high=3400, amplitude=0.05).tobytes())
    return made.getvalue()


async def test_speech_over_music_is_prepared(folder: Path, tmp_path: Path) -> None:
    """Speech within a composition is spoken once, by the engine that was given, and mixed in."""
    SAID.clear()
    how = Readiness(cache=tmp_path, engine=voice)
    for _ in range(2):
        [ready] = await make_ready(parse_source(f"mix:speech:Hello|gain:-12:{folder}/low.wav"), how)
    assert SAID == ["Hello"]
    found = find_sound(read_sound(folder / "high.wav"), read_sound(Path(ready.spec.value)))
    assert found is not None
    assert found.heard == 1.0


async def test_playlist_in_a_composition(folder: Path, tmp_path: Path) -> None:
    """A playlist is taken apart, and its files are kept in a row."""
    (tmp_path / "list.m3u").write_text(f"{folder}/low.wav\n{folder}/high.wav\n")
    [ready] = await make_ready(parse_source(f"gain:0:{tmp_path}/list.m3u"), Readiness(cache=tmp_path / "cache"))
    assert len(read_sound(Path(ready.spec.value))) / 48000 == pytest.approx(2.5, abs=0.05)


async def test_what_does_not_fit_is_one_line(folder: Path, tmp_path: Path) -> None:
    """What the child cannot do is said in its words, and nothing is left in the cache."""
    for text, error, word in (
        (f"overlay:{folder}/high.wav|{folder}/low.wav", UsageError, "overlay: both sources need pictures"),
        (f"mix:{folder}/high.wav|{folder}/missing.wav", SourceError, "missing.wav"),
    ):
        with pytest.raises(error, match=word) as told:
            await make_ready(parse_source(text), Readiness(cache=tmp_path / "cache"))
        assert "\n" not in str(told.value)
    assert not [path for path in (tmp_path / "cache").glob("*") if path.stat().st_size]
