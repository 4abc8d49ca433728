"""MP4, Ogg and WAV: what each makes of the same frames, of holes and of a kill."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import pytest

from pexrtc_py.media.frames import Codec, EncodedFrame
from pexrtc_py.media.writers.container import ContainerWriter, WriteResult
from pexrtc_py.media.writers.containers import MP4, OGG, WAV
from pexrtc_py.media.writers.muxer import Chapter
from pexrtc_py.media.writers.tracks import TrackSpec, annexb_units
from tests.media.writers.matroska_files import data, kill_recorder, split_lengths, times_ms
from tests.support.frames import g711_frames, h264_frames, merged, opus_frames

ORIGIN = 50.0


async def write_mp4(path: Path, sound: list[EncodedFrame], pictures: list[EncodedFrame]) -> WriteResult:
    """Write sound and picture."""
    writer = ContainerWriter(MP4, path, [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])], origin=ORIGIN)
    for index, frame in merged(sound, pictures):
        writer.tracks[index].push(frame)
    writer.set_chapters([Chapter(start_s=0.0, end_s=1.0, title="one"), Chapter(start_s=1.0, end_s=2.0, title="two")])
    return await writer.aclose()


async def test_mp4_is_plain_when_closed_well(tmp_path: Path) -> None:
    """H.264 and Opus as pushed, at their times; an index and no fragments, chapters inside."""
    sound, pictures = opus_frames(100, start=ORIGIN), h264_frames(50, start=ORIGIN + 0.3, key_interval=25)
    result = await write_mp4(tmp_path / "out.mp4", sound, pictures)
    assert result.error is None
    assert data(result.path, 0) == [frame.data for frame in sound]
    assert [split_lengths(packet) for packet in data(result.path, 1)] == [
        annexb_units(frame.data) for frame in pictures
    ]
    assert times_ms(result.path, 0) == [20 * n for n in range(100)]
    assert times_ms(result.path, 1) == pytest.approx([300 + n * 1000 / 30 for n in range(50)], abs=1)
    content = result.path.read_bytes()
    assert b"stss" in content
    assert content.count(b"moof") == 0 or content.rindex(b"moov") > content.rindex(b"moof")
    with av.open(result.path) as container:
        assert [chapter["metadata"]["title"] for chapter in container.chapters()] == ["one", "two"]
        assert len(list(container.decode(video=0))) == 50


async def test_mp4_goes_on_when_the_picture_stops(tmp_path: Path) -> None:
    """A camera switched off holds back no sound: it is in the file while that is open."""
    sound, pictures = opus_frames(300, start=ORIGIN), h264_frames(30, start=ORIGIN)
    writer = ContainerWriter(
        MP4, tmp_path / "out.mp4", [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])], origin=ORIGIN
    )
    for index, frame in merged(sound, pictures):
        writer.tracks[index].push(frame)
    await writer.flush()
    assert len(data(writer.path, 0)) > 220
    await writer.aclose()
    assert len(data(tmp_path / "out.mp4", 0)) == 300


@pytest.mark.slow
@pytest.mark.parametrize(("name", "after_s"), [("mp4", 1.8), ("ogg", 1.4)])
def test_a_kill_loses_less_than_a_second(tmp_path: Path, name: str, after_s: float) -> None:
    """Fragments and pages play unrepaired up to less than a second before the kill."""
    pushed_ms = kill_recorder(tmp_path / f"out.{name}", name, after_s)
    part = tmp_path / f"out.part.{name}"
    for stream in range(1 if name == "ogg" else 2):
        assert pushed_ms - times_ms(part, stream)[-1] < 1000


async def write_sound(path: Path, frames: list[EncodedFrame]) -> WriteResult:
    """Write frames of sound to the container that the ending says."""
    container = OGG if path.suffix == ".ogg" else WAV
    writer = ContainerWriter(container, path, [TrackSpec.of(frames[0])], origin=ORIGIN)
    for frame in frames:
        writer.tracks[0].push(frame)
    return await writer.aclose()


async def test_ogg_fills_a_hole_with_silence(tmp_path: Path) -> None:
    """Packets are as pushed, and between them as many of silence as are missing."""
    sound = opus_frames(100, start=ORIGIN)
    result = await write_sound(tmp_path / "out.ogg", [*sound[:40], *sound[60:]])
    assert data(result.path, 0) == [frame.data for frame in sound[:40]] + [b"\xfc\xff\xfe"] * 20 + [
        frame.data for frame in sound[60:]
    ]
    levels = levels_per_100_ms(result.path)
    assert len(levels) == 20
    assert min(levels[1:7]) > 0.1
    assert max(levels[9:12]) < 0.01
    assert min(levels[13:]) > 0.1


def levels_per_100_ms(path: Path) -> list[float]:
    """Decode a file and measure the level of each tenth of a second."""
    with av.open(path) as container:
        resampler = av.AudioResampler(format="flt", layout="mono", rate=16000)
        pieces = [
            piece.to_ndarray()[0] for frame in container.decode(audio=0) for piece in resampler.resample(frame)
        ] + [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    samples = np.concatenate(pieces)
    count = round(len(samples) / 1600)
    return [float(np.sqrt(np.mean(samples[n * 1600 : (n + 1) * 1600] ** 2))) for n in range(count)]


async def test_wav_is_decoded_sound_with_silence_in_holes(tmp_path: Path) -> None:
    """Two seconds of a tone with 400 ms missing: 48 kHz, two channels, of exactly two seconds."""
    sound = opus_frames(100, start=ORIGIN)
    result = await write_sound(tmp_path / "out.wav", [*sound[:40], *sound[60:]])
    with av.open(result.path) as container:
        stream = container.streams.audio[0]
        assert (stream.codec_context.name, stream.rate, stream.channels) == ("pcm_s16le", 48000, 2)
        assert container.duration == 2_000_000
    levels = levels_per_100_ms(result.path)
    assert max(levels[9:12]) < 0.01
    assert min(levels[1:7] + levels[13:]) > 0.15


@pytest.mark.parametrize("title", ["é" * 200, "x" * 253 + "é", "\ud800\0end"])
async def test_mp4_has_chapters_of_any_name(tmp_path: Path, title: str) -> None:
    """A long one was once cut through a character, and nothing that reads chapters could read the file any more."""
    path, sound = tmp_path / "out.mp4", opus_frames(100)
    writer = ContainerWriter(MP4, path, [TrackSpec.of(sound[0])], origin=0.0)
    for frame in sound:
        writer.tracks[0].push(frame)
    writer.set_chapters([Chapter(start_s=0.0, end_s=1.0, title=title), Chapter(start_s=1.0, end_s=2.0, title="next")])
    assert (await writer.aclose()).error is None
    with av.open(path) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    assert titles == [title.replace("\ud800", "?").replace("\0", " ").encode()[:254].decode("utf-8", "ignore"), "next"]


async def test_wav_passes_over_hours_of_silence(tmp_path: Path) -> None:
    """Three of them once were two GB of memory, and held the thread that writes all recordings for 17 s."""
    sound = opus_frames(100, start=ORIGIN)
    late = opus_frames(100, start=ORIGIN + 3 * 3600.0)
    result = await write_sound(tmp_path / "out.wav", [*sound[:50], *late[50:]])
    info = result.path.stat()
    assert info.st_size == 44 + (3 * 3600 + 2) * 48000 * 4
    assert info.st_blocks * 512 < 2_000_000
    with result.path.open("rb") as file:
        before, after = (sound_at(file, second) for second in (0, 3 * 3600 + 1))
        assert min(np.abs(before).max(), np.abs(after).max()) > 1000
        assert not sound_at(file, 3 * 3600 - 1).any()
        assert not sound_at(file, 2).any()


def sound_at(file: BinaryIO, second: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int16]]:
    """Read half a second of a WAV in stereo, a quarter after a full one."""
    file.seek(44 + 48000 * second * 4 + 12000 * 4)
    return np.frombuffer(file.read(24000 * 4), np.int16)


@pytest.mark.parametrize("codec", [Codec.PCMU, Codec.PCMA])
async def test_wav_of_g711_is_at_its_own_rate(tmp_path: Path, codec: Codec) -> None:
    """8 kHz stay 8 kHz."""
    result = await write_sound(tmp_path / "out.wav", g711_frames(50, start=ORIGIN, codec=codec))
    with av.open(result.path) as container:
        assert container.streams.audio[0].rate == 8000
        assert sum(frame.samples for frame in container.decode(audio=0)) == 50 * 160
