"""The doctor finds the step that fails, says what was found, and what to do."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pexrtc_py.endpoint.conference import connect
from pexrtc_py.errors import (
    ConferenceNotFound,
    ExtensionRequired,
    IceFailed,
    NodeError,
    PinRequired,
    Throttled,
    UsageError,
)
from pexrtc_py.media.marks_source import ReferenceConfig
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.node.tls import self_signed_context
from pexrtc_py.probe.cures import cure_of
from pexrtc_py.probe.doctor import NODE_STEPS, STEPS, DoctorConfig, examine
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.rendering import nagios
from pexrtc_py.probe.result import Cause, ProbeResult
from pexrtc_py.protocol.models import ParticipantUuid
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import HttpConfig, Session, SessionConfig
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import PeerConfig

QUIET = DoctorConfig(media_s=0.5, wants_media=False, connect_s=3.0)


def end(url: str, alias: str = "meet.alice", *, insecure: bool = False, pin: str | None = None) -> EndConfig:
    session = SessionConfig(node_url=url, alias=alias, pin=pin, http=HttpConfig(insecure=insecure))
    return EndConfig(
        session=session, peer=PeerConfig(addresses=("127.0.0.1",)), reference=ReferenceConfig(width=320, height=180)
    )


def failed_at(result: ProbeResult, name: str) -> str:
    """Check that this step failed, those before passed and those after were not reached; return what it found."""
    assert [step.name for step in result.steps] == list(STEPS)
    place = STEPS.index(name)
    assert all(step.passed for step in result.steps[:place]), result.steps
    step = result.steps[place]
    assert step.passed is False
    assert step.cure
    assert [step.passed for step in result.steps[place + 1 :]] == [None] * (len(STEPS) - place - 1)
    assert not result.passed
    assert nagios(result)[0].startswith(f"PEXRTC CRITICAL - {name} failed")
    return step.detail


async def test_healthy_node_passes_every_step() -> None:
    """Each step is timed, and its figures are in the result."""
    async with Node(NodeConfig()) as node:
        result = await examine(end(node.url), QUIET)
    assert [step.passed for step in result.steps] == [True] * len(STEPS), result.steps
    assert result.passed
    by_name = {step.name: step for step in result.steps}
    assert by_name["DNS"].detail == "127.0.0.1"
    assert by_name["TLS"].detail == "not asked for: plain HTTP"
    assert by_name["ICE"].detail == "host to host"
    assert by_name["call"].detail == "audio opus, video VP8"
    measured = {series.metric for series in result.series}
    assert {"setup.dns_ms", "setup.tcp_ms", "setup.token_ms", "setup.ice_ms", "setup.dtls_ms"} <= measured


async def test_self_signed_certificate_is_told_from_the_node() -> None:
    """TLS fails when checked, and passes when asked not to check."""
    async with Node(NodeConfig(self_signed=True)) as node:
        detail = failed_at(await examine(end(node.url), QUIET), "TLS")
        trusting = await examine(end(node.url, insecure=True), QUIET)
    assert "self-signed" in detail
    assert trusting.passed, trusting.steps
    assert next(step for step in trusting.steps if step.name == "TLS").detail.startswith("TLSv1.3")


async def test_unknown_name() -> None:
    """A host that no resolver knows (RFC 2606 reserves .invalid)."""
    assert failed_at(await examine(end("https://node.invalid"), QUIET), "DNS")


async def test_nothing_listens() -> None:
    """A port that refuses."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        failed_at(await examine(end(f"http://127.0.0.1:{port}"), QUIET), "TCP")


@pytest.mark.parametrize("host", ["a..b", f"{'x' * 70}.example.com"])
async def test_a_name_that_no_resolver_can_be_asked_for(host: str) -> None:
    """Labels that are empty or longer than DNS has were a bug's traceback."""
    assert "label empty or too long" in failed_at(await examine(end(f"https://{host}"), QUIET), "DNS")


async def test_a_handshake_counts_when_the_node_does_not_say_goodbye() -> None:
    """A TLS that was agreed on was told as failed, five seconds later, by a proxy that does not answer close_notify."""
    over = threading.Event()

    def answer(listening: socket.socket) -> None:
        for _ in range(2):
            accepted, _ = listening.accept()
            with accepted:
                if not accepted.recv(1, socket.MSG_PEEK):
                    continue
                with self_signed_context("127.0.0.1").wrap_socket(accepted, server_side=True):
                    over.wait(20)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        served = asyncio.get_running_loop().run_in_executor(None, answer, listening)
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        alone = replace(QUIET, joins=False, connect_s=1.0)
        result = await examine(end(url, "", insecure=True), alone)
        over.set()
        await served
    assert [step.passed for step in result.steps] == [True, True, True, False], result.steps


async def test_wrong_pin_is_refused_at_joining() -> None:
    """The node's words are told."""
    conferences = {"meet.alice": RoomSettings(alias="meet.alice", pin="1234")}
    async with Node(NodeConfig(conferences=conferences)) as node:
        assert "request_token" in failed_at(await examine(end(node.url, pin="9999"), QUIET), "join")


@pytest.mark.parametrize(
    ("error", "step", "cure"),
    [
        (PinRequired("request_token", 403, guest_pin_required=True), "join", "--pin-file"),
        (ConferenceNotFound("request_token", 404, ""), "join", "no such alias"),
        (ExtensionRequired("request_token", 403, extension_type="standard"), "join", "--extension"),
        (Throttled("request_token", 429, ""), "join", "less often"),
        (NodeError("request_token", 503, ""), "join", "maintenance"),
        (IceFailed("no"), "ICE", "let UDP through"),
        (None, "DNS", "resolver"),
    ],
)
def test_each_failure_has_its_own_cure(error: Exception | None, step: str, cure: str) -> None:
    """What to do depends on why; relayed media needs another look than direct media."""
    assert cure in cure_of(step, error)
    assert "TURN server: its address" in cure_of("ICE", error, relayed=True)


async def test_a_port_without_tls_is_told_as_such() -> None:
    """https:// said of a plain HTTP server is no matter of certificates."""
    async with Node(NodeConfig()) as node:
        report = await examine(end(node.url.replace("http://", "https://")), QUIET)
    failed_at(report, "TLS")
    [cure] = [step.cure for step in report.steps if step.cure]
    assert "does not speak TLS: is it an http:// address" in cure


async def test_a_node_alone_is_asked_without_joining() -> None:
    """With its certificate's days, and its own word."""
    async with Node(NodeConfig(self_signed=True)) as node:
        result = await examine(end(node.url, "", insecure=True), replace(QUIET, joins=False))
        trusted = await examine(end(node.url, ""), replace(QUIET, joins=False))
    assert [step.name for step in result.steps] == list(NODE_STEPS)
    assert result.passed, result.steps
    assert "certificate ends in " in result.steps[2].detail
    assert result.steps[3].detail == "takes calls"
    assert "certificate of CN=" in trusted.steps[2].detail
    assert "self-signed" in trusted.steps[2].cure
    assert trusted.cause is Cause.UNREACHABLE


async def test_no_path_for_media() -> None:
    """Everything over UDP is lost: ICE fails within its time."""
    async with Node(NodeConfig()) as node:
        config = end(node.url)
        lost = replace(config.peer, impairment=Impairment(loss=1.0))
        detail = failed_at(await examine(replace(config, peer=lost, connect_timeout_s=1.0), QUIET), "ICE")
    assert "no media path within 1 s" in detail


async def test_connected_and_nothing_comes() -> None:
    """Alone in a conference, where media was expected."""
    async with Node(NodeConfig()) as node:
        detail = failed_at(await examine(end(node.url), replace(QUIET, wants_media=True)), "media")
    assert "after 0.5 s: no " in detail


@pytest.mark.parametrize("url", ["node.example.com", "https://node.example.com:99999", "https://[::1"])
async def test_a_url_that_is_none_is_refused(url: str) -> None:
    """Before anything is tried."""
    with pytest.raises(UsageError, match=rf"node '{re.escape(url)}': say https"):
        await examine(end(url), QUIET)


async def test_a_file_of_ours_is_no_matter_of_the_node(tmp_path: Path) -> None:
    """Certificates to trust that are not there were told as a certificate that the node should renew."""
    missing = HttpConfig(ca_file=tmp_path / "ca.pem")
    async with Node(NodeConfig(self_signed=True)) as node:
        config = end(node.url)
        config = replace(config, session=replace(config.session, http=missing))
        with pytest.raises(UsageError, match=str(tmp_path / "ca.pem")):
            await examine(config, QUIET)


async def test_who_is_removed_is_told_so() -> None:
    """Ten seconds later it was told that no media came, and to look at firewalls."""

    async def remove(url: str) -> None:
        async with connect(url, "meet.alice", display_name="Host") as host:
            await host.session.wait_for(lambda session: any(called(session)))
            await host.client.participant_disconnect(next(called(session=host.session)))

    def called(session: Session) -> Iterator[ParticipantUuid]:
        return (uuid for uuid, person in session.roster.participants.items() if person.has_media)

    async with Node(NodeConfig()) as node, asyncio.timeout(8):
        patient = replace(QUIET, wants_media=True, media_s=10.0)
        result, _ = await asyncio.gather(examine(end(node.url), patient), remove(node.url))
    [step] = [step for step in result.steps if step.passed is False]
    assert "no sound" not in step.detail, step
    assert "look who removes" in step.cure
    assert result.cause is Cause.REMOVED
