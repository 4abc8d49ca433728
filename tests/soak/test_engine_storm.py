"""A million hostile datagrams at the socket, nine million hostile packets after unprotect: a receiver neither dies nor
grows."""

from __future__ import annotations

import gc
import os
import random
import time

import pytest

from pexrtc_py.media.frames import Kind

from ..webrtc.storm import Attacked, memory_mb, storm_at_the_socket

SCALE = float(os.environ.get("SOAK_SCALE", "1"))
GROWTH_MB = 4.0
"""What the allocator may keep more of at the end than after the first tenth."""


@pytest.mark.timeout(1800)
async def test_a_million_datagrams_at_the_socket() -> None:
    """The call that goes on meanwhile has all its pictures and all its sound, in order."""
    count = int(1_000_000 * SCALE)
    storm = await storm_at_the_socket(count, 7, settle=count // 10)
    sound, pictures = storm.intact(Kind.AUDIO), storm.intact(Kind.VIDEO)
    print(
        f"\n{count} datagrams in {storm.seconds:.0f} s: {sound} packets of sound and {pictures} pictures intact, "
        f"memory +{storm.grown_mb:.2f} MB after the first tenth, tasks +{storm.tasks}"
    )
    assert sound >= 0.8 * 50 * storm.seconds
    assert pictures >= 0.8 * 30 * storm.seconds
    assert storm.tasks <= 0
    assert storm.grown_mb < GROWTH_MB


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("own", "count"), [(False, 4_500_000), (True, 4_500_000)])
def test_nine_million_packets_after_unprotect(*, own: bool, count: int) -> None:
    """Of streams there are none of: nothing is lost. Of the very streams: they are as before when it is over."""
    count = int(count * SCALE)
    call = Attacked(keep=False)
    dice = random.Random(11 + own)
    began = time.monotonic()
    call.storm(count // 10, dice, own=own)
    gc.collect()
    before, returned = memory_mb(), call.returned
    call.storm(count - count // 10, dice, own=own)
    gc.collect()
    grown, returned = memory_mb() - before, call.returned - returned
    gaps = sum(tap.gaps for tap in call.heard.values())
    call.calm(3.0)
    after = call.calm(2.0)
    print(
        f"\n{count} packets {'of the streams' if own else 'of none'} in {time.monotonic() - began:.0f} s "
        f"({count / 10_000:.0f} s of the call): memory +{grown:.2f} MB, {gaps} gaps, "
        f"{returned / (0.9 * count / 10_000):.0f} bytes a second returned, afterwards {after} in 2 s"
    )
    assert after == {Kind.AUDIO: 100, Kind.VIDEO: 60}
    assert grown < GROWTH_MB
    assert returned < 20_000 * count / 10_000
    if not own:
        assert gaps == 0
        assert {kind: tap.count for kind, tap in call.heard.items()} == call.sent
