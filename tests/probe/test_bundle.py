"""A support bundle: whole, private, bounded, and free of what must not leave; looked into, not believed."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from pathlib import Path

import av
import msgspec
import numpy as np
import pytest
from PIL import Image

from pexrtc_py.errors import WriteError
from pexrtc_py.media.marks_source import ReferenceConfig
from pexrtc_py.media.snapshots import take_snapshot
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.attempts import Plan, attempt
from pexrtc_py.probe.bundle import BundleConfig, bundle_path, keep_latest, make_bundle, write_bundle
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.evidence import EndEvidence, Evidence, KeptEvent, WorstMoment
from pexrtc_py.probe.redaction import Redaction
from pexrtc_py.probe.result import ProbeResult, parse_result
from pexrtc_py.probe.running import RunConfig
from pexrtc_py.probe.thresholds import Threshold
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.peer import PeerConfig

from ..support.probe_runs import HOSTILE, run

TOKEN, PIN, PASSWORD = "tok-93847561-abcdef", "824681", "icepassword0123456789abc"


def unpacked(content: bytes) -> dict[str, bytes]:
    """Return the files of a bundle."""
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        assert file.testzip() is None
        return {name: file.read(name) for name in file.namelist()}


def evidence(name: str = "Trillian") -> Evidence:
    """Return what a run of one end might leave, with a secret in every place that has room for one."""
    kept = Evidence()
    kept.secrets |= {TOKEN, PIN}
    kept.names |= {name, "meet.alice"}
    body = {"display_name": name, "token": TOKEN, "note": f"{PIN} for {name}", "payload": f"my PIN is {PIN}"}
    kept.ends.append(
        EndEvidence(
            name,
            offer=f"v=0\r\ns={name}\r\na=ice-pwd:{PASSWORD}\r\na=candidate:1 1 UDP 1 10.1.2.3 9 typ host\r\n",
            answer=f"v=0\r\na=x:{TOKEN}\r\n",
            roster=[{"display_name": name, "uri": f"{name}@x", "role": "chair"}],
            statistics=[(1.0, [{"type": "local-candidate", "id": "a", "address": "10.1.2.3", "port": 9}])],
            phases={"token": 12.0, "ice": 40.0},
            state="connected",
        )
    )
    kept.ends[0].events.append(KeptEvent(time=0.5, type="participant_create", body=body))
    kept.ends[0].events.append(KeptEvent(time=0.6, type=f"new_{name}", body=TOKEN))
    return kept


def failed(name: str = "Trillian") -> ProbeResult:
    """Return a result with the name in every text."""
    result = msgspec.structs.replace(
        run(stream=name, bad=True), target="meet.alice", error=f"{name} at 10.1.2.3 {TOKEN}"
    )
    return msgspec.structs.replace(result, node="https://10.1.2.3:8443")


def test_nothing_that_must_not_leave_is_in_any_file() -> None:
    """Secrets, names and addresses are in no file, compressed or not; what tells of the fault is."""
    files = unpacked(make_bundle(failed(), evidence(), BundleConfig()))
    for name, content in files.items():
        if name == "report.html":
            content = content[: content.index(b"<script>")] if b"<script>" in content else content
        for gone in (TOKEN, PIN, PASSWORD, "Trillian", "meet.alice", "10.1.2.3"):
            assert gone.encode() not in content, (name, gone)
    assert {"README.txt", "result.json", "timeline.txt", "end-1/offer.sdp", "end-1/events.jsonl"} <= set(files)
    assert b"private-address-1" in files["end-1/ice.txt"]
    assert b"FAILED" in files["timeline.txt"]
    assert b"reached ice" in files["timeline.txt"]
    assert "video.freeze_ratio" in {series.metric for series in parse_result(files["result.json"]).series}
    events = [json.loads(line) for line in files["end-1/events.jsonl"].splitlines()]
    assert events[0]["body"]["payload"] == f"({len(f'my PIN is {PIN}')} characters)"


def test_names_and_addresses_stay_when_asked_for() -> None:
    """Secrets still do not."""
    config = BundleConfig(redaction=Redaction(names=True, addresses=True))
    files = unpacked(make_bundle(failed(), evidence(), config))
    assert b"10.1.2.3" in files["end-1/offer.sdp"]
    assert b"Trillian" in files["end-1/roster.json"]
    assert not any(secret.encode() in content for secret in (TOKEN, PIN, PASSWORD) for content in files.values())


@pytest.mark.parametrize("shown", [False, True])
def test_hostile_names_break_nothing(*, shown: bool) -> None:
    """Neither names of files, nor lines, nor JSON, nor the terminal of who reads it."""
    files = unpacked(make_bundle(failed(HOSTILE), evidence(HOSTILE), BundleConfig(redaction=Redaction(names=shown))))
    assert all(name.isascii() and ".." not in name and not name.startswith("/") for name in files)
    for name in ("README.txt", "timeline.txt", "end-1/ice.txt"):
        text = files[name].decode()
        assert all(character.isprintable() or character == "\n" for character in text), name
    for line in files["end-1/events.jsonl"].splitlines():
        json.loads(line)
    assert b"<script>alert" not in files["report.html"]
    parse_result(files["result.json"])


def test_a_bundle_is_bounded_and_says_what_is_missing() -> None:
    """Pictures and report go before figures; the file is never larger than asked for."""
    kept = evidence()
    dice = np.random.default_rng(1)
    noise = av.VideoFrame.from_ndarray(dice.integers(0, 255, (540, 640), np.uint8), format="gray")
    moment = WorstMoment(metric="video.ssim", stream="Trillian", value=0.5, time=3.0)
    moment.pictures = [take_snapshot(noise.reformat(format="yuv420p"), 3.0)]
    kept._worst["video.ssim", "Trillian"] = moment
    whole = unpacked(make_bundle(failed(), kept, BundleConfig()))
    shot = Image.open(io.BytesIO(whole["pictures/1-video.ssim-1.jpg"]))
    assert shot.size == (640, 540)
    small = make_bundle(failed(), kept, BundleConfig(max_bytes=60_000))
    assert len(small) <= 60_000
    files = unpacked(small)
    assert "report.html" not in files
    assert "result.json" in files
    assert b"Left out, for more than 60000 bytes:\n  report.html" in files["README.txt"]


def test_the_file_is_private_and_whole(tmp_path: Path) -> None:
    """Readable by its owner only, whatever was there; no draft is left; a folder that cannot be is one error."""
    path = tmp_path / "new" / "b.zip"
    write_bundle(path, failed(), evidence())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o644)
    write_bundle(path, failed(), evidence())
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["b.zip"]
    with pytest.raises(WriteError, match=r"b\.zip/c\.zip: "):
        write_bundle(path / "c.zip", failed(), evidence())


def test_a_directory_gets_a_file_for_each_run_and_keeps_the_latest(tmp_path: Path) -> None:
    """Named after the conference, in characters that no file system minds; a monitor does not fill the disk."""
    hostile = msgspec.structs.replace(run(), target="../../etc/pass wd\n\x1b")
    path = bundle_path(tmp_path, hostile)
    assert path.parent == tmp_path
    assert path.name == "pexrtc-probe-etc-pass-wd-2026-11-22T150000Z.zip"
    for number in range(5):
        (tmp_path / f"pexrtc-probe-{number}.zip").write_bytes(b"")
    (tmp_path / "mine.zip").write_bytes(b"")
    keep_latest(tmp_path, 2)
    assert len(list(tmp_path.glob("pexrtc-probe-*.zip"))) == 2
    assert (tmp_path / "mine.zip").exists()


@pytest.mark.slow
async def test_a_real_run_leaves_what_is_needed_and_no_secret() -> None:
    """Token, PIN, ICE passwords and names of the run are nowhere; descriptions, statistics, pictures are there."""
    secrets: set[str] = {PIN}
    rooms = {"meet.plans": RoomSettings(alias="meet.plans", pin=PIN, allow_guests=False)}
    limits = (Threshold.parse("video.fps > 1"),)
    async with Node(NodeConfig(conferences=rooms)) as node:
        session = SessionConfig(node_url=node.url, alias="meet.plans", display_name="Zaphod", pin=PIN)
        peer = PeerConfig(addresses=("127.0.0.1",))
        end = EndConfig(session=session, peer=peer, reference=ReferenceConfig(width=320, height=180))
        kept = Evidence(limits)
        plan = Plan(end=end, run=RunConfig(duration_s=2, thresholds=limits, media_timeout_s=0.5))
        result = await attempt(plan, evidence=kept)
    secrets |= kept.secrets
    assert len(secrets) >= 2
    passwords = [line for line in kept.ends[0].offer.splitlines() if line.startswith("a=ice-pwd:")]
    secrets |= {line.partition(":")[2] for line in passwords}
    assert passwords
    files = unpacked(make_bundle(result, kept, BundleConfig()))
    for name, content in files.items():
        for gone in (*secrets, "Zaphod", "meet.plans", "127.0.0.1"):
            assert name == "report.html" or gone.encode() not in content, (name, gone)
    assert b"m=video" in files["end-1/answer.sdp"]
    assert b"in use: local-candidate" in files["end-1/ice.txt"]
    assert len(files["end-1/statistics.jsonl"].splitlines()) >= 2
    assert json.loads(files["end-1/roster.json"])[0]["role"] == "chair"
