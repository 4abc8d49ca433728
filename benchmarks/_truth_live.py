"""The live half of `make bench truth`: known faults through a node, in real time.

The node is a process of its own. What is sent was encoded before, small, and each run sends and decodes only what its
rows need: less than a core in all. Delay is that of a listener with a slow network less that of one beside it without:
both are sent the same mix and the same pictures, so what the node itself takes, and changes in the middle of a run, is
none of it. On the way into the node sound has no such row: a mix is made each 20 ms, and is late by whole ones.

Who was late by itself cannot measure: then a run is made again, `TRIES` times in all, and after that is too slow,
whatever it has measured.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace

import numpy as np

from pexrtc_py.media.encoding import FRAME_SAMPLES
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.faults import FaultKind, FaultRule
from pexrtc_py.node.server import Node
from pexrtc_py.probe.ends import open_end
from pexrtc_py.webrtc.impairment import Impairment
from tests.support.injection import FPS

from ._truth_call import Call, Script, called, end, listen_for, samples, within
from ._truth_rows import EXACT, Row, State

__all__ = ["GROUPS", "TRIES", "live_rows"]

TRIES = 3
"""Runs at most until the machine was fast enough for one."""
DELAYS_MS = (0, 20, 100, 250, 500)
SKEWS_MS = (-200, -50, 50, 200)
_SETTLE_S = 4.0
"""A composed picture begins small and is searched for marks; the mix's queues fill."""
_FAST_MS = 45.0
"""What loops may be late by in a usual second where times are stamped, or counts of frames; so in a probe's verdict."""
_FASTER_MS = 5.0
"""What the loops may be late by in a usual second for a median of delays to be the network's."""

Measured = tuple[list[Row], str]
"""Rows, and why the machine was too slow for them; empty when it was not."""


_VIDEO_DELAYS = {"video.packet_delay_ms": 5.0, "video.delay_ms": 5.0}
_AUDIO_DELAYS = {"audio.packet_delay_ms": 2.0, "audio.delay_ms": 2.0}
"""Metrics, and within what they are to be right."""


async def delays(shown: str, metrics: Mapping[str, float], step_s: float) -> Measured:
    """One listener's network gets slower step by step, the other's does not.

    Sound by itself: it is the same mix in every layout, and decoding large pictures beside it costs milliseconds.
    """
    seconds = _SETTLE_S + sum(step_s + 1.5 + delay / 1000 for delay in DELAYS_MS) + 2
    spans: dict[int, tuple[float, float]] = {}
    script = Script(seconds=seconds) if metrics is _VIDEO_DELAYS else Script(seconds=seconds, shown=None)
    async with called(shown, script, Impairment(), None) as call:
        await listen_for(call, _SETTLE_S)
        for delay in DELAYS_MS:
            call.ears[0].call.peer.impair(Impairment(delay_s=delay / 1000))
            await listen_for(call, 1.5 + delay / 1000)
            begin = call.now
            await listen_for(call, step_s)
            spans[delay] = (begin, call.now)
    slow, beside = call.books
    rows = [
        Row(
            what=f"live, {shown}: {metric}",
            injected=delay,
            measured=within(slow, metric, span) - within(beside, metric, span),
            unit="ms",
            bound=bound,
        )
        for metric, bound in metrics.items()
        for delay, span in spans.items()
    ]
    return rows, call.slowness(_FASTER_MS)


async def delays_into(step_s: float) -> Measured:
    """The sender's network gets slower; less what it was at first. Pictures are forwarded when they come."""
    seconds = _SETTLE_S + sum(step_s + 1.5 + delay / 1000 for delay in DELAYS_MS) + 2
    spans: dict[int, tuple[float, float]] = {}
    script = Script(seconds=seconds, sound=None)
    async with called("forwarded", script, Impairment(), sends=True) as call:
        await listen_for(call, _SETTLE_S)
        for delay in DELAYS_MS:
            call.sender.call.peer.impair(Impairment(delay_s=delay / 1000))
            await listen_for(call, 1.5 + delay / 1000)
            begin = call.now
            await listen_for(call, step_s)
            spans[delay] = (begin, call.now)
    (book,) = call.books
    rows = [
        Row(
            what=f"live, into the node: {metric}",
            injected=delay,
            measured=within(book, metric, span) - within(book, metric, spans[0]),
            unit="ms",
            bound=5,
        )
        for metric in _VIDEO_DELAYS
        for delay, span in spans.items()
    ]
    return rows, call.slowness(_FASTER_MS)


async def skews(shown: str, step_s: float) -> Measured:
    """Sound sent early and late; less what is measured of sound that is in time."""
    found: dict[int, float] = {}
    slow = ""
    for skew in (0, *SKEWS_MS):
        script = Script(seconds=_SETTLE_S + step_s + 1, skew_s=skew / 1000)
        async with called(shown, script, None) as call:
            await listen_for(call, _SETTLE_S)
            begin = call.now
            await listen_for(call, step_s)
            span = (begin, call.now)
        found[skew] = within(call.books[0], "av.skew_ms", span)
        slow = slow or call.slowness(_FAST_MS)
    rows = [
        Row(what=f"live, {shown}: skew", injected=skew, measured=found[skew] - found[0], unit="ms", bound=5)
        for skew in SKEWS_MS
    ]
    return rows, slow


_HELD = {150: 7, 210: 20, 290: 45}
"""Frames that are shown in place of so many that follow."""
_BLACK = range(390, 405)
_DROPPED = (120, 131, 132, 145, 160, 161, 162)
_REPEATED = (180, 190, 200)
_SWAPPED = {220: 221, 221: 220}


def frozen(place: int) -> int | None:
    """Hold frames, and show black for half a second."""
    if place in _BLACK:
        return None
    return next((first for first, count in _HELD.items() if first < place <= first + count), place)


def disordered(place: int) -> int:
    """Drop, repeat and swap frames."""
    number = place
    for dropped in _DROPPED:
        number += dropped <= number
    for repeated in _REPEATED:
        number -= repeated < number
    return _SWAPPED.get(number, number)


async def frozen_pictures(_: float) -> Measured:
    """Freezes and black, as the node forwards them."""
    async with called("forwarded", Script(seconds=16, shown=frozen, sound=None), None) as call:
        await listen_for(call, 15.5)
    (watch,), (book,) = call.watches, call.books
    freezes = [freeze.duration * FPS for freeze in watch.freezes]
    # Black is no frame of the reference either: what stands before it stays until the next one with a mark.
    wanted = [*(count + 1 for count in _HELD.values()), len(_BLACK) + 1]
    rows = [Row(what="live: freezes", injected=len(wanted), measured=len(freezes), unit="", bound=EXACT)]
    rows += [
        Row(what="live: length of a freeze", injected=count, measured=measured, unit="frames", bound=0.5)
        for count, measured in zip(wanted, freezes, strict=False)
    ]
    rates = dict(samples(book, "video.fps"))
    black = sum(share * rates[at] for at, share in samples(book, "video.black_ratio") if share)
    rows.append(Row(what="live: black pictures", injected=len(_BLACK), measured=black, unit="frames", bound=0.01))
    return rows, call.slowness(_FAST_MS)


async def counted_pictures(_: float) -> Measured:
    """Frames dropped, repeated and out of order, as the node forwards them."""
    async with called("forwarded", Script(seconds=10, shown=disordered, sound=None), None) as call:
        await listen_for(call, 9.5)
    account = call.watches[0].account
    rows = [
        Row(what=f"live: frames {what}", injected=injected, measured=measured, unit="", bound=EXACT)
        for what, injected, measured in (
            ("dropped", len(_DROPPED), account.lost),
            ("repeated", len(_REPEATED), account.repeated),
            ("out of order", 1, account.reordered),
            ("without a mark", 0, account.unread),
        )
    ]
    return rows, call.slowness(_FAST_MS)


async def silences(_: float) -> Measured:
    """Two spans of silence through the mix."""
    spans = (range(248, 273), range(398, 498))

    def quiet(piece: int, samples: np.ndarray) -> np.ndarray:
        return samples * 0 if any(piece in span for span in spans) else samples

    async with called("forwarded", Script(seconds=13, shown=None, sound=quiet), None) as call:
        await listen_for(call, 12.5)
    rows = []
    for span in spans:
        # In the seconds around it: before the first sound nothing is known of silence.
        begin = _started(call) + span.start / 50
        silent = 1000 * sum(
            share
            for at, share in samples(call.books[0], "audio.silence_ratio")
            if begin - 1.5 < at < begin + len(span) / 50 + 1.0
        )
        rows.append(Row(what="live: silent span", injected=20 * len(span), measured=silent, unit="ms", bound=20))
    return rows, call.slowness(_FAST_MS)


async def level(_: float) -> Measured:
    """A sine through the mix."""
    peak = -23.0

    def sine(piece: int, samples: np.ndarray) -> np.ndarray:
        steps = piece * FRAME_SAMPLES + np.arange(FRAME_SAMPLES)
        wave = 32767 * 10 ** (peak / 20) * np.sin(2 * np.pi * 997 * steps / 48000)
        return wave.astype(np.int16)[:, None]

    async with called("forwarded", Script(seconds=14, shown=None, sound=sine), None) as call:
        await listen_for(call, 13.5)
    measured = call.books[0].values("audio.loudness_lufs")[-1]
    row = Row(what="live: level of a sine, 12 s", injected=peak - 3.01, measured=measured, unit="LUFS", bound=0.2)
    return [row], call.slowness(_FAST_MS)


async def joining(_: float) -> Measured:
    """Make the node slow to answer one request after the other, and see which step of joining tells."""
    rows = []
    async with Node(NodeConfig(faults=True)) as node:
        assert node.faults is not None

        async def steps() -> dict[str, float]:
            async with open_end(end(node.url, "Ann")) as joined:
                await joined.call.connected()
                return joined.call.phases.as_ms()

        await steps()  # what is imported and made on first use is no part of joining
        base = await steps()
        for operation, milestone, before in (
            ("request_token", "token", ""),
            ("participant_calls", "answered", "offered"),
            ("call_ack", "acked", "answered"),
        ):
            for delay in (0.2, 1.0):
                node.faults.rules.add(FaultRule(kind=FaultKind.DELAY, operation=operation, delay_s=delay))
                found = await steps()
                node.faults.rules.clear()
                took, usual = (each[milestone] - (each[before] if before else 0.0) for each in (found, base))
                what = f"joining, {operation} answered late"
                rows.append(Row(what=what, injected=1000 * delay, measured=took - usual, unit="ms", bound=50))
    return rows, ""


def _started(call: Call) -> float:
    """Return when the source began, in seconds of the run."""
    assert call.player.started_at is not None
    return call.player.started_at - call.began


GROUPS: Mapping[str, Sequence[Callable[[float], Coroutine[object, object, Measured]]]] = {
    "joining": [joining],
    "audio-delay": [lambda step_s: delays("forwarded", _AUDIO_DELAYS, step_s)],
    "video-delay": [
        lambda step_s: delays("forwarded", _VIDEO_DELAYS, step_s),
        lambda step_s: delays("composed", _VIDEO_DELAYS, step_s),
        delays_into,
    ],
    "skew": [lambda step_s: skews("forwarded", step_s), lambda step_s: skews("composed", step_s)],
    "pictures": [frozen_pictures, counted_pictures],
    "sound": [silences, level],
}
"""What is measured live, by a name that `--live` takes."""


def live_rows(names: Sequence[str], step_s: float) -> list[Row]:
    """Measure these groups, each run again as long as the machine was too slow for it, `TRIES` times in all."""
    rows: list[Row] = []
    for name in names:
        for run in GROUPS[name]:
            for left in reversed(range(TRIES)):
                found, slow = asyncio.run(run(step_s))
                if not slow:
                    break
                sys.stderr.write(f"{found[0].what}: too slow{', again' if left else ''} ({slow})\n")
            rows += [replace(row, too_slow=bool(slow)) for row in found]
            sys.stderr.write(f"{found[0].what}: {sum(r.state is State.HELD for r in rows[-len(found) :])} held\n")
    return rows
