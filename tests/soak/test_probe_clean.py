"""A hundred short runs on a good network: none may fail, whatever else the machine does."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.media.marks_source import ReferenceConfig
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.ends import EndConfig
from pexrtc_py.probe.running import RunConfig, probe_pair
from pexrtc_py.probe.thresholds import profile
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.peer import PeerConfig

RUNS = int(os.environ.get("PROBE_RUNS", "100"))
SECONDS = 7.0
"""The default profile passes over the first five."""


@pytest.mark.timeout(3600)
async def test_a_hundred_clean_runs_have_no_failed_verdict() -> None:
    """A pair through the node, one run after the other, at 640x360: no failure, no error, nothing unmeasured."""
    failures: Counter[str] = Counter()
    bad, slow = 0, 0
    async with Node(NodeConfig(request_burst=100_000, requests_per_s=10_000)) as node:
        for number in range(RUNS):
            first, second = (
                EndConfig(
                    session=SessionConfig(
                        node_url=node.url, alias=f"clean.{number}", display_name=name, call_tag=BOT_TAG
                    ),
                    peer=PeerConfig(addresses=("127.0.0.1",)),
                    reference=ReferenceConfig(width=640, height=360),
                )
                for name in ("Ann", "Bob")
            )
            result = await probe_pair(first, second, RunConfig(duration_s=SECONDS, thresholds=profile("default")))
            slow += bool(result.caveats)
            if result.passed:
                continue
            bad += 1
            reasons = [f"{reason.threshold}: {reason.value}" for reason in result.verdict.failures]
            print(f"run {number}: {result.error} {reasons} {result.caveats}")
            failures.update(reason.threshold for reason in result.verdict.failures)
            failures.update([result.error] if result.error else [])
    print(f"{RUNS} runs, {bad} failed, {slow} on a machine too slow: {dict(failures)}")
    assert not slow, f"this machine was too slow in {slow} of {RUNS} runs: give it to the soak alone"
    assert not failures
