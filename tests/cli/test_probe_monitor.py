"""`pexrtc probe` and `doctor` as processes that stay: their page over HTTP, a second round, Ctrl-C in each phase."""

from __future__ import annotations

import asyncio
import json
import re
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.faults import FaultKind
from pexrtc_py.node.server import Node

from ..support.commands import Outcome, error_lines, pexrtc, running

SOON_S = 6.0
"""What an end may take that was asked for while nothing was measured."""


def present(node: Node) -> list[str]:
    """Who is in any conference."""
    return [p.display_name for each in node.state.conferences.values() for p in each.room.participants.values()]


async def line_of(stream: asyncio.StreamReader | None) -> str:
    """Return the next line."""
    assert stream is not None
    return (await stream.readline()).decode()


@asynccontextmanager
async def deaf_node() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A port that takes connections and answers nothing; the event tells of the first request."""
    asked = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            if b"HTTP/1.1" in data:
                asked.set()
        writer.close()

    server = await asyncio.start_server(hear, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        server.close()


@pytest.mark.slow
async def test_a_monitor_is_read_over_http_round_after_round() -> None:
    """Metrics, status and health while it runs; the second round counts on; Ctrl-C between rounds ends it at once."""
    async with (
        asyncio.timeout(60),
        Node(NodeConfig()) as node,
        running(
            *("doctor", "--node", node.url, "meet.a", "--alone", "--every", "10s", "--json", "--metrics", "0"),
        ) as process,
        httpx.AsyncClient() as http,
    ):
        told = ""
        while (found := re.search(r"metrics at (http://127\.0\.0\.1:\d+)/metrics", told)) is None:
            told = await line_of(process.stderr)
            assert told, "ended"
        url = found[1]
        assert (await http.get(f"{url}/healthz")).text == "ok\n"
        for count in (1, 2):
            assert json.loads(await line_of(process.stdout))["kind"] == "join"
            page = await http.get(f"{url}/metrics")
            assert page.headers["content-type"] == "text/plain; version=0.0.4"
            run = f'kind="join",node="{node.url}",outcome="passed",target="meet.a"'
            assert f"pexrtc_probe_runs_total{{{run}}} {count}.0" in page.text
            assert 'pexrtc_probe_step_passed{kind="join"' in page.text
            assert 'quantile="0.95"' in page.text
            status = (await http.get(f"{url}/status")).json()
            assert (status["runs"], status["failed"]) == (count, 0)
            assert not present(node)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(SOON_S):
            rest, err = await process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED, err
    summary = json.loads(rest.decode().splitlines()[-1])
    assert (summary["schema"], summary["runs"]) == ("pexrtc.probe.summary/1", 2)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("probe", "--pair"), ("probe", "--alone"), ("doctor",)])
async def test_ctrl_c_while_joining(command: tuple[str, ...]) -> None:
    """It waited eight seconds, and said unreachable: nothing was measured, so it ends at once and says 130."""
    async with (
        deaf_node() as (url, asked),
        running(*command, "--node", url, "meet.a", "--json") as process,
        asyncio.timeout(30),
    ):
        await asked.wait()
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(SOON_S):
            out, err = await process.communicate()
    assert process.returncode == ExitCode.INTERRUPTED, err
    result = json.loads(out)
    assert (result["error"], result["cause"]) == ("stopped before it had begun", "stopped")


async def interrupted_while_measuring(threshold: str) -> Outcome:
    """Press Ctrl-C once pictures are measured; nobody is left in the conference."""
    async with (
        asyncio.timeout(60),
        Node(NodeConfig()) as node,
        running(
            *("probe", "--pair", "--jsonl", "--duration", "60", "--size", "320x180", "--node", node.url),
            *("--fail-if", threshold, "meet.a"),
        ) as process,
    ):
        while json.loads(await line_of(process.stdout))["metric"] != "video.psnr_db":
            pass
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
        assert not present(node)
    assert process.returncode is not None
    return Outcome(code=process.returncode, out=out.decode(), err=err.decode())


@pytest.mark.slow
async def test_ctrl_c_while_measuring() -> None:
    """The result so far, in time, and both have left the conference."""
    outcome = await interrupted_while_measuring("video.psnr_db < 10")
    assert outcome.code == ExitCode.INTERRUPTED, outcome.err
    result = json.loads(outcome.out.splitlines()[-1])
    assert result.get("error", "") == ""
    assert result["duration_s"] < 50
    assert {reason["outcome"] for reason in result["verdict"]["reasons"]} == {"passed"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("threshold", "code"),
    [
        ("video.psnr_db < 10 after 60s", ExitCode.INTERRUPTED),
        ("setup.first_picture_ms > 60s", ExitCode.INTERRUPTED),
        ("setup.first_picture_ms > 0", ExitCode.THRESHOLD_MISSED),
    ],
)
async def test_ctrl_c_in_the_first_seconds_of_measuring(threshold: str, code: ExitCode) -> None:
    """Before the grace time is over nothing can have been missed but what was: that alone is 1, the rest 130."""
    outcome = await interrupted_while_measuring(threshold)
    assert outcome.code == code, outcome.err


FOUND = {
    FaultKind.DROP: ("join", ExitCode.UNREACHABLE),
    FaultKind.LOSE_ANSWER: ("join", ExitCode.UNREACHABLE),
    FaultKind.STATUS: ("join", ExitCode.UNREACHABLE),
    FaultKind.NONSENSE: ("join", ExitCode.UNREACHABLE),
}
"""The step that fails, and how the doctor ends."""


@asynccontextmanager
async def faulty_node() -> AsyncIterator[tuple[str, httpx.AsyncClient]]:
    """Our node as a process of its own, and the door by which it is asked to fail."""
    async with running("node", "--listen", "127.0.0.1:0", "--faults", "--quiet") as process:
        url = (await line_of(process.stdout)).strip()
        door = re.fullmatch(r"faults (\S+) token (\S+)\n", await line_of(process.stdout))
        assert door is not None
        async with httpx.AsyncClient(base_url=door[1], headers={"token": door[2]}) as http:
            yield url, http
        process.terminate()
        await process.communicate()


async def ask(door: httpx.AsyncClient, path: str, **what: object) -> None:
    """Ask for a fault."""
    (await door.post(path, json=what)).raise_for_status()


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_faults_of_a_node_are_found() -> None:
    """Each alone: the doctor's step that it strikes is red and no step before it, and a late answer is that late."""
    async with faulty_node() as (url, door):
        for kind, (step, code) in FOUND.items():
            await ask(door, "/faults", kind=kind, operation="request_token", times=None)
            done = await pexrtc("doctor", "--node", url, "meet.a", "--alone", "--json")
            (await door.delete("/faults")).raise_for_status()
            result = json.loads(done.out)
            failed = [each["name"] for each in result["steps"] if each["passed"] is False]
            assert (failed, done.code) == ([step], code), (kind, done.err)
            assert all(each.get("cure") for each in result["steps"] if each["passed"] is False)
            assert error_lines(done) == []
        await ask(door, "/faults", kind=FaultKind.STATUS, operation="participant_calls", times=None)
        done = await pexrtc("doctor", "--node", url, "meet.a", "--alone", "--json")
        await door.delete("/faults")
        assert [each["name"] for each in json.loads(done.out)["steps"] if each["passed"] is False] == ["call"]
        await ask(door, "/faults", kind=FaultKind.DELAY, operation="request_token", delay_s=1.5)
        done = await pexrtc(
            "doctor", "--node", url, "meet.a", "--alone", "--json", "--fail-if", "setup.token_ms > 1000"
        )
        assert done.code == ExitCode.THRESHOLD_MISSED, done.err
        (join,) = [each for each in json.loads(done.out)["steps"] if each["name"] == "join"]
        assert 1500 <= join["milliseconds"] < 5000


@pytest.mark.slow
@pytest.mark.timeout(120)
async def test_what_happens_to_a_run_is_found() -> None:
    """Media that stalls is silence, a freeze and lost chirps; a token that ends is the end of the run, and said so."""
    arguments = ("probe", "--pair", "--jsonl", "--size", "320x180", "--quiet")
    async with faulty_node() as (url, door):
        async with running(
            *(*arguments, "--duration", "12", "--node", url, "meet.a"),
            *(
                "--fail-if",
                "audio.chirps_lost[Probe → Probe 2] > 0",
                "--fail-if",
                "video.frames_lost[Probe → Probe 2] > 20",
            ),
        ) as process:
            while json.loads(await line_of(process.stdout))["metric"] != "video.psnr_db":
                pass
            await ask(door, "/stop_media", participant="Probe")
            out, err = await process.communicate()
        assert process.returncode == ExitCode.THRESHOLD_MISSED, err
        reasons = json.loads(out.decode().splitlines()[-1])["verdict"]["reasons"]
        assert "audio.chirps_lost" in {reason["metric"] for reason in reasons if reason["outcome"] == "failed"}
        async with running(*arguments, "--duration", "60", "--node", url, "meet.b") as process:
            while json.loads(await line_of(process.stdout))["metric"] != "video.psnr_db":
                pass
            await ask(door, "/expire_token", participant="Probe")
            out, err = await process.communicate()
    assert process.returncode == ExitCode.REMOVED, err
    result = json.loads(out.decode().splitlines()[-1])
    assert result["cause"] == "removed"
    assert result["error"].startswith("Probe: ")
