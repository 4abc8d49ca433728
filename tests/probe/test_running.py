"""Runs against our own node: real sockets, rooms and codecs, on a good network and on a bad one."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.errors import UsageError
from pexrtc_py.media.marks_source import ReferenceConfig
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.result import Cause, ProbeResult, parse_result, serialize_result
from pexrtc_py.probe.running import RunConfig, probe_pair, probe_single
from pexrtc_py.probe.thresholds import Outcome, Threshold, profile
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from pexrtc_py.signalling import SessionConfig, open_session
from pexrtc_py.tasks import task_owner
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import PeerConfig

from ..support.unhurried import unhurried

SMALL = ReferenceConfig(width=320, height=180)


def end(node: Node, name: str, impairment: Impairment | None = None) -> EndConfig:
    session = SessionConfig(node_url=node.url, alias="meet.alice", display_name=name, call_tag=BOT_TAG)
    peer = PeerConfig(addresses=("127.0.0.1",), impairment=impairment)
    return EndConfig(session=session, peer=peer, reference=SMALL)


def values(result: ProbeResult, metric: str, stream: str) -> list[float]:
    return [v for s in result.series if (s.metric, s.stream) == (metric, stream) for v in s.values]


def middle(measured: list[float]) -> float:
    return sorted(measured)[len(measured) // 2]


async def test_pair_measures_both_directions(node: Node) -> None:
    """On loopback both directions have all marks, delay, skew, quality, speech score and join phases."""
    limits = ["video.unread_ratio > 5%", "video.psnr_db < 25", "audio.loss_ratio > 1%", "video.black_ratio > 0"]
    config = RunConfig(duration_s=4, thresholds=tuple(Threshold.parse(text) for text in limits))
    told: list[str] = []
    result = await unhurried(
        lambda: probe_pair(
            end(node, "Ann"),
            end(node, "Bob"),
            config,
            on_sample=lambda time, metric, stream, value: told.append(metric),
        )
    )
    assert result.error == ""
    assert result.passed, result.verdict.failures
    assert {series.stream for series in result.series} == {"Ann → Bob", "Bob → Ann"}
    for stream in ("Ann → Bob", "Bob → Ann"):
        assert middle(values(result, "video.fps", stream)) > 20
        assert 0 <= middle(values(result, "video.packet_delay_ms", stream)) < 150
        assert 6 < middle(values(result, "audio.packet_delay_ms", stream)) < 400
        assert abs(middle(values(result, "av.skew_ms", stream))) < 200
        assert middle(values(result, "audio.mos", stream)) > 4
        for phase in ("token", "answer", "dtls", "first_picture", "first_sound"):
            assert 0 < values(result, f"setup.{phase}_ms", stream)[0] < 15_000
    assert "video.fps" in told
    assert parse_result(serialize_result(result)) == result


@pytest.mark.slow
async def test_injected_delay_and_blackout_are_found(node: Node) -> None:
    """Bob's network has 100 ms each way and fails for 700 ms: his pictures are that late and freeze, once."""
    bad = Impairment(delay_s=0.1, blackouts=((4.0, 0.7),))
    limits = (Threshold.parse("video.longest_freeze_ms > 500"), Threshold.parse("video.longest_freeze_ms > 20s"))
    config = RunConfig(duration_s=7, thresholds=limits, media_timeout_s=8)
    result = await unhurried(lambda: probe_pair(end(node, "Ann"), end(node, "Bob", bad), config))
    assert result.error == ""
    assert 100 <= middle(values(result, "video.packet_delay_ms", "Ann → Bob")) < 200
    assert 100 <= middle(values(result, "video.packet_delay_ms", "Bob → Ann")) < 200
    assert max(values(result, "video.longest_freeze_ms", "Ann → Bob")) >= 600
    assert any("freeze of" in moment.what for moment in result.moments)
    assert [reason.outcome for reason in result.verdict.reasons] == [Outcome.FAILED, Outcome.PASSED]
    assert not result.passed


@pytest.mark.slow
async def test_loss_on_the_way_out_is_of_that_direction(node: Node) -> None:
    """Bob's network loses a tenth each way: the far end reports it for what Bob sends, we count it for what he gets."""
    lossy = end(node, "Bob", Impairment(loss=0.1, seed=3))
    config = RunConfig(duration_s=6, media_timeout_s=8)
    result = await unhurried(lambda: probe_pair(end(node, "Ann"), lossy, config))
    assert result.error == ""
    got, reported = (values(result, "audio.loss_ratio", s) for s in ("Ann → Bob", "Bob → Ann"))
    assert 0.04 < sum(got) / len(got) < 0.2
    assert sum(reported) / len(reported) < 0.02  # the node mixes: what it lost from Bob it does not lose to Ann
    assert max(values(result, "audio.sent_loss_ratio", "Bob → Ann")) > 0.03
    assert max(values(result, "audio.sent_loss_ratio", "Ann → Bob")) < 0.02


@pytest.mark.slow
async def test_control_is_timed_at_the_other_participant(node: Node) -> None:
    """Roster, mute, chat, layout and presentation: each known to the other within two seconds, and undone."""
    config = RunConfig(duration_s=2, control=True, layout=True, media_timeout_s=5)
    result = await unhurried(lambda: probe_pair(end(node, "Ann"), end(node, "Bob"), config))
    assert result.error == ""
    for what in ("roster", "mute", "chat", "layout", "presentation", "dtmf"):
        (took,) = values(result, f"control.{what}_ms", "Ann → Bob") or [float("nan")]
        assert 0 < took < 2000, (what, took, result.moments)
    assert 0 < values(result, "setup.presentation_receive_ms", "Ann → Bob")[0] < 5000
    assert values(result, "audio.digits_missed", "Ann → Bob") == [0]
    assert sum(values(result, "audio.chirps_lost", "Ann → Bob")) == 0  # its own mute is no fault


@pytest.mark.slow
async def test_echo_of_a_test_call_is_measured_there_and_back() -> None:
    """Alone in a test call service, one's own frames come back: full reference with one participant."""
    conferences = {"test": RoomSettings(service_type=ServiceKind.TEST_CALL)}
    async with Node(NodeConfig(conferences=conferences)) as node:
        alone = end(node, "Ann")
        alone = replace(alone, session=replace(alone.session, alias="test"))
        result = await unhurried(lambda: probe_single(alone, RunConfig(duration_s=5), echo=True))
    assert result.error == ""
    delay = middle(values(result, "video.packet_delay_ms", "Ann"))
    assert delay > 100
    assert middle(values(result, "audio.packet_delay_ms", "Ann")) == pytest.approx(delay, abs=300)
    assert sum(values(result, "video.frames_lost", "Ann")) <= 3
    assert result.assumptions[0] == "delays are there and back: the far end echoes"


@pytest.mark.slow
@pytest.mark.parametrize("network_only", [False, True])
async def test_a_pair_that_receives_nothing_has_failed(node: Node, *, network_only: bool) -> None:
    """Each in a conference of its own, silent and dark: nothing was measured, and so every profile passed."""
    first, second = (replace(end(node, name), network_only=network_only) for name in ("Ann", "Bob"))
    second = replace(second, session=replace(second.session, alias="meet.bob"))
    config = RunConfig(duration_s=1, thresholds=profile("default"), media_timeout_s=1, wants_media=False)
    result = await probe_pair(first, second, config)
    assert not result.passed
    assert result.error.startswith("Bob → Ann: no picture, Ann → Bob: no picture within ")
    assert result.cause is Cause.UNREACHABLE


async def test_one_that_receives_nothing_has_failed(node: Node) -> None:
    """Unless it says that it is alone: nothing was measured, and so it passed."""
    config = RunConfig(duration_s=1, thresholds=profile("reachability"), media_timeout_s=1)
    result = await probe_single(end(node, "Ann"), config)
    assert not result.passed
    assert result.error.startswith("Ann: no picture within ")


@pytest.mark.slow
async def test_sound_lost_after_a_while_fails(node: Node) -> None:
    """A Host mutes both after some seconds: no chirp was missed after the last one heard, and the run passed."""
    session = SessionConfig(node_url=node.url, alias="meet.alice", display_name="Host")
    loop = asyncio.get_running_loop()

    async def run() -> ProbeResult:
        enough = asyncio.Event()
        heard: list[float] = []

        def on_sample(moment: float, metric: str, stream: str, value: float) -> None:
            if metric == "audio.delay_ms" and stream == "Ann → Bob":
                heard.append(moment)
                if len(heard) == 3:
                    loop.call_soon_threadsafe(enough.set)

        async def mute() -> None:
            async with open_session(session) as host:
                await enough.wait()
                for uuid, participant in list(host.roster.participants.items()):
                    if participant.display_name != "Host":
                        await host.client.participant_mute(uuid)
                await asyncio.Event().wait()

        config = RunConfig(duration_s=16, thresholds=profile("reachability"))
        async with task_owner() as tasks:
            tasks.start(mute(), name="host")
            return await probe_pair(end(node, "Ann"), end(node, "Bob"), config, on_sample=on_sample)

    result = await unhurried(run)
    assert result.error == ""
    assert [reason.metric for reason in result.verdict.failures] == ["audio.chirps_lost"]
    assert sum(values(result, "audio.chirps_lost", "Ann → Bob")) > 8


@pytest.mark.slow
async def test_single_alone_in_a_room_has_nothing_to_see(node: Node) -> None:
    """The set-up is measured; a threshold on what did not come is missed."""
    thresholds = (Threshold.parse("video.psnr_db < 20"),)
    config = RunConfig(duration_s=1, thresholds=thresholds, media_timeout_s=1, wants_media=False)
    result = await probe_single(end(node, "Ann"), config)
    assert result.error == ""
    assert values(result, "setup.dtls_ms", "Ann")[0] > 0
    assert values(result, "video.sent_bitrate_bps", "Ann")
    assert [reason.outcome for reason in result.verdict.reasons] == [Outcome.UNMEASURED]
    assert not result.passed


async def test_stop_ends_a_run_early_and_well(node: Node) -> None:
    """Ctrl-C at a monitor gives the result so far."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(2.0, stop.set)
    result = await probe_single(
        end(node, "Ann"), RunConfig(duration_s=600, media_timeout_s=0.1, wants_media=False), stop=stop
    )
    assert result.error == ""
    assert result.duration_s < 60


@pytest.mark.slow
async def test_who_is_stopped_before_the_grace_time_is_over_has_not_failed(node: Node) -> None:
    """Ctrl-C in the first five seconds of measuring was a threshold that had been missed, and exit code 1."""
    stop = asyncio.Event()
    config = RunConfig(duration_s=600, media_timeout_s=0.1, wants_media=False)
    late = replace(config, thresholds=(Threshold.parse("audio.level_dbfs > 0 after 60s"),))

    def on_sample(time: float, metric: str, stream: str, value: float) -> None:
        if metric == "audio.rtt_ms":
            stop.set()

    result = await probe_single(end(node, "Ann"), late, stop=stop, on_sample=on_sample)
    assert result.error == "stopped before it was measured: audio.level_dbfs > 0 after 60s"
    assert result.cause is Cause.STOPPED
    missed = replace(config, thresholds=(*late.thresholds, Threshold.parse("audio.rtt_ms >= 0")))
    stop.clear()
    result = await probe_single(end(node, "Ann"), missed, stop=stop, on_sample=on_sample)
    assert (result.error, result.passed) == ("", False)


@pytest.mark.parametrize("duration", [0, -1, 1e9])
def test_runs_have_a_cap(duration: float) -> None:
    """Nothing repeats or lasts without limit."""
    with pytest.raises(UsageError, match="from 1 s to a day"):
        RunConfig(duration_s=duration)
