"""Hostile packets at the socket and after unprotect: a slice of what `tests/soak/test_engine_storm.py` throws."""

from __future__ import annotations

import random

from pexrtc_py.media.frames import Kind

from .storm import Attacked, storm_at_the_socket


async def test_a_call_goes_on_through_datagrams_of_strangers() -> None:
    """Noise, and what looks like STUN, DTLS, SRTP and SRTCP: each picture and each sound arrives, nothing grows."""
    storm = await storm_at_the_socket(100_000, 1, settle=20_000)
    assert storm.intact(Kind.AUDIO) >= 0.5 * 50 * storm.seconds
    assert storm.intact(Kind.VIDEO) >= 0.5 * 30 * storm.seconds
    assert storm.tasks <= 0
    assert storm.grown_mb < 3


def test_packets_of_no_stream_cost_the_call_nothing() -> None:
    """A peer's packets and reports about streams there are none of, well made or not: no frame is lost or late."""
    call = Attacked()
    call.storm(50_000, random.Random(1), own=False)
    assert {kind: tap.gaps for kind, tap in call.heard.items()} == {Kind.AUDIO: 0, Kind.VIDEO: 0}
    assert call.calm(1.0)[Kind.AUDIO] in (50, 51)
    assert len(call.heard[Kind.AUDIO].frames) == call.sent[Kind.AUDIO]
    assert len(call.heard[Kind.VIDEO].frames) == call.sent[Kind.VIDEO]
    assert call.heard[Kind.VIDEO].frames == list(dict.fromkeys(call.heard[Kind.VIDEO].frames))


def test_a_receiver_lives_on_after_its_own_stream_was_mangled() -> None:
    """Packets of the streams themselves, absurd in every field: when they end, sound and pictures come as before."""
    call = Attacked()
    call.storm(50_000, random.Random(2), own=True)
    returned, thrown_s = call.returned, 50_000 / 10_000
    assert returned < 20_000 * thrown_s  # it is not to be used to flood somebody
    call.calm(3.0)
    assert call.calm(2.0) == {Kind.AUDIO: 100, Kind.VIDEO: 60}
