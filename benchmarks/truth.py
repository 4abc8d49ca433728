"""The probe's figures against what was put in: delay, skew, loss, jitter, freezes, silence, level, rates, joining.

First in virtual time, through real codecs, our sender, a bad link, our receiver, and the node's drawing of a composed
picture; then live, through a node in real time (`_truth_live`): pictures forwarded, and composed in a layout of two. A
live run for which the machine was too slow is made again, three times in all, and after that counts neither as held nor
as missed.

    make bench truth [ARGS="--seconds 20"]
    make bench truth ARGS="--only live --live audio-delay skew"
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from rich.console import Console

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.impairment import Impairment
from tests.support.injection import FPS, Room, carry, listen, mean, median, quarter, sine, skews, watch

from ._truth_live import GROUPS, live_rows
from ._truth_rows import EXACT, Row, show

__all__ = ["main"]

DELAYS_MS = (0, 20, 100, 250, 500)
SKEWS_MS = (-200, -100, -50, 0, 50, 100, 200)


def of_codec() -> float:
    """Return what Opus itself delays sound by, milliseconds: the run without injection."""
    return median(listen(Room(audio_delay=0.0), 8)[0].values("audio.packet_delay_ms"))


def delays(seconds: int) -> Iterator[Row]:
    """One-way delay, by the packet and by what was decoded, less the same without injection."""
    for name, compose in (("", None), (", a quarter", quarter)):
        base: dict[str, float] = {}
        for delay in DELAYS_MS:
            room = Room(video_delay=delay / 1000, compose=compose() if compose else None)
            book, _ = watch(room, min(seconds, 4))
            for metric, words in (("packet_delay_ms", "last packet"), ("delay_ms", "decoded picture")):
                found = median(book.values(f"video.{metric}"))
                base.setdefault(metric, found)
                yield Row(
                    what=f"video delay to {words}{name}",
                    injected=delay,
                    measured=found - base[metric],
                    unit="ms",
                    bound=5,
                )
    silent = of_codec()
    for delay in DELAYS_MS:
        book, _ = listen(Room(audio_delay=delay / 1000), 8)
        found = median(book.values("audio.packet_delay_ms")) - silent
        yield Row(what="audio delay", injected=delay, measured=found, unit="ms", bound=2)


def skew() -> Iterator[Row]:
    """Sound against picture, positive when early."""
    codec = of_codec()
    for name, compose in (("", None), (", a quarter", quarter)):
        for value in SKEWS_MS if compose is None else (-200, 0, 200):
            found = median(skews(value / 1000, 4, compose() if compose else None)) + codec
            yield Row(what=f"skew{name}", injected=value, measured=found, unit="ms", bound=5)


def network(seconds: int) -> Iterator[Row]:
    """Against the fate that the link gave to each packet."""
    for codec in (Codec.OPUS, Codec.VP8):
        kind = codec.kind
        for loss, burst in ((0.01, 1.0), (0.05, 1.0), (0.2, 1.0), (0.05, 3.0), (0.1, 6.0)):
            book, wire = carry(codec, Impairment(delay_s=0.02, loss=loss, burst=burst), seconds)
            losses, name = wire.losses, f"{kind} loss, {loss:.0%} in runs of {burst:g}"
            yield Row(
                what=name,
                injected=100 * losses.ratio,
                measured=100 * mean(book.values(f"{kind}.loss_ratio")),
                unit="%",
                bound=0.2,
            )
            yield Row(
                what=f"{kind} mean burst, runs of {burst:g}",
                injected=losses.mean_burst,
                measured=mean(book.values(f"{kind}.loss_burst")),
                unit="packets",
                bound=0.02 * losses.mean_burst,
            )
        for jitter_ms in (10, 30, 60):
            book, wire = carry(codec, Impairment(delay_s=0.02, jitter_s=jitter_ms / 1000), seconds)
            made, what = wire.jitter(wire.readings[-1]), f"{kind} jitter, 0 to {jitter_ms} ms"
            measured = book.values(f"{kind}.jitter_ms")[-1]
            yield Row(what=what, injected=1000 * made.seconds, measured=measured, unit="ms", bound=0.5)
            worst = max(book.values(f"{kind}.jitter_max_ms"))
            yield Row(
                what=f"{what}, largest", injected=1000 * max(made.deviations), measured=worst, unit="ms", bound=0.5
            )
        book, wire = carry(codec, Impairment(delay_s=0.02, reorder=0.03, reorder_s=0.05), seconds)
        reordered = mean(book.values(f"{kind}.reordered_ratio"))
        yield Row(
            what=f"{kind} reordered packets",
            injected=100 * wire.reordered / len(wire.fates),
            measured=100 * reordered,
            unit="%",
            bound=0.05,
        )
        book, wire = carry(codec, Impairment(delay_s=0.02, duplicate=0.02), seconds)
        measured = sum(book.values(f"{kind}.duplicates"))
        yield Row(what=f"{kind} duplicated packets", injected=wire.duplicates, measured=measured, unit="", bound=EXACT)


def rates() -> Iterator[Row]:
    """What came out of a link with a limit."""
    for cap in (400_000, 800_000, 1_200_000):
        book, wire = carry(Codec.VP8, Impairment(delay_s=0.02, rate_bps=cap), 30, nack=False)
        begin, until = wire.readings[0], wire.readings[-1]
        passed = 8 * wire.passed_bytes(begin, until) / (until - begin)
        measured = mean(book.values("video.bitrate_bps"))
        what = f"bitrate, 1.3 Mb/s into {cap / 1e6:g} Mb/s"
        yield Row(what=what, injected=passed / 1000, measured=measured / 1000, unit="kb/s", bound=0.01 * passed / 1000)


def held(count: int) -> Callable[[int], int]:
    """Show frame 40 in place of the next ones."""
    return lambda place: 40 if 40 < place <= 40 + count else place


def black(count: int) -> Callable[[int], int | None]:
    """Show black in place of so many frames."""
    return lambda place: None if 30 <= place < 30 + count else place


def muted(first: int, last: int) -> Callable[[int, np.ndarray], np.ndarray]:
    """Send digital silence in place of some pieces."""
    return lambda piece, samples: samples * 0 if first <= piece < last else samples


def disordered() -> list[int]:
    """Return frames of four seconds with seven dropped, three repeated, and two in each other's place."""
    dropped = {20, 31, 32, 45, 60, 61, 62}
    order = [number for number in range(130) if number not in dropped]
    for place in (50, 52, 54):
        order.insert(place, order[place])
    order[70], order[71] = order[71], order[70]
    return [*order, *range(130, 130 + 4 * FPS - len(order))]


def pictures() -> Iterator[Row]:
    """Freezes, black, drops, repeats, disorder: to the frame, plain and through the composed picture."""
    for name, compose in (("", None), (", a quarter", quarter)):
        for count in (7, 20, 45):
            _, watched = watch(Room(shown=held(count), compose=compose() if compose else None), 4)
            found = [round(freeze.duration * FPS, 3) for freeze in watched.freezes]
            yield Row(what=f"freezes{name}", injected=1, measured=len(found), unit="", bound=EXACT)
            longest = max(found, default=0.0)
            yield Row(what=f"length of it{name}", injected=count + 1, measured=longest, unit="frames", bound=0.01)
        order = disordered()
        _, watched = watch(Room(shown=order.__getitem__, compose=compose() if compose else None), 4)
        account = watched.account
        for what, made, counted in (
            ("frames dropped", 7, account.lost),
            ("frames repeated", 3, account.repeated),
            ("frames out of order", 1, account.reordered),
        ):
            yield Row(what=what + name, injected=made, measured=counted, unit="", bound=EXACT)
    for span in (1, 15, 40):
        book, _ = watch(Room(shown=black(span)), 3)
        seen = sum(a * b for a, b in zip(book.values("video.black_ratio"), book.values("video.fps"), strict=True))
        yield Row(what="black pictures", injected=span, measured=seen, unit="frames", bound=0.01)


def sound() -> Iterator[Row]:
    """Silence, and level."""
    for first, last in ((98, 123), (98, 198)):
        book, _ = listen(Room(sound=muted(first, last)), 6)
        silent = 1000 * sum(book.values("audio.silence_ratio"))
        # Opus fades over the length of its overlap, and a decision is made each 10 ms.
        yield Row(what="silent span", injected=20 * (last - first), measured=silent, unit="ms", bound=20)
    for peak in (-12.0, -23.0, -36.0):
        book, _ = listen(Room(sound=sine(peak)), 12)
        # A sine's RMS is 3.01 dB below its peak; BS.1770 gives 997 Hz no weight but the -0.691 it takes off again.
        yield Row(
            what="level of a sine, 12 s",
            injected=peak - 3.01,
            measured=book.values("audio.loudness_lufs")[-1],
            unit="LUFS",
            bound=0.2,
        )


def main(argv: Sequence[str]) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="make bench truth", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=120, help="virtual seconds of each network")
    parser.add_argument("--step", type=float, default=6.0, help="live seconds at each delay")
    parser.add_argument("--only", choices=["virtual", "live"], default=None)
    parser.add_argument("--live", choices=[*GROUPS], nargs="*", default=[*GROUPS], help="which of the live groups")
    options = parser.parse_args(argv)
    console = Console(width=120)
    rows: list[Row] = []
    if options.only != "live":
        for group in (
            delays(options.seconds),
            skew(),
            network(options.seconds),
            rates(),
            pictures(),
            sound(),
        ):
            rows += group
    if options.only != "virtual":
        rows += live_rows(options.live, options.step)
    return 1 if show(rows, console) else 0
