"""A call through a node for `make bench truth`: a script encoded before is sent, and one or two listen to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

import numpy as np

from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind, Tap, TrackFormat
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.generated import plain_picture
from pexrtc_py.probe.ends import End, EndConfig, Listening, open_end
from pexrtc_py.probe.lateness import too_slow
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.watching import PictureWatch
from pexrtc_py.signalling import SessionConfig
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import PeerConfig
from tests.support.injection import FPS, median

from ._children import Child, python_peer

__all__ = ["Call", "Script", "called", "end", "listen_for", "samples", "within"]

SHOWN = {"forwarded": "1:0", "composed": "4:0"}
"""What the node does with pictures, and the layout that has it done; the composed ones stand in a quarter."""
ALIAS = "truth"
CONFIG = ReferenceConfig(width=320, height=180)
OTHER = replace(CONFIG, first_id=1 << 22, seed=2)
_VIDEO_BPS = 400_000


def _same(number: int) -> int | None:
    return number


def _as_is(piece: int, samples: np.ndarray) -> np.ndarray:
    return samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """What is sent, encoded before: frames and pieces of sound of a reference, and what stands in their place."""

    seconds: float
    shown: Callable[[int], int | None] | None = _same
    """Which frame is sent in place of frame `number`, None: black; no function: no pictures."""
    sound: Callable[[int, np.ndarray], np.ndarray] | None = _as_is
    """What is sent in place of a piece of 20 ms; no function: no sound."""
    skew_s: float = 0.0
    """By how much sound is earlier than the picture."""
    reference: ReferenceConfig = CONFIG

    def frames(self) -> list[EncodedFrame]:
        """Encode it all, in order of time."""
        reference = Reference(self.reference)
        frames: list[EncodedFrame] = []
        if self.sound is not None:
            encoder, late = AudioEncoder(Codec.OPUS), max(0.0, -self.skew_s)
            for piece in range(round(self.seconds * 50)):
                at = piece / 50 + late
                samples = self.sound(piece, reference.sound(piece))
                frames += encoder.encode(samples, rtp_time=round(at * 48000), time=at)
        if self.shown is not None:
            width, height = self.reference.width, self.reference.height
            coder = VideoEncoder(Codec.VP8, width, height, FPS, _VIDEO_BPS, key_interval_s=1.0)
            late = max(0.0, self.skew_s)
            for place in range(round(self.seconds * FPS)):
                at, number = place / FPS + late, self.shown(place)
                picture = reference.picture(number) if number is not None else plain_picture(width, height)
                frames += coder.encode(picture, rtp_time=round(at * 90000), time=at, force_key=place == 0)
        return sorted(frames, key=lambda frame: frame.time)


class Prepared:
    """A source of frames that were encoded before."""

    live = encodes = False

    def __init__(self, frames: Sequence[EncodedFrame]) -> None:
        self._frames = iter(frames)
        self.formats: Mapping[Kind, TrackFormat] = {
            frame.codec.kind: TrackFormat(
                codec=frame.codec, width=frame.width, height=frame.height, frame_rate=float(FPS), channels=1
            )
            for frame in reversed(frames)
        }

    def pull(self) -> EncodedFrame | None:
        """Return the next one."""
        return next(self._frames, None)

    def request_key_frame(self) -> None:
        """There is one each second."""

    def set_bitrate(self, video_bps: int) -> None:
        """It was encoded before."""

    def close(self) -> None:
        """Nothing is held."""


@dataclass(slots=True)
class Call:
    """A sender, and those who listen to it, one or two."""

    sender: End
    ears: list[End]
    books: list[SeriesBook]
    listenings: list[Listening]
    began: float
    player: Player
    watches: list[PictureWatch] = field(default_factory=list)
    node_late_ms: list[float] = field(default_factory=list)

    @property
    def now(self) -> float:
        """Seconds of the run."""
        return time.monotonic() - self.began

    def slowness(self, usual_ms: float) -> str:
        """Say whose loop was late, or fell behind: as a verdict has it, or by more in a usual second; empty: nobody."""
        reasons = [f"{book.stream}: {reason}" for book in self.books for reason in too_slow(book.series())]
        late = {book.stream: book.values("self.loop_late_ms") for book in self.books} | {"node": self.node_late_ms}
        for who, values in late.items():
            if values and median(values) > usual_ms:
                reasons.append(f"{who} was {median(values):.1f} ms late in a usual second, {max(values):.0f} at most")
        return "; ".join(reasons)


def end(url: str, name: str, impairment: Impairment | None = None) -> EndConfig:
    """Return one participant of a live run."""
    return EndConfig(
        session=SessionConfig(node_url=url, alias=ALIAS, display_name=name, call_tag=BOT_TAG),
        peer=PeerConfig(addresses=("127.0.0.1",), impairment=impairment),
        reference=CONFIG,
    )


def player(sender: End, script: Script) -> Player:
    """Return what plays a script to the node."""
    taps: dict[Kind, list[Tap]] = {
        kind: [sender.sent[kind], line.sender]
        for kind, line in ((Kind.AUDIO, sender.call.audio), (Kind.VIDEO, sender.call.video))
        if line is not None and line.sender is not None
    }
    sender.player = Player(Prepared(script.frames()), taps)
    return sender.player


@asynccontextmanager
async def called(
    shown: str, script: Script, *impairments: Impairment | None, sends: bool = False
) -> AsyncIterator[Call]:
    """Join a sender and a listener for each impairment, send, and let the block measure until it ends.

    Args:
        shown: what the node does with pictures.
        script: what is sent.
        impairments: the network of each listener, which may be changed later; None: a good one for ever.
        sends: whether the first impairment is the sender's, and the listeners have good ones.
    """
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(Child(python_peer("truth_node", ALIAS, SHOWN[shown])))
        url = str((await node.hear("url"))["url"])
        began = time.monotonic()
        theirs = [None] * len(impairments) if sends else impairments
        sender = await stack.enter_async_context(open_end(end(url, "Ann", impairments[0] if sends else None)))
        ears = [
            await stack.enter_async_context(open_end(end(url, name, impairment)))
            for name, impairment in zip(("Bob", "Carl"), theirs, strict=False)
        ]
        books = [SeriesBook(ear.name) for ear in ears]
        for one in (sender, *ears):
            await one.call.connected()
        playing = await asyncio.to_thread(player, sender, script)
        listenings = [
            await stack.enter_async_context(Listening(ear, book, began, source=sender))
            for ear, book in zip(ears, books, strict=True)
        ]
        if shown == "composed":
            other = Script(seconds=script.seconds, sound=None, reference=OTHER)
            await stack.enter_async_context(await asyncio.to_thread(player, ears[-1], other))
        await stack.enter_async_context(playing)
        node.tell(late=True)
        await node.hear("late")
        call = Call(sender=sender, ears=ears, books=books, listenings=listenings, began=began, player=playing)
        yield call
        playing.stop()
        until = time.monotonic()
        await asyncio.sleep(0.5)
        for listening in listenings:
            await listening.finish(until)
            if listening.pictures is not None:
                call.watches.append(listening.pictures)
        node.tell(late=True)
        late = (await node.hear("late"))["late"]
        assert isinstance(late, list)
        call.node_late_ms += late


async def listen_for(call: Call, seconds: float) -> None:
    """Read statistics once a second for so long."""
    until = time.monotonic() + seconds
    while (rest := until - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, rest))
        for listening in call.listenings:
            listening.read_network()


def within(book: SeriesBook, metric: str, span: tuple[float, float]) -> float:
    """Return the median of a metric's samples in a span of the run."""
    values = [value for at, value in samples(book, metric) if span[0] <= at < span[1]]
    return median(values) if values else float("nan")


def samples(book: SeriesBook, metric: str) -> list[tuple[float, float]]:
    """Return the samples of a metric with their times."""
    return [
        pair
        for series in book.series()
        if series.metric == metric
        for pair in zip(series.times, series.values, strict=True)
    ]
