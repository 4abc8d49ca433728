"""Hashes of recordings: of those that are asked about, and no longer than somebody asks."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from pexrtc_py.recorder.manifest import FileSum, changed_files, make_manifest, sum_of
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.stopping import Ended
from pexrtc_py.recorder.story import Story


def test_one_of_many_segments(tmp_path: Path) -> None:
    """Only that one is looked at: verifying all of them once read each as often as there are."""
    names = ["talk.001.mkv", "talk.002.mkv"]
    manifest = tmp_path / "talk.manifest.json"
    files = [{"name": name, "sha256": hashlib.sha256(name.encode()).hexdigest()} for name in names]
    manifest.write_text(json.dumps({"files": files}))
    (tmp_path / names[0]).write_text(names[0])
    (tmp_path / names[1]).write_text("another")
    assert changed_files(manifest) == [names[1]]
    assert changed_files(manifest, only=names[0]) == []
    assert changed_files(manifest, only=names[1]) == [names[1]]
    asked: list[bool] = []

    def is_over() -> bool:
        asked.append(True)
        return False

    changed_files(manifest, only=names[0], is_over=is_over)
    assert len(asked) == 1, "the other was not read"


def test_hashing_ends_when_nobody_wants_to_know(tmp_path: Path) -> None:
    """A file of hours holds up no end: it is asked for between pieces."""
    path = tmp_path / "long.mkv"
    path.write_bytes(bytes(3 << 20))
    asked: list[int] = []

    def is_over() -> bool:
        asked.append(1)
        return len(asked) == 2

    assert sum_of(path, is_over=is_over).sha256 == hashlib.sha256(bytes(1 << 20)).hexdigest()
    assert sum_of(path) == FileSum(bytes=3 << 20, sha256=hashlib.sha256(bytes(3 << 20)).hexdigest())


def test_a_file_that_goes_before_the_manifest_is_made(tmp_path: Path) -> None:
    """It is told as it was when it was read: asking the disk once more cost roster, chat, manifest and page."""
    path = tmp_path / "talk.mkv"
    path.write_bytes(b"talk")
    sums = {path: sum_of(path)}
    path.unlink()
    result = RecordingResult(
        file=path, files=(path,), began_at=1.8e9, duration_s=1.0, bytes=4, streams=(), holes=(),
        datagrams_overflowed=0, ended=Ended.STOPPED, error=None,
    )  # fmt: skip
    manifest = tmp_path / "talk.manifest.json"
    manifest.write_bytes(make_manifest(result, Story(), began_at=None, chapters=(), sums=sums, about={}))
    assert json.loads(manifest.read_bytes())["files"] == [
        {"name": "talk.mkv", "bytes": 4, "sha256": hashlib.sha256(b"talk").hexdigest()}
    ]
    assert changed_files(manifest) == ["talk.mkv"]
