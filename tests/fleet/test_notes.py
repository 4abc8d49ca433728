"""Notes beside recorded files: they tell what became of a file, and not for ever."""

from __future__ import annotations

from pathlib import Path

from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.jobs import FleetFile, UploadTable
from pexrtc_py.fleet.world import World
from pexrtc_py.service.kept_files import KeptFile, note_of, write_note

DAY_S = 86400.0


def noted(path: Path, *, closed_at: float, exists: bool = False) -> Path:
    """Write the note of a file that is there, or no more."""
    if exists:
        path.write_bytes(b"1")
    write_note(
        path, KeptFile(name=path.name, size=1, modified_ns=1, closed_at=closed_at, job="record:a", key=path.name)
    )
    return note_of(path)


async def test_notes_of_what_is_long_gone_are_forgotten(tmp_path: Path) -> None:
    """They stayed for ever: half a million in a year of segments of a minute, all of them read at each start."""
    job = RecordJobEntry(alias="a@b", id="record:a", output=f"{tmp_path}/{{alias}}.mkv")
    (tmp_path / "below").mkdir()
    long_gone = noted(tmp_path / "below" / "1.mkv", closed_at=0.0)
    gone = noted(tmp_path / "2.mkv", closed_at=DAY_S)
    there = noted(tmp_path / "3.mkv", closed_at=0.0, exists=True)
    for upload, left in ((UploadTable(), {long_gone, gone, there}), (UploadTable(keep_days=1000.0), {gone, there})):
        world = World(FleetFile(jobs=(job,), upload=upload))
        await world.keep_tidy(30 * DAY_S)
        assert set(tmp_path.rglob("*.upload.json")) == left
    await world.keep_tidy(31 * DAY_S - 1)
    assert gone.exists(), "they are looked at once a day"
    await world.keep_tidy(31 * DAY_S)
    assert set(tmp_path.rglob("*.upload.json")) == {there}
    assert (tmp_path / "3.mkv").exists()
