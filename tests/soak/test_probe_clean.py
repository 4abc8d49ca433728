"""A hundred short runs on a good network: none may fail, whatever else the machine does.

    pytest -s tests/soak/test_probe_clean.py

The node is one process for all runs, and two monitors (`PROBE_AT_ONCE`) measure side by side, each a process that is
started once and goes on, in a conference of its own: on two idle cores about eight minutes. A run for which the machine
was too slow says nothing, and is made again after all others, three times in all; one that never had the machine it
needs fails the soak too, but by that name.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter

import msgspec
import pytest

from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.result import ProbeResult

from ..support.commands import start
from ..support.unhurried import TRIES

RUNS = int(os.environ.get("PROBE_RUNS", "100"))
AT_ONCE = int(os.environ.get("PROBE_AT_ONCE", "2"))
SECONDS = 7
"""The default profile passes over the first five."""


def tell(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def monitor(node_url: str, alias: str, count: int) -> list[ProbeResult]:
    """Let one process measure so many times; return its results."""
    process = await start(
        *("probe", "--pair", "--json", "--quiet", "--node", node_url, "--size", "320x180", "--duration", str(SECONDS)),
        *("--count", str(count), "--media-address", "127.0.0.1", alias),
    )
    assert process.stdout is not None
    results = []
    try:
        while line := await process.stdout.readline():
            if b'"schema":"pexrtc.probe/1"' not in line:
                continue  # the summary
            result = msgspec.json.decode(line, type=ProbeResult)
            results.append(result)
            state = "too slow" if result.caveats else "passed" if result.passed else "FAILED"
            reasons = [f"{reason.threshold}: {reason.value}" for reason in result.verdict.failures]
            if state != "passed":
                tell(f"{alias} {len(results)}: {state} {result.error} {reasons} {result.caveats}")
    finally:
        if process.returncode is None:
            process.terminate()
        await process.communicate()
    return results


@pytest.mark.timeout(3 * 3600)
async def test_a_hundred_clean_runs_have_no_failed_verdict() -> None:
    """A pair through the node, one run after the other, at 320x180: no failure, no error, nothing unmeasured."""
    failures: Counter[str] = Counter()
    began, left, clean, slow = asyncio.get_running_loop().time(), RUNS, 0, 0
    async with Node(NodeConfig(request_burst=100_000, requests_per_s=10_000)) as node:
        for _ in range(TRIES):
            shares = [left // AT_ONCE + (place < left % AT_ONCE) for place in range(AT_ONCE)]
            found = await asyncio.gather(
                *(monitor(node.url, f"clean.{place}", share) for place, share in enumerate(shares) if share)
            )
            results = [result for each in found for result in each]
            assert len(results) == left
            measured = [result for result in results if not result.caveats]
            for result in measured:
                failures.update(reason.threshold for reason in result.verdict.failures)
                failures.update([result.error] if result.error else [])
            clean += sum(result.passed for result in measured)
            left -= len(measured)
            slow += left
            if not left:
                break
    took = asyncio.get_running_loop().time() - began
    tell(f"{RUNS} runs in {took:.0f} s: {clean} passed, {slow} made again, {left} never measured: {dict(failures)}")
    assert not failures
    assert not left, (
        f"this machine was too slow for {left} of {RUNS} runs, {TRIES} times each: give it to the soak alone"
    )
    assert clean == RUNS
