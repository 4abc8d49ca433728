"""Losses, bursts, delay and a blackout: freezes, missing sound and delay, beside stock aiortc and libwebrtc.

One live sender, ours, has a call with each of three receivers at the same time: the same marked pictures and chirps,
through a UDP relay that loses and delays in both directions by the same dice. What is decoded is read: how long the
picture stood, how late it and the sound were before, during and after the impairment, and when all was well again.

    make bench loss                       all networks, some seven minutes
    python -m benchmarks loss --networks "5 %" --seconds 10
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from itertools import pairwise

import uvloop
from rich.console import Console
from rich.table import Table

from pexrtc_py.webrtc.impairment import Impairment

from ._children import Child, add_peers, python_peer
from ._live import RATE
from ._relay import Relay

__all__ = ["main"]

NAMES = {"ours": "pexrtc_py", "wrtc": "libwebrtc", "aiortc": "aiortc"}
PEERS = {"ours": "live_receive", "wrtc": "wrtc_live_receive", "aiortc": "aiortc_live_receive"}

SETTLED_S = 2.0
"""From the first picture on; delays before the impairment are those of the time after it."""
BEFORE_S = 3.0
AFTER_S = 6.0
LEFT_S = 2.0
"""The end of `AFTER_S`, where a delay left behind is looked for."""
ALIKE_S = 0.05
"""Recovered is who shows pictures no later than before by more than this."""
BOUND_ROUND_TRIP_S, BOUND_LOSS, BOUND_S = 0.05, 0.05, 0.3
"""Up to there no freeze may be longer than the round trip and that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A bad network."""

    name: str
    round_trip_s: float = 0.05
    """At all times."""
    loss: float = 0.0
    burst: float = 1.0
    blackout_s: float = 0.0
    """At the beginning of the impaired time."""


NETWORKS = (
    *(Network(name=f"{percent} %, 50 ms", loss=percent / 100) for percent in (0, 1, 2, 5, 10, 30)),
    Network(name="5 % in bursts of 5, 50 ms", loss=0.05, burst=5),
    *(Network(name=f"5 %, {ms} ms", loss=0.05, round_trip_s=ms / 1000) for ms in (100, 200, 300)),
    Network(name="1 s of nothing, 50 ms", blackout_s=1.0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a receiver has seen and heard, all times since the sender began."""

    pictures: list[tuple[int, float]]
    chirps: list[float]
    made_up: list[tuple[float, float]]

    def shown(self) -> list[tuple[float, float]]:
        """Return when each picture was shown that none after it had come before, and how late."""
        newest, shown = -1, []
        for number, at in self.pictures:
            if number > newest:
                newest = number
                shown.append((at, at - number / RATE))
        return shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """How a receiver fared on one network. Seconds."""

    freezes: int
    p99: float
    """Between two pictures."""
    longest: float
    delay: tuple[float, float, float]
    """Of pictures, median: before, during, at the end."""
    recovery: float | None
    """From the end of the impairment until pictures came as before; None: not within `AFTER_S`."""
    sound_missing: float
    """Part of the impaired time."""
    sound_delay: tuple[float, float, float]
    heard: int
    """Chirps heard, of one a second."""


def judge(report: Report, begin: float, end: float, last: float) -> Fate:
    """Judge what was seen.

    Args:
        report: what was seen and heard.
        begin: of the impairment.
        end: of it.
        last: when everything ended.
    """
    shown = report.shown()
    inside = [at for at, _ in shown if begin <= at <= end]
    edges = [max((at for at, _ in shown if at < begin), default=begin), *inside]
    edges.append(min((at for at, _ in shown if at > end), default=last))
    waits = [after - before for before, after in pairwise(edges)]
    # The definition of freezes in webrtc-stats, with the sender's own pace as the mean.
    freeze = max(3 / RATE, 1 / RATE + 0.15)
    spans = ((begin - BEFORE_S, begin), (begin, end), (last - LEFT_S, last))
    late = [[delay for at, delay in shown if low <= at < high] for low, high in spans]
    delays = [statistics.median(values) if values else float("nan") for values in late]
    heard = [[_lateness(at) for at in report.chirps if low <= at < high] for low, high in spans]
    sound = [statistics.median(values) if values else float("nan") for values in heard]
    return Fate(
        freezes=sum(wait > freeze for wait in waits),
        p99=sorted(waits)[int(0.99 * (len(waits) - 1))],
        longest=max(waits),
        delay=(delays[0], delays[1], delays[2]),
        recovery=_recovery(shown, delays[0], end, last),
        sound_missing=sum(seconds for at, seconds in report.made_up if begin <= at <= end + 0.5) / (end - begin),
        sound_delay=(sound[0], sound[1], sound[2]),
        heard=len(heard[1]),
    )


def _lateness(at: float) -> float:
    """How late a chirp is; each begins with a second, and none is later than 0.9 s."""
    return (at + 0.1) % 1.0 - 0.1


def _recovery(shown: list[tuple[float, float]], usual: float, end: float, last: float) -> float | None:
    """Return when the last picture after `end` was late, or the picture stood."""
    well = end
    before = max((at for at, _ in shown if at <= end), default=end)
    for at, delay in shown:
        if at <= end:
            continue
        if delay > usual + ALIKE_S or at - before > 3 / RATE:
            well = at
        before = at
    return None if last - before > 3 / RATE or last - well < LEFT_S else well - end


async def measure(network: Network, peers: Sequence[str], seconds: float, seed: int) -> dict[str, Fate]:
    """Let all receivers live through one network."""
    delayed = Impairment(delay_s=network.round_trip_s / 2, seed=seed)
    bad = replace(delayed, loss=network.loss, burst=network.burst)
    dead = replace(delayed, loss=1.0)
    async with AsyncExitStack() as stack:
        sender = await stack.enter_async_context(Child(python_peer("live_send")))
        receivers: dict[str, Child] = {}
        relays: list[Relay] = []
        for number, peer in enumerate(peers):
            receiver = await stack.enter_async_context(Child(python_peer(PEERS[peer])))
            receivers[peer] = receiver
            relay = await stack.enter_async_context(Relay(delayed, replace(delayed, seed=seed + 1000)))
            relays.append(relay)
            offer = str((await receiver.hear("offer"))["offer"])
            sender.tell(call=number, offer=relay.bend_offer(offer))
            answer = str((await sender.hear("answer"))["answer"])
            receiver.tell(call=0, answer=relay.bend_answer(answer))
        for receiver in receivers.values():
            await receiver.hear("ready")
        sender.tell(start=True)
        began = (await sender.hear("began"))["began"]
        assert isinstance(began, float)
        await asyncio.sleep(began + SETTLED_S + BEFORE_S - time.monotonic())
        begin = time.monotonic() - began
        if network.blackout_s:
            for relay in relays:
                relay.change(dead, dead)
            await asyncio.sleep(network.blackout_s)
        else:
            for relay in relays:
                relay.change(bad, bad)
            await asyncio.sleep(seconds)
        for relay in relays:
            relay.change(delayed, delayed)
        end = time.monotonic() - began
        await asyncio.sleep(AFTER_S)
        last = time.monotonic() - began
        fates = {}
        for peer, receiver in receivers.items():
            receiver.tell(stop=True)
            fates[peer] = judge(_report(await receiver.hear("pictures"), began), begin, end, last)
    return fates


def _report(said: dict[str, object], began: float) -> Report:
    """Read a receiver's report."""
    pictures, chirps, made_up = (said[key] for key in ("pictures", "chirps", "made_up"))
    assert isinstance(pictures, list)
    assert isinstance(chirps, list)
    assert isinstance(made_up, list)
    return Report(
        pictures=[(number, at - began) for number, at in pictures],
        chirps=[at - began for at in chirps],
        made_up=[(at - began, seconds) for at, seconds in made_up],
    )


def _told(peers: Sequence[str]) -> str:
    """Say who received at the same time, and who could have."""
    absent = [name for peer, name in NAMES.items() if peer not in peers]
    told = "at the same time, on networks alike: " + ", ".join(NAMES[peer] for peer in peers)
    return told + (f"; not asked for: {', '.join(absent)}" if absent else "")


def show(found: dict[Network, dict[str, Fate]], peers: Sequence[str], console: Console) -> None:
    """Print the table."""
    table = Table(
        "network: loss, round trip",
        "receiver",
        "freezes",
        "p99, ms",
        "longest, ms",
        "recovered in, ms",
        "picture delay before, in it, left, ms",
        "sound made up, %",
        "sound delay before, in it, left, ms",
        caption=_told(peers),
    )
    for network, fates in found.items():
        for peer, fate in fates.items():
            longest = f"{1000 * fate.longest:.0f}"
            if (
                peer == "ours"
                and 0 < network.loss <= BOUND_LOSS
                and network.burst <= 1
                and network.round_trip_s <= BOUND_ROUND_TRIP_S
            ):
                longest += f" (to be {1000 * (network.round_trip_s + BOUND_S):.0f} or less)"
            recovery = "never" if fate.recovery is None else f"{1000 * fate.recovery:.0f}"
            table.add_row(
                network.name,
                NAMES[peer],
                str(fate.freezes),
                f"{1000 * fate.p99:.0f}",
                longest,
                recovery,
                ", ".join(f"{1000 * value:.0f}" for value in fate.delay),
                f"{100 * fate.sound_missing:.2f}",
                ", ".join(f"{1000 * value:.0f}" for value in fate.sound_delay),
            )
        table.add_section()
    console.print(table)


def _is_meant(names: Sequence[str]) -> Callable[[Network], bool]:
    """Return what tells the networks whose name begins with one of these."""
    return lambda network: any(network.name.startswith(name) for name in names)


async def run(options: argparse.Namespace, console: Console) -> dict[Network, dict[str, Fate]]:
    """Measure on each network."""
    found: dict[Network, dict[str, Fate]] = {}
    for number, network in enumerate(NETWORKS):
        if options.networks is not None and not _is_meant(options.networks)(network):
            continue
        fates = await measure(network, options.peers, options.seconds, options.seed + number)
        found[network] = fates
        told = "; ".join(
            f"{NAMES[peer]} {fate.freezes} freezes, longest {1000 * fate.longest:.0f} ms"
            for peer, fate in fates.items()
        )
        console.print(f"[dim]{network.name}: {told}, load {os.getloadavg()[0]:.1f}[/dim]")
    return found


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench loss", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--networks", type=lambda text: text.split(";"), help="beginnings of names, parted by ;")
    add_peers(parser, NAMES)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long each network is bad")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    if options.networks is not None and not any(map(_is_meant(options.networks), NETWORKS)):
        parser.error(f"no network begins so; there are: {'; '.join(network.name for network in NETWORKS)}")
    console = Console(width=170)
    found = uvloop.run(run(options, console))
    show(found, options.peers, console)
    return 0
