"""Datagrams that a slow machine lost for want of room in its sockets: the result and the manifest tell."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path

from pexrtc_py import Node
from tests.recorder.beacon import ALICE, beacon, job_of
from tests.support.running_recorder import running


async def test_overflow_is_told(tmp_path: Path) -> None:
    """More than a socket holds comes between two turns of the loop: what was lost is counted."""
    async with Node() as node, beacon(node.url, ALICE):
        job = replace(job_of(node.url, tmp_path / "talk.mkv"), sidecars=True)
        async with running(job) as recorder:
            await recorder.played(0.3)
            assert recorder.conference is not None
            (call,) = recorder.conference._calls
            (protocol,) = call.peer._transport._ice.protocols
            local = protocol.local_candidate
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                for _ in range(5000):
                    stranger.sendto(b"\xff" * 1000, (local.host, local.port))
            lost = call.peer.datagrams_overflowed
            assert lost > 0
            await recorder.played(0.3)
        assert recorder.recorded is not None
        result = recorder.recorded.result
        assert result.datagrams_overflowed >= lost
        manifest = json.loads((tmp_path / "talk.manifest.json").read_text())
        assert manifest["quality"]["datagrams_overflowed"] == result.datagrams_overflowed
