"""Sources as people write them."""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.sources.playlist import open_playlist, parse_m3u
from pexrtc_py.media.sources.text import SourceSpec, Way, open_raw_source, open_source, parse_source

from .looking import drained, heard, level_db, loudest_hz, raw_drained, steps


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("clip.mkv", SourceSpec(way=Way.FILE, value="clip.mkv")),
        ("C:clip.mkv", SourceSpec(way=Way.FILE, value="C:clip.mkv")),
        ("list.m3u", SourceSpec(way=Way.PLAYLIST, value="list.m3u")),
        ("https://a.example/x.m3u8", SourceSpec(way=Way.ADDRESS, value="https://a.example/x.m3u8")),
        ("-", SourceSpec(way=Way.STDIN)),
        ("-:s16le,16000,1", SourceSpec(way=Way.STDIN, value="s16le,16000,1")),
        ("tone:440", SourceSpec(way=Way.TONE, value="440")),
        ("tone:", SourceSpec(way=Way.TONE)),
        ("speech:Hello: all", SourceSpec(way=Way.SPEECH, value="Hello: all")),
        ("screen::0", SourceSpec(way=Way.SCREEN, value=":0")),
        ("camera:/dev/video0", SourceSpec(way=Way.CAMERA, value="/dev/video0")),
        ("stdin:s16le,48000,2", SourceSpec(way=Way.STDIN, value="s16le,48000,2")),
        ("slides:a.png@0,b.png@5", SourceSpec(way=Way.SLIDES, value="a.png@0,b.png@5")),
        (
            "gain:-6:tone:300",
            SourceSpec(way=Way.GAIN, value="-6", parts=(SourceSpec(way=Way.TONE, value="300"),)),
        ),
        (
            "mix:a.mkv|tone:300",
            SourceSpec(
                way=Way.MIX, parts=(SourceSpec(way=Way.FILE, value="a.mkv"), SourceSpec(way=Way.TONE, value="300"))
            ),
        ),
    ],
)
def test_each_form_is_read(text: str, spec: SourceSpec) -> None:
    """Every form of the table reads as what it says."""
    assert parse_source(text) == spec


@pytest.mark.parametrize(
    "text",
    ["", "  ", "ftp://x/y", "file:///etc/passwd", "tone:high", "pattern:big", "speech:", "mix:a.mkv", "gain:x:a.mkv",
     "gain:3", "gain:nan:tone:", "gain:9999:tone:", "for:inf:tone:", "for:0:tone:", "fade:-1:tone:", "tone:nan",
     "slides:a@nan", "slides:a@-1", "slides:a@0,b@inf", "overlay:a|b|c", "-:mp3", "slides:a@b", "black:1x1",
     "clip\0.mkv", "then:speech:\0|a.mkv", "for:1:" * 5000 + "tone:440"],
)  # fmt: skip
def test_nonsense_is_refused_before_anything_opens(text: str) -> None:
    """One line of what is wrong."""
    with pytest.raises(UsageError) as caught:
        parse_source(text)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever is written: a source, or a usage error."""
    try:
        spec = parse_source(text)
    except UsageError:
        return
    assert spec.way in Way


def test_written_sources_play() -> None:
    """What is written is what is heard: a composition, looped."""
    source = open_source(parse_source("for:0.5:gain:-6:mix:tone:500|tone:500"), loop=3)
    audio = drained(source)[Kind.AUDIO]
    assert len(audio) == 75
    assert steps(audio) == {960}
    assert loudest_hz(heard(audio)[4800:]) == pytest.approx(500, abs=3)
    assert level_db(heard(audio)[4800:]) == pytest.approx(-23, abs=1)


def test_written_sequence() -> None:
    """One tone after the other."""
    samples, _ = raw_drained(open_raw_source(parse_source("then:for:0.5:tone:500|for:0.5:tone:900")))
    assert loudest_hz(samples[24000:]) == pytest.approx(900, abs=3)


def test_speech_by_any_engine() -> None:
    """An engine that is given is asked, and what it returns is heard; one that fails is one line."""

    def engine(text: str) -> bytes:
        made = io.BytesIO()
        with wave.open(made, "wb") as file:
            file.setparams((1, 2, 22050, 0, "NONE", ""))
            tone = 9000 * np.sin(2 * np.pi * 100 * len(text) * np.arange(22050) / 22050)
            file.writeframes(tone.astype("<i2").tobytes())
        return made.getvalue()

    samples, _ = raw_drained(open_raw_source(parse_source("speech:seven77"), engine=engine))
    assert loudest_hz(samples) == pytest.approx(700, abs=3)
    assert len(samples) == pytest.approx(48000, abs=960)
    with pytest.raises(SourceError, match="speech"):
        open_raw_source(parse_source("speech:x"), engine=lambda text: b"no sound")


def test_playlist_is_gapless_and_repeated(tmp_path: Path) -> None:
    """Files of different kinds, twice: one codec throughout, sound on its grid, pictures in every part."""
    (tmp_path / "list.m3u").write_text(
        f"#EXTM3U\n#EXTINF:3,a clip\n{clip_path('motion.mkv')}\n\n{clip_path('announcement.mp4')}\n"
    )
    found = drained(open_source(parse_source(str(tmp_path / "list.m3u")), loop=2))
    assert {f.codec for f in found[Kind.VIDEO]} == {Codec.VP8}
    assert len(found[Kind.VIDEO]) == 2 * 390
    assert steps(found[Kind.AUDIO]) == {960}
    assert found[Kind.VIDEO][-1].time == pytest.approx(26, abs=0.2)


def test_playlist_with_an_order() -> None:
    """A shuffle decides the order of each round."""
    entries = [str(clip_path("motion.mkv")), "missing.mkv"]
    source = open_playlist(entries, order=lambda names: names[:1], loop=3)
    assert len(drained(source)[Kind.VIDEO]) == 270


def test_playlist_from_the_network_names_no_files() -> None:
    """A list from outside may lead to addresses only; a local one to both."""
    text = "#EXTM3U\nhttp://a.example/1.mp3\nmusic/2.mp3\n"
    assert parse_m3u(text, folder=Path("/srv")) == ["http://a.example/1.mp3", "/srv/music/2.mp3"]
    with pytest.raises(UsageError, match="network"):
        parse_m3u(text, folder=None)
    with pytest.raises(UsageError):
        parse_m3u("#EXTM3U\n", folder=None)


def test_playlist_that_breaks_in_the_middle_says_where(tmp_path: Path) -> None:
    """A missing entry ends the playing with its name."""
    (tmp_path / "list.m3u").write_text(f"{clip_path('motion.mkv')}\nmissing.mkv\n")
    with pytest.raises(SourceError, match=r"missing\.mkv"):
        drained(open_source(parse_source(str(tmp_path / "list.m3u"))))
