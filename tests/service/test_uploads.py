"""Uploads to a directory store: whole, resumed after a kill, and nothing removed that has not arrived."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path
from typing import Literal

import pytest

from pexrtc_py.errors import UsageError, WriteError
from pexrtc_py.service.kept_files import KeptFile, expired, note_of, read_note, read_notes, remember, write_note
from pexrtc_py.service.object_store import open_store
from pexrtc_py.service.uploads import UploadConfig, Uploads, remove_expired
from tests.support.waiting import until

BIG = os.urandom(1 << 20) * 20  # three parts


def recorded(folder: Path, name: str = "talk.mkv", content: bytes = BIG) -> tuple[Path, KeptFile]:
    """A complete file with its note."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    remember(path, job="record:a", key=f"board/{name}", now=1000.0)
    return path, read_note(path)


def uploads(target: Path, delete: Literal["size", "hash"] | None = None, **how: object) -> Uploads:
    """Uploads that do not wait long."""
    target.mkdir(exist_ok=True)
    config = UploadConfig(to=str(target), delete=delete, first_delay_s=0.01, close_s=5.0)
    return Uploads(config, wall_clock=lambda: 2000.0, dice=lambda: 0.0, **how)  # type: ignore[arg-type]


async def finished(one: Uploads) -> None:
    """Wait until all is uploaded."""
    async with asyncio.timeout(10):
        await one.finished()


async def test_a_file_arrives_whole(tmp_path: Path) -> None:
    """What is there is what was here; the note says so, the local file stays, the copy is private."""
    path, kept = recorded(tmp_path / "here")
    told: list[tuple[Path, KeptFile]] = []
    async with uploads(tmp_path / "there", on_uploaded=lambda *one: told.append(one)) as one:
        one.add(path, kept)
        await finished(one)
    copy = tmp_path / "there" / "board" / "talk.mkv"
    assert copy.read_bytes() == BIG
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert path.read_bytes() == BIG
    note = read_note(path)
    assert (note.confirmed, note.uploaded_at, note.key, note.to) == (
        "size",
        2000.0,
        "board/talk.mkv",
        str(tmp_path / "there"),
    )
    assert told == [(path, note)]
    assert one.removed == 0


@pytest.mark.parametrize("delete", ["size", "hash"])
async def test_removed_when_asked_and_confirmed(tmp_path: Path, delete: Literal["size", "hash"]) -> None:
    """The local file goes when the copy is confirmed that way; its note stays and says where it is."""
    path, kept = recorded(tmp_path / "here")
    async with uploads(tmp_path / "there", delete) as one:
        one.add(path, kept)
        await finished(one)
    assert not path.exists()
    assert (tmp_path / "there" / "board" / "talk.mkv").read_bytes() == BIG
    assert read_note(path).confirmed == delete
    assert one.removed == 1


async def test_a_name_that_is_given_again(tmp_path: Path) -> None:
    """The second meeting of a day once kept the note of the first, which had been uploaded, and was never uploaded."""
    target = tmp_path / "there" / "board"
    async with uploads(tmp_path / "there", "size") as one:
        one.add(*recorded(tmp_path / "here", content=b"the first"))
        await finished(one)
        path, kept = recorded(tmp_path / "here", content=b"the second, which is another")
        assert kept.confirmed is None
        one.add(path, kept)
        await finished(one)
    assert not path.exists()
    assert {file.name: file.read_bytes() for file in target.iterdir()} == {
        "talk.mkv": b"the first",
        "talk-2.mkv": b"the second, which is another",
    }
    assert (one.uploaded, one.removed) == (2, 2)


async def test_a_note_of_another_file_is_no_arrival(tmp_path: Path) -> None:
    """What lies under the name of a file that has arrived, noted or not, is uploaded after a start."""
    path, kept = recorded(tmp_path / "here", content=b"the first")
    async with uploads(tmp_path / "there") as one:
        one.add(path, kept)
        await finished(one)
    path.write_bytes(b"the second, and a kill before it was noted")
    async with uploads(tmp_path / "there", "hash") as one:
        assert await one.resume([tmp_path / "here"]) == 1
        await finished(one)
    assert not path.exists()
    assert (tmp_path / "there" / "board" / "talk-2.mkv").read_bytes() == b"the second, and a kill before it was noted"


async def test_a_name_that_is_given_again_while_it_waits(tmp_path: Path) -> None:
    """The file that comes last has a note of its own in the end, not that of the one before."""
    path, kept = recorded(tmp_path / "here", content=b"the first")
    async with uploads(tmp_path / "there") as one:
        one.add(path, kept)
        path.write_bytes(b"the second, which is another")
        remember(path, job="record:b", key="board/talk.mkv", now=1500.0)
        one.add(path, read_note(path))
        await finished(one)
    assert (read_note(path).job, read_note(path).closed_at, one.uploaded) == ("record:b", 1500.0, 1)


def test_a_note_stays(tmp_path: Path) -> None:
    """Noting a file again changes nothing of what is known; a note that is broken is written anew."""
    path, kept = recorded(tmp_path, content=b"1")
    remember(path, job="record:other", key="other", now=2000.0)
    assert read_note(path) == kept
    note_of(path).write_text("{")
    remember(path, job="record:other", key="other", now=2000.0)
    assert read_note(path).job == "record:other"


async def test_kept_while_somebody_needs_it(tmp_path: Path) -> None:
    """A file that may not go yet goes with a later sweep."""
    path, kept = recorded(tmp_path / "here")
    needed = True
    async with uploads(tmp_path / "there", "size", may_remove=lambda _: not needed) as one:
        one.add(path, kept)
        await finished(one)
        one.sweep()
        assert path.exists()
        needed = False
        one.sweep()
        assert not path.exists()


async def test_a_store_that_is_away_is_tried_until_it_is_back(tmp_path: Path) -> None:
    """Nothing is removed and nothing lost meanwhile; another file is not held up for ever by one that fails."""
    path, kept = recorded(tmp_path / "here")
    other, kept_other = recorded(tmp_path / "here", "other.mkv", b"other")
    target = tmp_path / "there"
    target.mkdir()
    (target / "board").write_text("a file where a folder is needed")
    async with uploads(target, "hash") as one:
        one.add(path, kept)
        one.add(other, kept_other)
        await until(lambda: one.failures >= 3, every_s=0.005)
        assert path.exists()
        assert other.exists()
        (target / "board").unlink()
        await finished(one)
    assert (target / "board" / "talk.mkv").read_bytes() == BIG
    assert (target / "board" / "other.mkv").read_bytes() == b"other"
    assert not path.exists()


async def test_goes_on_after_a_kill(tmp_path: Path) -> None:
    """Notes say what has not arrived; what had arrived without its note having been written is not sent twice."""
    path, kept = recorded(tmp_path / "here" / "2026")
    done, kept_done = recorded(tmp_path / "here", "done.mkv", b"done")
    target = tmp_path / "there"
    async with uploads(target) as first:
        first.add(done, kept_done)
        await finished(first)
    (target / "board").mkdir(exist_ok=True)
    (target / "board" / "talk.mkv").write_bytes(BIG)  # arrived; then came the kill
    before = (target / "board" / "talk.mkv").stat().st_mtime_ns
    async with uploads(target, "hash") as one:
        assert await one.resume([tmp_path / "here"]) == 1
        await finished(one)
    assert (target / "board" / "talk.mkv").stat().st_mtime_ns == before
    assert not path.exists()
    assert done.exists(), "its arrival was confirmed by size only, and a hash is asked for now"
    assert sorted(file.name for file in (target / "board").iterdir()) == ["done.mkv", "talk.mkv"]
    assert read_note(path).key == kept.key


async def test_nothing_there_is_overwritten(tmp_path: Path) -> None:
    """Another file of that name stays; ours gets a number, and the note says which."""
    path, kept = recorded(tmp_path / "here")
    target = tmp_path / "there"
    (target / "board").mkdir(parents=True)
    (target / "board" / "talk.mkv").write_bytes(b"somebody else's")
    async with uploads(target) as one:
        one.add(path, kept)
        await finished(one)
    assert (target / "board" / "talk.mkv").read_bytes() == b"somebody else's"
    assert (target / "board" / "talk-2.mkv").read_bytes() == BIG
    assert read_note(path).key == "board/talk-2.mkv"


async def test_a_file_that_is_gone(tmp_path: Path) -> None:
    """It is passed over, and the next one is uploaded."""
    gone, kept_gone = recorded(tmp_path / "here", "gone.mkv")
    path, kept = recorded(tmp_path / "here")
    gone.unlink()
    async with uploads(tmp_path / "there") as one:
        one.add(gone, kept_gone)
        one.add(path, kept)
        await finished(one)
    assert (one.uploaded, one.failures) == (1, 1)


@pytest.mark.parametrize("to", ["gs://bucket", "s3://", "s3://key:secret@bucket/x", "ftp://x", "/nowhere/at/all"])
def test_targets_that_cannot_be_used(to: str) -> None:
    """A directory must be there: a mount that is missing is not made; credentials have no place in a URL."""
    with pytest.raises(UsageError) as error:
        open_store(to)
    assert "key:secret" not in str(error.value)


def test_retention(tmp_path: Path) -> None:
    """Old files that have a note go; with uploads only those that arrived; changed ones and others' files stay."""
    old, kept_old = recorded(tmp_path, "old.mkv", b"1")
    write_note(old, KeptFile(**{f: getattr(kept_old, f) for f in kept_old.__struct_fields__} | {"confirmed": "size"}))
    only_here, _ = recorded(tmp_path, "only-here.mkv", b"2")
    changed, _ = recorded(tmp_path, "changed.mkv", b"3")
    changed.write_bytes(b"edited since")
    somebodys = tmp_path / "holiday.mkv"
    somebodys.write_bytes(b"4")
    assert remove_expired(tmp_path, now=1000.0 + 86399, keep_s=86400, uploads=False) == []
    assert remove_expired(tmp_path, now=1000.0 + 86400, keep_s=86400, uploads=True) == [old]
    assert remove_expired(tmp_path, now=1000.0 + 86400, keep_s=86400, uploads=False) == [only_here]
    assert changed.exists()
    assert somebodys.exists()


def test_a_folder_that_cannot_be_read(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A mount that answers with an error ends nothing; one that is not there yet is nothing to tell."""
    assert list(read_notes(tmp_path / "not-yet")) == []
    assert caplog.text == ""
    assert list(read_notes(tmp_path / ("n" * 300))) == []
    assert "cannot be read: file name too long" in caplog.text


def test_a_note_that_lies(tmp_path: Path) -> None:
    """One that speaks of another file, or is no note, makes nobody remove anything."""
    path, kept = recorded(tmp_path, "talk.mkv", b"1")
    note_of(path).rename(tmp_path / "other.mkv.upload.json")
    (tmp_path / "broken.mkv.upload.json").write_text("{")
    assert list(read_notes(tmp_path)) == []
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert not expired(path, kept, now=1e12, keep_s=0.0, uploads=False)


def test_a_note_that_cannot_be_written_leaves_no_draft(tmp_path: Path) -> None:
    """Each process that tried left one behind."""
    path, kept = recorded(tmp_path, content=b"1")
    note_of(path).unlink()
    note_of(path).mkdir()
    with pytest.raises(WriteError, match="is a directory"):
        write_note(path, kept)
    assert sorted(tmp_path.iterdir()) == sorted((path, note_of(path)))
