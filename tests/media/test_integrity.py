"""Whole files, broken ones, and what can be made of them; all in children, as users run it."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import av
import pytest

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.child import in_child
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.file_end import Ending, ending_of
from pexrtc_py.media.frames import EncodedFrame
from pexrtc_py.media.integrity import Integrity, Problem, inspect_file
from pexrtc_py.media.repair import repair_file, repaired_path
from pexrtc_py.media.transcoding import PRESETS, transcode_file
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.containers import container_for
from pexrtc_py.media.writers.muxer import Chapter
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.support.frames import h264_frames, merged, opus_frames, vp8_frames


async def write(path: Path, *streams: list[EncodedFrame], close: bool = True) -> Path:
    """Write streams; return the path, of a copy of the open file if it is not to be closed."""
    writer = ContainerWriter(container_for(path), path, [TrackSpec.of(one[0]) for one in streams], origin=0.0)
    for index, frame in merged(*streams):
        writer.tracks[index].push(frame)
    writer.set_chapters([Chapter(start_s=0.0, end_s=1.0, title="one")])
    await writer.flush()
    if not close:
        left = path.with_name(f"{path.stem}.part{path.suffix}")
        content = left.read_bytes()
        await writer.aclose()
        path.unlink()
        left.write_bytes(content)
        return left
    await writer.aclose()
    return path


def streams_for(suffix: str) -> list[list[EncodedFrame]]:
    """Make two seconds that the container takes."""
    sound = opus_frames(100)
    if suffix in ("ogg", "wav"):
        return [sound]
    return [sound, h264_frames(60) if suffix == "mp4" else vp8_frames(60)]


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4", "ogg", "wav"])
async def test_a_file_closed_well_has_no_problem(tmp_path: Path, suffix: str) -> None:
    """Every packet decodes and nothing is missing, in each container."""
    path = await write(tmp_path / f"out.{suffix}", *streams_for(suffix))
    found = inspect_file(path, decode=True)
    assert found.problems == []
    assert found.ending is Ending.CLOSED
    assert found.duration_s == pytest.approx(2.0, abs=0.05)
    if suffix != "wav":
        assert found.streams[0].packets == 100
    if len(found.streams) == 2:
        assert found.streams[1].key_frames == 1
        assert found.start_offset_s == pytest.approx(0.0, abs=0.001)


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4", "ogg"])
async def test_a_file_not_closed_is_told_and_repaired(tmp_path: Path, suffix: str) -> None:
    """All that was readable before is in the repaired file, which has no problem; the damaged one stays."""
    path = await write(tmp_path / f"out.{suffix}", *streams_for(suffix), close=False)
    before = inspect_file(path)
    assert before.problems == [Problem.NOT_CLOSED]
    content = path.read_bytes()
    repaired = repair_file(path, repaired_path(path))
    assert Path(repaired.file) == tmp_path / f"out.{suffix}"
    after = inspect_file(Path(repaired.file), decode=True)
    assert after.problems == []
    assert packets(after) == packets(before)
    assert repaired.packets == sum(packets(after))
    assert repaired.bytes == sum(one.bytes for one in after.streams) == sum(one.bytes for one in before.streams)
    assert repaired.unread_bytes == 0
    assert path.read_bytes() == content


@pytest.mark.parametrize("suffix", ["mkv", "webm", "mp4", "ogg"])
async def test_what_a_repair_could_not_read_is_counted(tmp_path: Path, suffix: str) -> None:
    """A megabyte of nothing behind it, and one in the middle of it."""
    path = await write(tmp_path / f"out.{suffix}", *streams_for(suffix), close=False)
    content = path.read_bytes()
    for number, at in enumerate((len(content), len(content) // 2)):
        path.write_bytes(content[:at] + bytes(1 << 20) + content[at:])
        repaired = repair_file(path, tmp_path / f"{number}.{suffix}")
        assert repaired.unread_bytes >= (1 << 20) - (128 << 10)


def packets(found: Integrity) -> list[int]:
    """Packets of each stream."""
    return [one.packets for one in found.streams]


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ogg", "wav"])
async def test_a_file_cut_off_is_told(tmp_path: Path, suffix: str) -> None:
    """The last tenth is missing, as after a full disk or a broken copy."""
    path = await write(tmp_path / f"out.{suffix}", *streams_for(suffix))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 9 // 10])
    assert ending_of(path) is Ending.TRUNCATED
    assert inspect_file(path).problems[0] in (Problem.TRUNCATED, Problem.UNREADABLE)


async def test_holes_missing_key_frames_and_late_pictures_are_told(tmp_path: Path) -> None:
    """A second of sound missing, pictures three seconds late and begun in the middle."""
    sound, pictures = opus_frames(300), vp8_frames(60, start=3.0)
    path = await write(tmp_path / "out.mkv", [*sound[:100], *sound[150:]], pictures)
    found = inspect_file(path)
    assert set(found.problems) == {Problem.HOLES, Problem.APART}
    assert [(hole.start_s, hole.end_s) for hole in found.streams[0].holes] == [(2.0, 3.0)]
    assert found.start_offset_s == pytest.approx(3.0)
    broken = tmp_path / "broken.mkv"
    content = path.read_bytes()
    key = content.index(pictures[0].data)
    broken.write_bytes(content[: key - 1] + b"\0" + bytes([content[key] | 1]) + content[key + 1 :])
    assert Problem.NO_KEY_FRAME in inspect_file(broken).problems


def test_pictures_decoded_in_another_order_than_shown(tmp_path: Path) -> None:
    """As encoders of files have them, ours too: verify took them for times that step back, repair left a third out."""
    path = tmp_path / "talk.mp4"
    transcode_file(clip_path("motion.mkv"), path, PRESETS["small"])
    found = inspect_file(path)
    assert found.problems == []
    repaired = repair_file(path, tmp_path / "mended.mp4")
    again = inspect_file(Path(repaired.file))
    assert again.problems == []
    assert [(one.packets, one.bytes, one.first_s, one.last_s) for one in again.streams] == [
        (one.packets, one.bytes, one.first_s, one.last_s) for one in found.streams
    ]
    assert found.streams[1].packets == 90


def test_a_wav_longer_than_its_header_can_say(tmp_path: Path) -> None:
    """Six and a half hours of stereo are whole, though no header has their length: told as not closed once."""
    path, full = tmp_path / "talk.wav", 0xFFFFFFFF - 44
    head = struct.pack(
        "<4sI8sIHHIIHH4sI", b"RIFF", full + 36, b"WAVEfmt ", 16, 1, 2, 48000, 192000, 4, 16, b"data", full
    )
    path.write_bytes(head)
    os.truncate(path, 4_600_000_000)
    assert ending_of(path) is Ending.CLOSED
    os.truncate(path, 4_000_000_000)
    assert ending_of(path) is Ending.TRUNCATED


def test_what_is_no_recording_is_unreadable(tmp_path: Path) -> None:
    """Text with the ending of a recording, and nothing at all."""
    path = tmp_path / "out.mkv"
    path.write_text("no recording")
    assert inspect_file(path).problems == [Problem.UNREADABLE]
    with pytest.raises(SourceError, match="nothing can be read"):
        repair_file(path, tmp_path / "target.mkv")
    assert not (tmp_path / "target.mkv").exists()
    with pytest.raises(SourceError, match="no such file"):
        inspect_file(tmp_path / "nothing.mkv")


async def test_a_repair_overwrites_nothing(tmp_path: Path) -> None:
    """The target is new or it is an error."""
    path = await write(tmp_path / "out.mkv", opus_frames(10))
    (tmp_path / "out.repaired.mkv").write_text("theirs")
    with pytest.raises(UsageError, match="exists already"):
        repair_file(path, repaired_path(path))


@pytest.mark.slow
async def test_a_child_does_it_and_answers_with_json(tmp_path: Path) -> None:
    """Verify, repair, thumbnail and slides."""
    path = await write(tmp_path / "out.mkv", opus_frames(100), vp8_frames(60), close=False)
    found = await in_child("verify", path, "decode", deadline_s=30)
    assert isinstance(found, dict)
    assert found["problems"] == ["not closed"]
    assert await in_child("repair", path, deadline_s=30) == {
        "file": str(tmp_path / "out.mkv"),
        "packets": 160,
        "bytes": sum(len(frame.data) for frame in (*opus_frames(100), *vp8_frames(60))),
        "duration_s": 1.98,
        "unread_bytes": 0,
    }
    made = await in_child("thumbnail", path, tmp_path / "out.jpg", deadline_s=30)
    assert made == {"file": str(tmp_path / "out.jpg"), "at_s": 0.0}
    assert (tmp_path / "out.jpg").read_bytes()[:2] == b"\xff\xd8"


async def test_each_slide_gives_one_picture(tmp_path: Path) -> None:
    """Key frames of the same slide give one, another slide another."""
    slides = [
        *vp8_frames(20, rate=5, key_interval=5, still=True),
        *vp8_frames(10, start=4.0, rate=5, key_interval=5, still=True, first_picture=60),
    ]
    path = await write(tmp_path / "out.mkv", slides)
    made = await in_child("slides", path, tmp_path, deadline_s=30)
    assert isinstance(made, list)
    assert [(Path(one["file"]).name, one["at_s"]) for one in made] == [("slide-001.jpg", 0.0), ("slide-002.jpg", 4.0)]
    with av.open(tmp_path / "slide-002.jpg") as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (320, 180)


async def test_a_child_that_fails_or_is_late_is_an_error_and_gone(tmp_path: Path) -> None:
    """One line says why; a job that hangs, here on a pipe nobody writes to, is killed at its deadline."""
    with pytest.raises(SourceError, match=r"verify: .*nothing\.mkv: no such file"):
        await in_child("verify", tmp_path / "nothing.mkv", deadline_s=30)
    pipe = tmp_path / "pipe.mkv"
    os.mkfifo(pipe)
    with pytest.raises(SourceError, match=r"thumbnail: not done after 0\.5 s"):
        await in_child("thumbnail", pipe, tmp_path / "out.jpg", deadline_s=0.5)


async def test_json_of_a_report_has_everything(tmp_path: Path) -> None:
    """What `pexrtc verify --json` prints."""
    path = await write(tmp_path / "out.mkv", opus_frames(10))
    found = await in_child("verify", path, deadline_s=30)
    assert json.loads(json.dumps(found))["streams"][0]["codec"] == "opus"
