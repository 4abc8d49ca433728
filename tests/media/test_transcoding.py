"""Recordings in another form, and slides in the recording: looked at inside, packet by packet and decoded."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.child import in_child
from pexrtc_py.media.frames import EncodedFrame
from pexrtc_py.media.integrity import inspect_file
from pexrtc_py.media.joining_files import join_files
from pexrtc_py.media.sync_score import find_beeps, find_flashes, score_sync
from pexrtc_py.media.transcoding import PRESETS, preset_named, transcode_file, transcoded_path
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.containers import container_for
from pexrtc_py.media.writers.muxer import Chapter
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.support.frames import h264_frames, opus_frames, vp8_frames

START = 500.0


async def write(path: Path, *streams: list[EncodedFrame], chapters: tuple[Chapter, ...] = ()) -> None:
    """Write streams to a file whose 0 is `START`."""
    specs = [TrackSpec.of(frames[0]) for frames in streams]
    async with ContainerWriter(container_for(path), path, specs, origin=START) as writer:
        for track, frames in zip(writer.tracks, streams, strict=True):
            for frame in frames:
                track.push(frame)
        writer.set_chapters(chapters)


def packets(path: Path) -> dict[int, list[tuple[float, bytes]]]:
    """Return the packets of each stream."""
    found: dict[int, list[tuple[float, bytes]]] = {}
    with av.open(path) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                found.setdefault(packet.stream_index, []).append((float(packet.pts * packet.time_base), bytes(packet)))
    return dict(sorted(found.items()))


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4"])
async def test_slides_become_a_track(tmp_path: Path, suffix: str) -> None:
    """Every packet of both files is there, as it was and when it was, with names and chapters."""
    main, slides, target = (tmp_path / f"{name}.{suffix}" for name in ("talk", "talk.slides", "talk.joined"))
    pictures = h264_frames if suffix == "mp4" else vp8_frames
    chapters = (Chapter(start_s=0.0, end_s=2.0, title="One"), Chapter(start_s=2.0, end_s=4.0, title="Two"))
    await write(main, opus_frames(200, start=START), pictures(120, start=START), chapters=chapters)
    await write(slides, pictures(20, start=START + 2.0, width=320, height=240))
    answer = await in_child("join", target, main, slides, deadline_s=20)
    assert isinstance(answer, dict)
    assert answer["tracks"] == 3
    sound, video = packets(main).values()
    [shown] = packets(slides).values()
    joined = list(packets(target).values())
    assert joined[0] == sound
    for got, expected in ((joined[1], video), (joined[2], shown)):
        assert len(got) == len(expected)
        assert [at for at, _ in got] == pytest.approx([at for at, _ in expected], abs=0.001)
        assert [data for _, data in got] == [data for _, data in expected]
    with av.open(target) as container:
        assert [(one.width, one.height) for one in container.streams.video] == [
            (pictures(1)[0].width, pictures(1)[0].height),
            (320, 240),
        ]
        assert [one["metadata"]["title"] for one in container.chapters()] == ["One", "Two"]
        assert len(list(container.decode(video=1))) == 20
    assert inspect_file(target).problems == []


async def test_what_cannot_be_joined(tmp_path: Path) -> None:
    """Sources that cannot be read, and a target that is there, are told; nothing half is left."""
    main = tmp_path / "talk.mkv"
    await write(main, opus_frames(50, start=START))
    with pytest.raises(SourceError, match=r"no\.mkv: cannot be read"):
        join_files([main, tmp_path / "no.mkv"], tmp_path / "new.mkv")
    with pytest.raises(UsageError, match="exists already"):
        join_files([main], main)
    h264 = tmp_path / "h264.mkv"
    await write(h264, h264_frames(5, start=START))
    with pytest.raises(SourceError, match="does not carry"):
        join_files([main, h264], tmp_path / "new.webm")
    assert {path.name for path in tmp_path.iterdir()} == {"talk.mkv", "h264.mkv"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(PRESETS))
async def test_transcoded_on_request(tmp_path: Path, name: str) -> None:
    """Sound and picture come out in time with each other, a hole is silence, another size fits into the first."""
    path, preset = tmp_path / "talk.mkv", PRESETS[name]
    sound = opus_frames(400, start=START, beep_interval_s=1.0)
    pictures = vp8_frames(240, start=START, flash_interval=30, key_interval=30, width=1280, height=720)
    smaller = vp8_frames(240, start=START, flash_interval=30, key_interval=30, width=640, height=480)
    at = next(n for n, frame in enumerate(smaller) if frame.time >= START + 4 and frame.key)
    await write(path, [*sound[:120], *sound[220:]], [*pictures[:at], *smaller[at:]])
    target = transcoded_path(path, preset)
    answer = await in_child("transcode", path, target, name, deadline_s=60)
    assert isinstance(answer, dict)
    with av.open(target) as container:
        [heard] = container.streams.audio
        assert heard.codec_context.name.startswith(preset.audio_codec.removeprefix("lib")[:3])
        decoded = [frame.to_ndarray()[0] for frame in container.decode(audio=0)]
        samples = np.concatenate(decoded)
        assert len(samples) / 48000 == pytest.approx(8.0, abs=0.1)
        assert np.abs(samples[round(2.6 * 48000) : round(4.2 * 48000)]).max() < 0.01, "the hole is silence"
        videos = [(one.width, one.height, one.codec_context.name) for one in container.streams.video]
    if preset.video_codec is None:
        assert videos == []
        return
    assert videos == [(min(1280, preset.largest[0]), min(720, preset.largest[1]), "h264")]
    assert answer["pictures"] == 240
    found = score_sync(find_flashes(target), find_beeps(target))
    assert found is not None
    assert found.pairs >= 5
    assert found.score >= 95
    assert found.p95_skew_s <= 0.030, "a frame of AAC is 21 ms"


async def test_what_cannot_be_transcoded(tmp_path: Path) -> None:
    """A name that is no preset, a file that is none: one clear line, and no file."""
    with pytest.raises(UsageError, match=r"no preset is called 'avi'; there are: mp4, small, m4a, mp3"):
        preset_named("avi")
    (tmp_path / "talk.mkv").write_bytes(b"nothing of the kind")
    with pytest.raises(SourceError, match=r"talk\.mkv: cannot be read"):
        transcode_file(tmp_path / "talk.mkv", tmp_path / "talk.mp4", PRESETS["mp4"])
    assert [path.name for path in tmp_path.iterdir()] == ["talk.mkv"]


def test_where_it_goes() -> None:
    """Beside the recording, never to its own name."""
    assert transcoded_path(Path("a/talk.mkv"), PRESETS["mp4"]) == Path("a/talk.mp4")
    assert transcoded_path(Path("a/talk.mp4"), PRESETS["small"]) == Path("a/talk.small.mp4")
