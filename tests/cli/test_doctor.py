"""`pexrtc doctor`: a capture tells how a node answers, not whose it is, and can be served again."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.endpoint.conference import connect
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.commands import error_lines, pexrtc, pexrtc_here
from ..support.replay_node import Capture, run_replay_node

ALIAS, PIN, ALICE, BOB = "meet.secret-plans", "824681", "Alice Liddell", "Bob ☂ <b>Dylan</b>"


@pytest.mark.slow
async def test_what_is_captured_can_be_served(tmp_path: Path) -> None:
    """A capture of a node, served by one that knows nothing of us, has the same roster with nobody's name in it."""
    path = tmp_path / "node.json"
    rooms = {ALIAS: RoomSettings(alias=ALIAS, pin=PIN, name="Secret plans")}
    async with Node(NodeConfig(conferences=rooms, version="38")) as node:
        async with connect(node.url, ALIAS, pin=PIN, display_name=ALICE), connect(node.url, ALIAS, display_name=BOB):
            done = await pexrtc(
                "doctor", "--node", node.url, ALIAS, "--capture", str(path), "--name", "Dr. Who", PEXRTC_PIN=PIN
            )
            assert done.code == ExitCode.DONE, done.err
        port = node.url.rpartition(":")[2]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    text = path.read_text()
    for hidden in (ALIAS, PIN, "Alice", "Bob", "Dylan", "Secret plans", "Dr. Who", port):
        assert hidden not in text, hidden
    said = json.loads(text)
    asked = {request["path"] for request in said["requests"]}
    assert asked >= {"request_token", "conference_status", "participants", "available_layouts", "refresh_token"}
    assert any(path.endswith("/calls") for path in asked)
    assert any(path.endswith("/ack") for path in asked)
    assert any(path.endswith("/update") for path in asked)
    first = said["requests"][0]["answer"]["result"]
    assert (first["version"]["version_id"], first["expires"], first["role"]) == ("38", "120", "HOST")
    answer = next(r for r in said["requests"] if r["path"].endswith("/calls"))["answer"]["result"]["sdp"]
    assert "a=rtpmap:" in answer
    assert "a=ice-pwd:pwd0" in answer

    async with run_replay_node(capture=Capture(path.read_bytes())) as replay:
        done = await pexrtc("roster", "--node", replay.url, "meet.any", "--json")
        assert done.code == ExitCode.DONE, done.err
        people = json.loads(done.out)["participants"]
        assert len(people) == 2
        assert {person["role"] for person in people} == {"chair", "guest"}
        assert all(person["display_name"].startswith("Name ") for person in people)
        assert replay.refused == []


async def test_a_refusal_is_captured_too(tmp_path: Path) -> None:
    """Where the node lets nobody in, the capture has its answer, and the command says why."""
    path = tmp_path / "node.json"
    rooms = {ALIAS: RoomSettings(alias=ALIAS, pin=PIN, allow_guests=False)}
    async with Node(NodeConfig(conferences=rooms)) as node:
        done = await pexrtc("doctor", "--node", node.url, ALIAS, "--capture", str(path))
    assert done.code == ExitCode.REFUSED
    assert error_lines(done) == [
        "error: request_token refused: 403 a PIN is required: set PEXRTC_PIN, or give --pin-file FILE"
    ]
    [request] = json.loads(path.read_text())["requests"]
    assert request["status"] == 403
    assert request["answer"]["result"]["pin"] == "required"


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    """A file that exists is named, before anybody joins."""
    path = tmp_path / "node.json"
    path.write_text("keep me")
    done = pexrtc_here("doctor", "--node", "http://127.0.0.1:9", ALIAS, "--capture", str(path))
    assert done.code == ExitCode.USAGE
    assert error_lines(done) == [f"error: --capture {path}: it exists already"]
    assert path.read_text() == "keep me"


@pytest.mark.slow
async def test_steps() -> None:
    """Without a capture it gets in step by step and says what was found."""
    async with Node() as node:
        done = await pexrtc("doctor", "--node", node.url, "meet.alone", "--alone")
    assert done.code == ExitCode.DONE
    assert all(step in done.err for step in ("DNS", "TCP", "join", "call", "ICE", "DTLS", "media"))
