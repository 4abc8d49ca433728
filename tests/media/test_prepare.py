"""Preparing: the wire form is made once, nothing that fits is touched, and what arrives is as loud as it should be."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.loudness import measure
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.prepare import PrepareConfig, cache_key, prepare, prepare_here
from pexrtc_py.media.sources.file import open_file, open_raw_file, probe_file
from pexrtc_py.tasks import first_of

from .sources.looking import drained, luma, seen, steps, write_media


@pytest.mark.parametrize("codec", [Codec.VP8, Codec.H264])
async def test_wire_form_of_a_file_in_no_form(tmp_path: Path, codec: Codec) -> None:
    """B-frames, AAC, 14 LU too soft: what comes out is passed as it is, has keys each second and the right loudness."""
    path = write_media(
        tmp_path / "a.mp4", video="libx264", audio="aac", options={"bf": "3"}, seconds=4, amplitude=0.02, tone_hz=700
    )
    made = await prepare(path, tmp_path / "cache", PrepareConfig(video_codec=codec))
    assert made.encoded == frozenset(Kind)
    assert not made.cached
    tracks = probe_file(made.path)
    assert (tracks[Kind.VIDEO].codec, tracks[Kind.AUDIO].codec) == (codec, Codec.OPUS)
    assert tracks[Kind.VIDEO].key_interval_s <= 1.1
    found = drained(open_file(made.path, accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (codec,)}))
    assert len(found[Kind.VIDEO]) == 100
    assert [n for n, f in enumerate(found[Kind.VIDEO]) if f.key] == [0, 25, 50, 75]
    assert steps(found[Kind.AUDIO]) == {960}
    assert found[Kind.AUDIO][-1].time == pytest.approx(found[Kind.VIDEO][-1].time, abs=0.08)
    assert measure(open_raw_file(made.path, kinds=(Kind.AUDIO,))).integrated_lufs == pytest.approx(-20, abs=1)


def test_what_is_in_form_is_left_where_it_is(tmp_path: Path) -> None:
    """Our own clip is VP8 and Opus at -20 LUFS with a key each second: nothing is written."""
    made = prepare_here(clip_path("announcement.mkv"), tmp_path / "cache")
    assert made.path == clip_path("announcement.mkv")
    assert not made.encoded
    assert not (tmp_path / "cache").exists()


def test_only_the_track_that_needs_it_is_encoded(tmp_path: Path) -> None:
    """H.264 as it is, AAC to Opus: the pictures are the same bytes, sound and picture still belong together."""
    config = PrepareConfig(video_codec=Codec.H264)
    made = prepare_here(clip_path("announcement.mp4"), tmp_path, config)
    assert made.encoded == {Kind.AUDIO}
    accept = {Kind.VIDEO: (Codec.H264,), Kind.AUDIO: (Codec.OPUS,)}
    before, after = (drained(open_file(path, accept=accept)) for path in (clip_path("announcement.mp4"), made.path))
    assert len(after[Kind.VIDEO]) == 300
    reader = MarkReader(640, 360)
    sightings = [reader.read(luma(p.frame)) for p in seen(after[Kind.VIDEO])]
    assert [s.mark.frame_id for s in sightings if s is not None] == list(range(300))
    assert sum(len(f.data) for f in after[Kind.VIDEO]) == pytest.approx(
        sum(len(f.data) for f in before[Kind.VIDEO]), rel=0.02
    )
    assert len(after[Kind.AUDIO]) == pytest.approx(500, abs=2)


def test_second_time_is_free_and_by_content(tmp_path: Path) -> None:
    """Another name, the same content: found. Other wishes: made anew."""
    path = write_media(tmp_path / "a.wav", audio="pcm_s16le", seconds=1)
    other = tmp_path / "other.wav"
    other.write_bytes(path.read_bytes())
    first, second = prepare_here(path, tmp_path / "c"), prepare_here(other, tmp_path / "c")
    assert second.cached
    assert second.path == first.path
    third = prepare_here(path, tmp_path / "c", PrepareConfig(target_lufs=None))
    assert not third.cached
    assert third.path != first.path
    assert cache_key(path, PrepareConfig()) == cache_key(other, PrepareConfig())
    assert sorted(p.suffix for p in (tmp_path / "c").iterdir()) == [".mkv", ".mkv"]


def test_loudness_off(tmp_path: Path) -> None:
    """As loud as it was."""
    path = write_media(tmp_path / "a.wav", audio="pcm_s16le", seconds=3, amplitude=0.02)
    before = measure(open_raw_file(path)).integrated_lufs
    made = prepare_here(path, tmp_path / "c", PrepareConfig(target_lufs=None))
    assert measure(open_raw_file(made.path)).integrated_lufs == pytest.approx(before, abs=0.5)


@pytest.mark.slow
async def test_errors_come_out_of_the_child(tmp_path: Path) -> None:
    """What is no media, what is missing, and a cache that cannot be: one line, and nothing half left."""
    (tmp_path / "text.mkv").write_text("no media")
    for name in ("text.mkv", "missing.mkv"):
        with pytest.raises(SourceError, match=name):
            await prepare(tmp_path / name, tmp_path / "c")
    path = write_media(tmp_path / "a.wav", audio="pcm_s16le", seconds=1)
    (tmp_path / "file").touch()
    with pytest.raises(UsageError):
        await prepare(path, tmp_path / "file" / "c")
    broken = write_media(tmp_path / "b.mkv", audio="flac", seconds=2)
    os.truncate(broken, 300)
    with pytest.raises(SourceError):
        await prepare(broken, tmp_path / "c")
    assert not list((tmp_path / "c").glob("*")) if (tmp_path / "c").exists() else True


@pytest.mark.slow
async def test_cancelled_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    """The child is ended and what it had written is removed: it stayed in the cache for ever."""
    path = write_media(tmp_path / "a.mp4", video="libx264", audio=None, seconds=60)
    cache = tmp_path / "cache"
    writing = asyncio.Event()

    def told(doing: str, done_s: float) -> None:
        if doing == "writing" and list(cache.iterdir()):
            writing.set()

    async def cancel() -> None:
        await writing.wait()
        assert [one.suffixes for one in cache.iterdir()] == [[".part", ".mkv"]]

    async with asyncio.timeout(60):
        name, _ = await first_of(prepared=prepare(path, cache, on_progress=told), cancel=cancel())
    assert name == "cancel"
    assert list(cache.iterdir()) == []
