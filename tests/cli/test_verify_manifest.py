"""`pexrtc verify` beside what a kill, or a full disk, left of a manifest."""

from __future__ import annotations

import json
from pathlib import Path

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.media.clips import clip_path

from ..support.commands import pexrtc_here


def test_half_a_manifest(tmp_path: Path) -> None:
    """The file is read and told of all the same; it was refused, whole as it is."""
    path = tmp_path / "talk.mkv"
    path.write_bytes(clip_path("motion.mkv").read_bytes())
    manifest = tmp_path / "talk.manifest.json"
    manifest.write_text('{"files": [')
    outcome = pexrtc_here("verify", str(path), "--json")
    assert outcome.code == ExitCode.THRESHOLD_MISSED
    told = json.loads(outcome.out)
    assert told["problems"] == ["the manifest beside it cannot be read"]
    assert told["duration_s"] > 1
    assert f"{manifest}: not the manifest of a recording" in outcome.err
