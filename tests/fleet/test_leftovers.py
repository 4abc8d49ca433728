"""Files that a killed run left are made whole and uploaded; those in use, or of somebody else, are not touched."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path

import av
import pytest

from pexrtc_py.fleet.jobs import parse_jobs
from pexrtc_py.fleet.world import World
from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.containers import CONTAINERS
from pexrtc_py.media.writers.target import is_being_written, part_path
from pexrtc_py.media.writers.tracks import TrackSpec
from pexrtc_py.service.kept_files import read_note
from tests.support.frames import opus_frames, vp8_frames


async def leave_behind(path: Path, content: Path) -> None:
    """Leave what is in the file of a recording before it is closed."""
    sound, pictures = opus_frames(100), vp8_frames(60)
    specs = [TrackSpec.of(sound[0]), TrackSpec.of(pictures[0])]
    async with ContainerWriter(CONTAINERS["mkv"], path, specs, origin=0.0) as writer:
        for index, frames in enumerate((sound, pictures)):
            for frame in frames:
                writer.tracks[index].push(frame)
        await writer.flush()
        assert is_being_written(writer.path)
        shutil.copy(writer.path, content)
    path.unlink()


def packets(path: Path) -> dict[str, int]:
    """Count those of each kind."""
    with av.open(path) as container:
        kinds = [packet.stream.type for packet in container.demux() if packet.size]
    return {kind: kinds.count(kind) for kind in kinds}


@pytest.mark.slow
async def test_what_was_killed_is_mended_noted_and_uploaded(tmp_path: Path) -> None:
    """With every frame it had, under the name it would have had, and with what its events tell beside."""
    folder, target = tmp_path / "recordings", tmp_path / "target"
    target.mkdir()
    ours, theirs, young = (folder / f"{name}.mkv" for name in ("board-3", "holiday", "board-4"))
    file = parse_jobs(
        f"""
        [upload]
        to = "{target}"
        [[record]]
        alias = "other"
        node = "http://127.0.0.1:1"
        output = "{folder}/{{alias}}.mkv"
        [[record]]
        alias = "board"
        node = "http://127.0.0.1:1"
        output = "{folder}/{{alias}}.mkv"
        """
    )
    await leave_behind(ours, tmp_path / "content")
    for path in (ours, theirs.with_suffix(".mp4")):
        shutil.copy(tmp_path / "content", part_path(path))
    said = {"origin": "A", "uuid": "a", "type": "text/plain", "payload": "hi"}
    event = {"at_s": 0.5, "event": "message_received", "data": said}
    (folder / "board-3.events.jsonl").write_text(json.dumps(event) + "\n")
    (folder / "board-9.part.mkv").write_bytes(b"no recording")
    async with ContainerWriter(CONTAINERS["mkv"], young, [TrackSpec.of(opus_frames(1)[0])], origin=0.0):
        async with World(file) as world:
            await world.mend_leftovers()
            before = sorted(folder.iterdir())
            await world.mend_leftovers()
            assert sorted(folder.iterdir()) == before, "once is enough"
            assert world.uploads is not None
            async with asyncio.timeout(10):
                await world.uploads.finished()
        assert part_path(young).exists()
        assert not young.exists()
    assert not theirs.with_suffix(".mp4").exists()
    assert packets(ours) == packets(tmp_path / "content") == {"audio": 100, "video": 60}
    assert part_path(ours).read_bytes() == (tmp_path / "content").read_bytes(), "what was left stays"
    assert read_note(ours).job == "record:board", "that of its alias, not the first of its template"
    assert {path.name for path in target.iterdir()} == {
        "board-3.mkv",
        "board-3.events.jsonl",
        "board-3.roster.json",
        "board-3.speakers.vtt",
        "board-3.chat.vtt",
    }
    assert (target / "board-3.mkv").read_bytes() == ours.read_bytes()
    assert "hi</v>" in (target / "board-3.chat.vtt").read_text()
