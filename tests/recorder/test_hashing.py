"""Hashes of a recording's files: made as each is complete, and not longer than there is time."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

from pexrtc_py.fleet.active_run import ActiveRun
from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.messages import Run
from pexrtc_py.recorder.hashing import Hashing
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.sidecars import Sidecars
from tests.support.frames import opus_frames
from tests.support.recording_scene import START, Scene

HUGE = 1 << 40
"""Bytes that no disk reads in a minute; a hole takes none."""


async def never() -> None:
    """Wait for ever."""
    await asyncio.Event().wait()


async def test_each_file_is_read_once(tmp_path: Path) -> None:
    """Those of long ago are known at the end, though they may be gone by then; one that changed is read anew."""
    gone, changed, last = (tmp_path / name for name in ("1.mkv", "2.mkv", "3.mkv"))
    for path in (gone, changed, last):
        path.write_bytes(path.name.encode())
    async with Hashing() as hashing:
        hashing.add(gone)
        hashing.add(changed)
        await hashing.finish((), late=never)
        gone.unlink()
        changed.write_bytes(b"slides were put in")
        missing = tmp_path / "4.mkv"
        sums = await hashing.finish((gone, changed, last, missing), late=never)
    assert {path.name: None if found is None else found.sha256 for path, found in sums.items()} == {
        "1.mkv": hashlib.sha256(b"1.mkv").hexdigest(),
        "2.mkv": hashlib.sha256(b"slides were put in").hexdigest(),
        "3.mkv": hashlib.sha256(b"3.mkv").hexdigest(),
        "4.mkv": None,
    }


async def test_what_there_is_no_time_for_is_left_out(tmp_path: Path) -> None:
    """A file that takes hours cost the manifest and the page: the fleet killed who read it."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path)
    async with Sidecars(scene.recording, path) as sidecars:
        async with scene.recording as recording:
            recording.file_listeners.append(sidecars.note_file)
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0))
        with path.open("ab") as file:
            file.truncate(HUGE)
        run = ActiveRun(run=Run(job=RecordJobEntry(alias="a@b"), number=1), tell=lambda _: None)
        run.stop(0.2)
        async with asyncio.timeout(10):
            written = await sidecars.write(recording.result, late=run.late.wait)
    assert {name.name.partition(".")[2] for name in written} == {
        "roster.json",
        "speakers.vtt",
        "chat.vtt",
        "manifest.json",
        "html",
    }
    assert [str(one) for one in sidecars.failures] == [f"{path}: no hash in the manifest, there was no time to read it"]
    manifest = json.loads((tmp_path / "talk.manifest.json").read_bytes())
    assert manifest["files"] == []
    assert manifest["streams"][0]["packets"] == 50
