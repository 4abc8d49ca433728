"""A recorder whose media path is lost while the node can still be asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from pexrtc_py import Node
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.recorder.persistence import Remedy, StayRules
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import PeerConfig, PeerState
from tests.recorder.beacon import ALICE, beacon, job_of, read_marks
from tests.support.running_recorder import running
from tests.support.waiting import until


@pytest.mark.slow
@pytest.mark.parametrize(("version", "remedy"), [("37", Remedy.PATH), ("22", Remedy.CALL)])
async def test_it_takes_another_path_or_another_call(version: str, remedy: Remedy, tmp_path: Path) -> None:
    """By `update` where the node knows it, else by a new call under the same token; the hole is as long as it was."""
    path = tmp_path / "talk.mkv"
    async with Node(NodeConfig(version=version)) as node, beacon(node.url, ALICE):
        peer = PeerConfig(impairment=Impairment(), silence_s=2.2)
        async with running(job_of(node.url, path, peer=peer, stay=StayRules(silence_s=2.5))) as one:
            await one.played(0.6)
            assert one.conference is not None
            [call] = one.conference._calls
            call.peer.impair(Impairment(loss=1.0))
            await until(lambda: call.peer.state is PeerState.DISCONNECTED)
            await one.played(1.0)
            assert (one.conference._calls == [call]) is (remedy is Remedy.PATH)
            assert one.visits == 1
    assert one.recorded is not None
    [interruption] = one.recorded.interruptions
    assert interruption.remedy is remedy
    assert interruption.back_s is not None
    assert one.recorded.result.files == (path,)
    seen = await asyncio.to_thread(read_marks, path)
    assert seen.hole_errors
    assert all(abs(error) < 0.1 for error in seen.hole_errors)
    assert seen.unmarked == 0
