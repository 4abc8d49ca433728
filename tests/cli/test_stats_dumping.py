"""`--stats-dump` of the commands that call."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from pexrtc_py import Node
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.stats_dumping import Dumped, with_stats_dump
from pexrtc_py.endpoint.call import CallConfig
from pexrtc_py.endpoint.conference import open_conference
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.gathering import IceServer
from pexrtc_py.webrtc.peer import PeerConfig

from ..support.commands import error_lines, pexrtc, pexrtc_here
from ..support.stats_dumps import read_dump


async def test_a_call_is_dumped_from_its_offer_to_its_end(tmp_path: Path) -> None:
    """Descriptions, states and statistics; no token, no password, nobody else may read it."""
    path = tmp_path / "calls.jsonl"
    secrets: list[str] = []
    server = IceServer(urls=("turn:127.0.0.1:9",), username="me", credential="Secret")

    async def work(stopping: Stopping, dumped: Dumped) -> ExitCode:
        peer = dumped(PeerConfig(addresses=("127.0.0.1",), ice_servers=(server,)))
        config = SessionConfig(node_url=node.url, alias="meet.alice")
        async with open_conference(config) as conference, conference.call(CallConfig(peer=peer)) as call:
            await call.connected()
            secrets.append(str.__str__(conference.session.token_result.token))
            secrets.extend(line[10:] for line in call.offer_sdp.splitlines() if line.startswith("a=ice-pwd:"))
            secrets.extend(line[10:] for line in call.answer_sdp.splitlines() if line.startswith("a=ice-pwd:"))
        return ExitCode.DONE

    async with Node() as node:
        assert await with_stats_dump(path, work)(Stopping()) is ExitCode.DONE
    text = path.read_text()
    assert len(secrets) >= 3
    assert not any(secret in text for secret in (*secrets, "Secret"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    dump = read_dump(text.encode())
    assert [name for _, name, which, _ in dump.events if which == "PC_0" and name != "getStats"] == [
        "create",
        "setLocalDescription",
        "setRemoteDescription",
        "onconnectionstatechange",
        "onconnectionstatechange",
        "close",
    ]
    assert dump.of("onconnectionstatechange") == ["connecting", "connected"]
    assert dump.of("create", "PC_0")[0]["iceServers"] == [{"urls": ["turn:127.0.0.1:9"]}]
    last = dump.of("getStats")[-1]
    assert last["transport"]["dtlsState"] == "connected"
    assert last[last["transport"]["selectedCandidatePairId"]]["nominated"] is True


async def test_without_the_option_nothing_is_dumped() -> None:
    """Configurations stay as they are."""
    peer = PeerConfig()

    async def work(stopping: Stopping, dumped: Dumped) -> ExitCode:
        assert dumped(peer) is peer
        return ExitCode.DONE

    assert await with_stats_dump(None, work)(Stopping()) is ExitCode.DONE


@pytest.mark.parametrize("command", ["record", "announce", "probe"])
def test_a_file_that_is_there_is_kept(tmp_path: Path, command: str) -> None:
    """It is told before anybody is called."""
    path = tmp_path / "d.jsonl"
    path.write_text("mine")
    words = ["--node", "http://127.0.0.1:9", "--stats-dump", str(path), "meet.alice"]
    done = pexrtc_here(command, *words, *(["tone:440"] if command == "announce" else []))
    assert done.code == ExitCode.USAGE
    assert error_lines(done) == [f"error: --stats-dump {path}: file exists"]
    assert path.read_text() == "mine"


@pytest.mark.slow
async def test_each_command_dumps_its_calls(tmp_path: Path) -> None:
    """A probe of two, an announcement and a recording: what they send and receive is in their files."""
    async with Node() as node:
        for command, more, streams in (
            ("probe", ["--pair", "--duration", "2", "--size", "320x180@15"], {"inbound-rtp", "outbound-rtp"}),
            ("announce", ["for:2:tone:440"], {"outbound-rtp"}),
            ("record", ["--duration", "2", "--no-sidecars", "-o", str(tmp_path / "talk.mkv")], set[str]()),
        ):
            path = tmp_path / f"{command}.jsonl"
            alias = ["meet.alice"]
            done = await pexrtc(command, "--node", node.url, "--stats-dump", str(path), *alias, *more)
            dump = read_dump(path.read_bytes())
            assert dump.of("setLocalDescription"), done.err
            kinds = {report["type"] for reports in dump.of("getStats") for report in reports.values()}
            assert kinds >= streams | {"transport", "candidate-pair", "codec"}
            assert len(dump.of("close")) == (2 if command == "probe" else 1)
