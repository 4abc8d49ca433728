"""Each sample does what its docstring says, against a real node."""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py.media.clip_comparison import compare_with_clip
from samples import announce, events, record

SAMPLES = sorted(Path(record.__file__).parent.glob("[!_]*.py"))
CLIP = str(pexrtc_py.clip_path("motion.mkv"))


@pytest.mark.slow
async def test_announce_and_record(node: pexrtc_py.Node, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sample records what another plays."""
    target = tmp_path / "talk.mkv"
    async with pexrtc_py.connect(node.url, "meet.alice") as observer, asyncio.TaskGroup() as group:
        group.create_task(record.main(node.url, "meet.alice", str(target), "5"))
        await observer.session.wait_for(
            lambda session: any(
                person.display_name == "Recorder" and person.has_media
                for person in session.roster.participants.values()
            )
        )
        group.create_task(announce.main(node.url, "meet.alice", CLIP))
    said = capsys.readouterr().out
    assert "played 3.0 s" in said
    assert f"in {target}" in said
    came_out = await asyncio.to_thread(compare_with_clip, target, Path(CLIP))
    assert came_out.pictures.lost == 0
    assert came_out.sound is not None
    assert came_out.sound.heard == 1.0


async def test_events(node: pexrtc_py.Node, capsys: pytest.CaptureFixture[str]) -> None:
    """The observer tells who comes, goes and says something."""
    observer = asyncio.ensure_future(events.main(node.url, "meet.alice"))  # noqa: TID251 - cancelled below
    async with pexrtc_py.connect(node.url, "meet.alice", display_name="Alice") as conference:
        await conference.session.wait_for(lambda session: len(session.roster.participants) == 2)
        await conference.say("Hello")
    await _said(capsys, ["'Alice' is there", "'Alice' says 'Hello'", "'Alice' has left"])
    observer.cancel()
    with pytest.raises(asyncio.CancelledError):
        await observer


async def _said(capsys: pytest.CaptureFixture[str], lines: list[str]) -> None:
    said = ""
    async with asyncio.timeout(10):
        while not all(line in said for line in lines):
            said += capsys.readouterr().out
            await asyncio.sleep(0.02)
    assert [line for line in said.splitlines() if line in lines] == lines


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_samples_are_short_and_public(path: Path) -> None:
    """A sample has at most 100 lines, a docstring with its command, and only names that are public."""
    text = path.read_text()
    assert len(text.splitlines()) <= 100
    assert f"python samples/{path.name}" in text
    for module in re.findall(r"from (pexrtc_py\S*) import", text):
        assert module == "pexrtc_py" or module.startswith("pexrtc_py.protocol")


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
async def test_samples_say_what_they_want(path: Path) -> None:
    """Run without arguments a sample tells its command."""
    process = await asyncio.create_subprocess_exec(sys.executable, str(path), stderr=asyncio.subprocess.PIPE)
    _, said = await process.communicate()
    assert process.returncode == 1
    assert f"python samples/{path.name} http" in said.decode()
    assert "Traceback" not in said.decode()
