"""`pexrtc node`: its options reach the node; what is none is told before it listens."""

from __future__ import annotations

import socket
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.protocol.models import CallKind, CallRequest
from pexrtc_py.signalling import SessionConfig, open_session

from ..support.commands import error_lines, pexrtc_here, start


async def test_options_reach_the_node(tmp_path: Path) -> None:
    """RTMP publishers are waited for on the ports given, and media is relayed when that was asked for."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "node.toml"
    config.write_text('[[turn]]\nurls = ["turn:127.0.0.1:3478"]\nusername = "u"\ncredential = "c"\n')
    process = await start(
        "node", "--listen", "127.0.0.1:0", "--config", str(config), "--rtmp-ports", f"{port}-{port}", "--relay-only"
    )
    try:
        assert process.stdout is not None
        url = (await process.stdout.readline()).decode().strip()
        async with open_session(SessionConfig(node_url=url, alias="meet.alice")) as session:
            assert session.token_result.use_relay_candidates_only is True
            request = CallRequest(call_type=CallKind.RTMP, bandwidth=576)
            call = await session.client.participant_calls(session.participant_uuid, request)
            assert urlsplit(str(call.url)).port == port
    finally:
        process.terminate()
        await process.communicate()


async def test_the_command_to_try_works_with_its_certificate() -> None:
    """Nobody trusts a certificate made for this run, and the command it suggests says so."""
    process = await start("node", "--listen", "127.0.0.1:0", "--self-signed")
    assert process.stderr is not None
    try:
        said = [(await process.stderr.readline()).decode() for _ in range(2)]
        assert " --insecure meet.alice FILE" in said[1]
    finally:
        process.terminate()
        await process.communicate()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--rtmp-ports", "80-90"), "--rtmp-ports 80-90: say FIRST-LAST, between 1024 and 65535"),
        (("--relay-only",), "relayed media only, and no TURN server: nobody could be heard"),
    ],
)
def test_what_cannot_be(arguments: tuple[str, ...], told: str) -> None:
    """Options that make no sense are a usage error."""
    outcome = pexrtc_here("node", "--listen", "127.0.0.1:0", *arguments)
    assert outcome.code == ExitCode.USAGE
    assert error_lines(outcome) == [f"error: {told}"]
