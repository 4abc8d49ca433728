"""Rounds: as often as asked, never two at once, ended by a stop; caps on everything that repeats."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import replace
from pathlib import Path

import certifi
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.attempts import MAX_PARTICIPANTS, Plan, PlanKind, attempt, each_node, spread
from pexrtc_py.probe.doctor import DoctorConfig
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.monitor import RepeatConfig, Round, repeat, run_together
from pexrtc_py.probe.result import Cause
from pexrtc_py.probe.running import RunConfig
from pexrtc_py.probe.thresholds import Threshold
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import HttpConfig, SessionConfig
from pexrtc_py.webrtc.peer import PeerConfig


def node_plan(url: str) -> Plan:
    """Return the quickest plan: look at a node without joining."""
    session = SessionConfig(node_url=url, alias="", display_name="Probe")
    return Plan(end=EndConfig(session=session), kind=PlanKind.JOIN, doctor=DoctorConfig(joins=False))


def single(url: str, alias: str = "meet.alice", *, pin: str | None = None, duration_s: float = 1.0) -> Plan:
    session = SessionConfig(node_url=url, alias=alias, display_name="Probe", pin=pin)
    end = EndConfig(session=session, peer=PeerConfig(addresses=("127.0.0.1",)), network_only=True)
    return Plan(end=end, run=RunConfig(duration_s=duration_s, media_timeout_s=0.5, wants_media=False))


@pytest.mark.parametrize(
    ("every", "count", "told"),
    [
        (1.0, None, "every 1 s: from 10 s to a week"),
        (1e9, None, "every 1e.09 s: from 10 s to a week"),
        (None, 0, "count 0: from 1 to 10000"),
        (None, 100_000, "count 100000: from 1 to 10000"),
        (None, None, "for ever needs an interval"),
    ],
)
def test_everything_that_repeats_is_capped(every: float | None, count: int | None, told: str) -> None:
    """One error that names the value."""
    with pytest.raises(UsageError, match=told):
        RepeatConfig(every_s=every, count=count)


def test_runs_must_fit_into_the_interval() -> None:
    """With a rest between them."""
    RepeatConfig(every_s=60, count=None).check_duration(55)
    with pytest.raises(UsageError, match="every 60 s: a run has 56 s of media, and needs 5 s to rest"):
        RepeatConfig(every_s=60, count=None).check_duration(56)


def test_participants_are_capped_and_told_apart() -> None:
    """Twenty licences at most; no two references overlap."""
    pair = replace(single("http://127.0.0.1:9"), kind=PlanKind.PAIR)
    pair = replace(pair, second=pair.end)
    plans = spread([pair] * (MAX_PARTICIPANTS // 2))
    assert len({plan.end.reference.first_id for plan in plans}) == len(plans)
    with pytest.raises(UsageError, match="22 participants at once: at most 20"):
        spread([pair] * (MAX_PARTICIPANTS // 2 + 1))


def test_each_node_of_a_record_is_gone_to_alone() -> None:
    """In their order, none with another to fall back to."""
    session = SessionConfig(node_url="https://a", fallback_urls=("https://b", "https://c"), alias="x")
    assert [(one.node_url, one.fallback_urls) for one in each_node(session)] == [
        ("https://a", ()),
        ("https://b", ()),
        ("https://c", ()),
    ]


async def test_rounds_are_counted_and_a_stop_ends_the_rest() -> None:
    """Two rounds follow each other; a stop ends the wait for a round that is minutes away."""
    rounds: list[Round] = []
    async with Node(NodeConfig()) as node:
        await repeat([node_plan(node.url)] * 2, RepeatConfig(count=2), rounds.append, stop=asyncio.Event())
        assert [(one.number, [result.passed for result in one.results]) for one in rounds] == [
            (1, [True, True]),
            (2, [True, True]),
        ]
        stop, begin = asyncio.Event(), time.monotonic()

        def on_round(found: Round) -> None:
            rounds.append(found)
            stop.set()

        await repeat([node_plan(node.url)], RepeatConfig(every_s=600, count=None), on_round, stop=stop)
    assert rounds[-1].number == 1
    assert time.monotonic() - begin < 10


async def test_what_cannot_be_used_any_more_is_a_result(tmp_path: Path) -> None:
    """A file of certificates that was away for a moment ended a monitor that had run for months."""
    certificates, rounds = tmp_path / "ca.pem", list[Round]()
    certificates.write_bytes(Path(certifi.where()).read_bytes())
    plan = single("https://127.0.0.1:9")  # where nobody listens
    session = replace(plan.end.session, http=HttpConfig(ca_file=certificates))
    plan = replace(plan, end=replace(plan.end, session=session))

    def on_round(found: Round) -> None:
        rounds.append(found)
        certificates.unlink(missing_ok=True)

    await repeat([plan], RepeatConfig(count=2), on_round, stop=asyncio.Event())
    assert [one.results[0].cause for one in rounds] == [Cause.UNREACHABLE, Cause.FAILED]
    assert str(certificates) in rounds[1].results[0].error
    with pytest.raises(UsageError, match=str(certificates)):
        await repeat([plan], RepeatConfig(count=1), on_round, stop=asyncio.Event())


async def test_what_cannot_begin_is_a_result() -> None:
    """A monitor goes on: nobody listening is unreachable, a wrong PIN refused; demanded thresholds are not measured."""
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        rooms = {"meet.alice": RoomSettings(alias="meet.alice", pin="1234")}
        async with Node(NodeConfig(conferences=rooms)) as node:
            wrong = single(node.url, pin="9999")
            wrong = replace(wrong, run=replace(wrong.run, thresholds=(Threshold.parse("video.fps < 1"),)))
            refused, lost = await run_together([wrong, single(gone)], stop=asyncio.Event())
    assert (refused.cause, lost.cause) == (Cause.REFUSED, Cause.UNREACHABLE)
    assert "9999" not in refused.error
    assert not refused.passed
    assert [reason.value for reason in refused.verdict.reasons] == [None]


@pytest.mark.slow
async def test_ten_look_at_packets_at_once() -> None:
    """Ten participants of one process in one conference: each has network figures, and decodes nothing."""
    async with Node(NodeConfig()) as node:
        plans = spread([single(node.url, duration_s=4.0) for _ in range(10)])
        results = await run_together(plans, stop=asyncio.Event())
    assert [result.error for result in results] == [""] * 10
    for result in results:
        measured = {series.metric for series in result.series}
        assert {"audio.rtt_ms", "audio.bitrate_bps", "video.sent_bitrate_bps", "setup.dtls_ms"} <= measured
        assert not measured & {"video.fps", "video.black_ratio", "audio.loudness_lufs"}
        assert "packets only: nothing was decoded" in result.assumptions


@pytest.mark.slow
async def test_a_stop_while_joining_ends_soon() -> None:
    """Joining does not listen to it; an attempt ends all the same, and says so."""
    async with asyncio.timeout(15):
        with socket.socket() as deaf:
            deaf.bind(("127.0.0.1", 0))
            deaf.listen()
            stop = asyncio.Event()
            asyncio.get_running_loop().call_later(0.1, stop.set)
            result = await attempt(single(f"http://127.0.0.1:{deaf.getsockname()[1]}"), stop=stop)
    assert result.error == "stopped before it had begun"
    assert result.cause is Cause.STOPPED
