"""What recordings are tested with: a source that never ceases, a wire that can be cut, and what a recording shows.

The beacon numbers every picture (`media.marks`), and number n is due n / `RATE` seconds after its start, so a recording
tells by itself which are missing and whether its clock is right.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import av

import pexrtc_py
from pexrtc_py import CallConfig, Codec, Direction, EncodedFrame, Gap, Kind, PeerConfig, Player, SessionConfig, Tap
from pexrtc_py.endpoint.conference import open_conference
from pexrtc_py.errors import PexrtcError
from pexrtc_py.media.comparison import luma_plane
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.player import PlayerConfig
from pexrtc_py.tasks import first_of, task_owner
from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.sender import Sender

__all__ = ["ALICE", "BOB", "RATE", "Beacon", "Seen", "Wire", "beacon", "cut_wire", "job_of", "read_marks"]

ALICE, BOB = "meet.alice", "meet.bob"
RATE = 15
WIDTH, HEIGHT = 320, 180


class _Fan:
    """A tap that gives each frame to all senders there are just now."""

    def __init__(self) -> None:
        self.senders: set[Sender] = set()

    def push(self, item: EncodedFrame | Gap) -> None:
        """Hand it on."""
        for sender in tuple(self.senders):
            sender.push(item)

    def end(self) -> None:
        """The beacon ended; senders end with their calls."""


@dataclass
class Beacon:
    """Sends the same to any number of conferences, and is back at once where it was lost."""

    node_url: str
    pin: str | None = None
    player: Player | None = None
    fans: dict[Kind, _Fan] = field(default_factory=lambda: {kind: _Fan() for kind in Kind})
    there: dict[str, asyncio.Event] = field(default_factory=dict)

    async def attend(self, alias: str) -> None:
        """Send into a conference until cancelled."""
        config = SessionConfig(node_url=self.node_url, alias=alias, display_name=f"Beacon {alias}", pin=self.pin)
        call_config = CallConfig(audio=Direction.SENDONLY, video=Direction.SENDONLY, video_codecs=(Codec.VP8,))
        while True:
            with suppress(PexrtcError):
                async with open_conference(config) as conference, conference.call(call_config) as call:
                    await call.connected()
                    lines = {Kind.AUDIO: call.audio, Kind.VIDEO: call.video}
                    senders = {kind: line.sender for kind, line in lines.items() if line is not None and line.sender}
                    assert self.player is not None
                    senders[Kind.VIDEO].on_key_frame_request = self.player.request_key_frame
                    for kind, sender in senders.items():
                        self.fans[kind].senders.add(sender)
                    self.player.request_key_frame()
                    self.there[alias].set()
                    try:
                        await first_of(over=conference.ended(), ended=call.ended())
                    finally:
                        for kind, sender in senders.items():
                            self.fans[kind].senders.discard(sender)
            await asyncio.sleep(0.1)


@asynccontextmanager
async def beacon(node_url: str, *aliases: str, pin: str | None = None) -> AsyncIterator[Beacon]:
    """Run a beacon in these conferences; it is there when the block begins."""
    one = Beacon(node_url, pin)
    reference = Reference(ReferenceConfig(width=WIDTH, height=HEIGHT, frame_rate=RATE))
    source = reference.source(video_bps=300_000)
    # A key frame that is asked for comes after what was read ahead; and the beacon's time is true, however late it is.
    config = PlayerConfig(read_ahead_s=0.3, late_limit_s=60)
    taps: dict[Kind, list[Tap]] = {kind: [fan] for kind, fan in one.fans.items()}
    async with Player(source, taps, config=config) as player, task_owner() as tasks:
        one.player = player
        for alias in aliases:
            one.there[alias] = asyncio.Event()
            tasks.start(one.attend(alias), name=f"beacon {alias}")
        for event in one.there.values():
            await event.wait()
        yield one


class _Blackouts(tuple[tuple[float, float], ...]):
    """Blackouts that are there while a wire is cut."""

    wire: Wire

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(((0.0, float("inf")),) if self.wire.is_cut else ())


class Wire:
    """The network of one participant: HTTP through a forwarder, media through an impairment; both stop while cut.

    Nothing is refused and nothing closed by a cut: what is sent meanwhile waits (TCP), or is lost (UDP).
    """

    def __init__(self) -> None:
        self.url = ""
        self._open = asyncio.Event()
        self._open.set()
        blackouts = _Blackouts()
        blackouts.wire = self
        self.peer = PeerConfig(impairment=Impairment(blackouts=blackouts))

    @property
    def is_cut(self) -> bool:
        """Whether nothing passes."""
        return not self._open.is_set()

    def cut(self) -> None:
        """Let nothing pass."""
        self._open.clear()

    def mend(self) -> None:
        """Let everything pass again."""
        self._open.set()

    async def pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass bytes on in one direction."""
        with suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                await self._open.wait()
                writer.write(data)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def cut_wire(node_url: str) -> AsyncIterator[Wire]:
    """Make a wire to a node."""
    wire = Wire()
    host, _, port = node_url.removeprefix("http://").partition(":")
    async with task_owner() as tasks:

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await wire._open.wait()
            with suppress(ConnectionError):
                far_reader, far_writer = await asyncio.open_connection(host, int(port))
                tasks.start(wire.pump(reader, far_writer), name="wire out")
                tasks.start(wire.pump(far_reader, writer), name="wire in")

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        wire.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield wire
        finally:
            server.close()


@dataclass(frozen=True)
class Seen:
    """The pictures of a recording."""

    numbers: Sequence[int]
    """Of each picture, in order."""
    times: Sequence[float]
    """Second of the recording of each."""
    unmarked: int
    """Pictures whose number could not be read."""

    @property
    def missing(self) -> list[int]:
        """Numbers between the first and the last that are not there."""
        return sorted(set(range(self.numbers[0], self.numbers[-1] + 1)) - set(self.numbers))

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Stretches in which pictures are missing: seconds of the last before and the first after."""
        pairs = zip(self.numbers, self.numbers[1:], self.times, self.times[1:], strict=False)
        return [(at, after) for number, following, at, after in pairs if following > number + 1]

    @property
    def offset(self) -> float:
        """Second of the recording at which number 0 would be, by the median."""
        offsets = sorted(at - number / RATE for number, at in zip(self.numbers, self.times, strict=True))
        return offsets[len(offsets) // 2]

    @property
    def drift(self) -> float:
        """How far the recording's clock is off the beacon's at worst, seconds."""
        offset = self.offset
        return max(abs(at - number / RATE - offset) for number, at in zip(self.numbers, self.times, strict=True))

    @property
    def hole_errors(self) -> list[float]:
        """How much longer each hole of more than a second is in the recording than it was, by the beacon's clock."""
        steps = zip(self.numbers, self.numbers[1:], self.times, self.times[1:], strict=False)
        return [after - before - (b - a) / RATE for a, b, before, after in steps if b - a > RATE]

    def at(self, number: int) -> float:
        """Second of the recording at which a picture is, or should be."""
        return self.offset + number / RATE


def read_marks(*paths: Path, starts: Sequence[float] = (0.0,)) -> Seen:
    """Read the numbers of all pictures of a recording's files, which begin at these seconds of it."""
    reader = MarkReader(WIDTH, HEIGHT)
    numbers: list[int] = []
    times: list[float] = []
    unmarked = 0
    for path, start in zip(paths, starts, strict=True):
        with av.open(path) as container:
            for frame in container.decode(video=0):
                sighting = reader.read(luma_plane(frame))
                if sighting is None or frame.time is None:
                    unmarked += 1
                    continue
                numbers.append(sighting.mark.frame_id)
                times.append(start + frame.time)
    return Seen(numbers, times, unmarked)


def job_of(node_url: str, path: Path, alias: str = ALICE, **rest: object) -> pexrtc_py.RecordJob:
    """Describe a recorder named as its alias."""
    return pexrtc_py.RecordJob(
        session=SessionConfig(node_url=node_url, alias=alias, display_name="Recorder"),
        recording=pexrtc_py.RecordingConfig(path=path),
        **rest,  # type: ignore[arg-type]  # fields handed on
    )
