"""The record of what was played."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pexrtc_py.announcer.play_record import HeardReport, PlayEntry, PlayRecord
from pexrtc_py.errors import WriteError


def entry(number: int) -> PlayEntry:
    return PlayEntry(
        at=datetime(2026, 11, 22, 14, number, tzinfo=UTC),
        conference="meet.alice",
        source="clip.mkv\nwith a line break",
        why="every:10m",
        duration_s=10.0,
        ended="finished",
        proof=HeardReport(heard=True, delay_s=0.2) if number else None,
    )


def test_lines_are_written_and_read(tmp_path: Path) -> None:
    """One line a play, valid JSON each, appended and never rewritten, private."""
    record = PlayRecord(tmp_path / "plays.jsonl")
    for number in range(3):
        record.write(entry(number))
    lines = record.path.read_text().splitlines()
    assert [json.loads(line)["conference"] for line in lines] == ["meet.alice"] * 3
    assert "proof" not in json.loads(lines[0])
    assert record.read() == [entry(number) for number in range(3)]
    assert record.path.stat().st_mode & 0o777 == 0o600


def test_line_cut_off_by_a_crash_is_left_out(tmp_path: Path) -> None:
    """The others are read."""
    record = PlayRecord(tmp_path / "plays.jsonl")
    record.write(entry(1))
    with record.path.open("ab") as file:
        file.write(b'{"at": "2026-')
    assert record.read() == [entry(1)]


def test_record_that_cannot_be_written(tmp_path: Path) -> None:
    """One clear line."""
    with pytest.raises(WriteError, match="cannot write"):
        PlayRecord(tmp_path / "missing" / "plays.jsonl").write(entry(0))
    with pytest.raises(WriteError, match="cannot read"):
        PlayRecord(tmp_path / "missing.jsonl").read()
