"""Every way a command can fail: one clear line, the right exit code, nothing left behind at the node."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.media.clips import clip_path
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.room_settings import RoomSettings

from ..support.background import background
from ..support.commands import error_lines, pexrtc, pexrtc_here, start

CLIP = str(clip_path("motion.mkv"))


@pytest.fixture
def node() -> Iterator[Node]:
    """A node with one conference that has a PIN, and no others."""
    settings = {
        "meet.pin": RoomSettings(alias="meet.pin", pin="1234", allow_guests=False),
        "meet.open": RoomSettings(alias="meet.open"),
    }

    async def make() -> Node:
        return Node(NodeConfig(conferences=settings, open=False))

    with background() as beside, beside.living(beside.wait(make())) as node:
        yield node


def test_url_that_is_none() -> None:
    """A node named without a scheme is a usage error that says how to name it."""
    outcome = pexrtc_here("record", "--node", "node.example.com", "meet.alice")
    assert outcome.code == ExitCode.USAGE
    assert error_lines(outcome) == [
        "error: --node node.example.com: say https://node.example.com or http://node.example.com"
    ]


def test_refused_connection(tmp_path: Path) -> None:
    """Where nobody listens, the address is named, and no file is left."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        target = tmp_path / "a.mkv"
        outcome = pexrtc_here("record", "--node", f"http://127.0.0.1:{port}", "meet.alice", "-o", str(target))
    assert outcome.code == ExitCode.UNREACHABLE
    [line] = error_lines(outcome)
    assert f"127.0.0.1:{port}" in line
    assert list(tmp_path.iterdir()) == []


def test_unknown_alias(node: Node, tmp_path: Path) -> None:
    """An alias the node does not have is refused by name."""
    outcome = pexrtc_here("record", "--node", node.url, "meet.nobody", "-o", str(tmp_path / "a.mkv"))
    assert outcome.code == ExitCode.REFUSED
    [line] = error_lines(outcome)
    assert "404" in line
    assert "Neither conference nor gateway found" in line


def test_wrong_pin(node: Node) -> None:
    """A wrong PIN is refused, and is in no output."""
    outcome = pexrtc_here("announce", "--node", node.url, "meet.pin", CLIP, PEXRTC_PIN="987654")
    assert outcome.code == ExitCode.REFUSED
    [line] = error_lines(outcome)
    assert "Invalid PIN" in line
    assert "987654" not in outcome.out + outcome.err


def test_missing_pin(node: Node) -> None:
    """Without a PIN one learns that there is one, and how to give it."""
    outcome = pexrtc_here("announce", "--node", node.url, "meet.pin", CLIP)
    assert outcome.code == ExitCode.REFUSED
    [line] = error_lines(outcome)
    assert "a PIN is required: set PEXRTC_PIN, or give --pin-file FILE" in line


@pytest.mark.parametrize("command", ["verify", "repair"])
def test_recording_that_is_not_there(command: str, tmp_path: Path) -> None:
    """A name that is no file was given wrong: nothing failed in the middle."""
    for path, why in ((tmp_path / "no.mkv", "no such file"), (tmp_path, "a folder, not a file")):
        outcome = pexrtc_here(command, str(path))
        assert outcome.code == ExitCode.USAGE
        assert error_lines(outcome) == [f"error: {path}: {why}"]


async def test_waiting_is_told(tmp_path: Path) -> None:
    """Who waits to be let in says so, and for what: the program does not look hung."""
    settings = {"meet.pin": RoomSettings(alias="meet.pin", pin="1234", allow_guests=True)}
    async with Node(NodeConfig(conferences=settings)) as node:
        process = await start("record", "--node", node.url, "meet.pin", "-o", str(tmp_path / "a.mkv"))
        assert process.stderr is not None
        try:
            said = (await process.stderr.readline()).decode()
            assert (
                "meet.pin: Recorder is in the waiting room: the conference is locked, or no Host is there yet" in said
            )
        finally:
            process.send_signal(signal.SIGTERM)
            await process.communicate()
    assert process.returncode == ExitCode.DONE


def test_unreadable_file(node: Node, tmp_path: Path) -> None:
    """A file that is no media is named before anybody is called."""
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(b"no media at all" * 100)
    outcome = pexrtc_here("announce", "--node", node.url, "meet.open", str(broken))
    assert outcome.code == ExitCode.USAGE
    [line] = error_lines(outcome)
    assert str(broken) in line


def test_missing_file(node: Node, tmp_path: Path) -> None:
    """A file that is not there is named."""
    outcome = pexrtc_here("announce", "--node", node.url, "meet.open", str(tmp_path / "nothing.mkv"))
    assert outcome.code == ExitCode.USAGE
    [line] = error_lines(outcome)
    assert "nothing.mkv" in line


@pytest.mark.parametrize("target", ["missing-folder/a.mkv", "exists.mkv"])
def test_unwritable_target(node: Node, tmp_path: Path, target: str) -> None:
    """A target that cannot be made, or exists already, is named before the node is asked; it is not overwritten."""
    (tmp_path / "missing-folder").write_text("a file where a folder is needed")
    (tmp_path / "exists.mkv").write_text("keep me")
    outcome = pexrtc_here("record", "--node", node.url, "meet.open", "-o", str(tmp_path / target))
    assert outcome.code == ExitCode.USAGE
    [line] = error_lines(outcome)
    assert str(tmp_path / target) in line
    assert (tmp_path / "exists.mkv").read_text() == "keep me"


@pytest.mark.slow
async def test_ctrl_c_finishes_the_file_and_leaves(node: Node, tmp_path: Path) -> None:
    """Ctrl-C closes the recording, gives the token back and says 130; SIGTERM does the same and says 0."""
    for number, code in ((signal.SIGINT, ExitCode.INTERRUPTED), (signal.SIGTERM, ExitCode.DONE)):
        target = tmp_path / f"{number.name}.mkv"
        recorder = await start("record", "--node", node.url, "meet.open", "-o", str(target), "--json")
        announcer = await pexrtc("announce", "--node", node.url, "meet.open", CLIP)
        assert announcer.code == ExitCode.DONE
        recorder.send_signal(number)
        out, _ = await recorder.communicate()
        assert recorder.returncode == code
        result = msgspec.json.decode(out)
        assert result["file"] == str(target)
        assert result["ended"] == "stopped"
        assert {stream["role"] for stream in result["streams"]} == {"audio", "video"}
        assert target.exists()
