"""An opened input taken apart: which tracks are played, how they can be sent, and their frames in order of time.

The first packets are looked at before anything is decided, and then played like all others, so this works for what
cannot be read twice, a pipe or a stream, just as for a file.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Final, Generic, Protocol, TypeAlias, TypeVar

import av
from av.codec.context import ThreadType
from av.container import InputContainer
from av.stream import Disposition

from ...errors import SourceError
from ..frames import Codec, Kind
from .joints import HAS_JOINTS, without_joints
from .opening import translated
from .packets import MOST_PIXELS, codec_of, fitness, vp8_size

__all__ = ["LIVE_LOOK_S", "LOOK_S", "AnyPacket", "Demuxed", "FoundTrack", "Timed"]

# How much is looked at before it is decided what an input needs, and no more of it than this.
LOOK_S: Final = 5.0
"""Seconds of a file that are looked at."""
LIVE_LOOK_S: Final = 0.3
"""Seconds of what comes in real time that are looked at: all of it is delay."""
_LOOK_PACKETS: Final = 2000
_LOOK_BYTES: Final = 32_000_000
# How far tracks may lie apart in a file. Muxers interleave within a second; beyond this the later one is given up on.
_APART_S: Final = 3.0

AnyPacket: TypeAlias = "av.Packet[av.stream.Stream]"


class Timed(Protocol):
    """Whatever has a place in time."""

    @property
    def time(self) -> float:
        """Seconds since the source's start."""


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundTrack:
    """A track of an input that can be played."""

    stream: av.VideoStream | av.AudioStream
    """Where its packets come from."""
    unit: float
    """Seconds in one tick of the track's timestamps."""
    start: float
    """Seconds on the input's clock that are the source's 0: the same for all its tracks."""
    obstacle: str
    """Why it cannot be sent as it is; empty when it can."""
    quarter_turns: int
    """How often a picture has to be turned by 90 degrees, against the clock."""
    key_interval_s: float
    """The longest time between key frames as far as was looked; 0 for sound."""


class Demuxed(Generic[T]):
    """The frames of an opened input, in order of time.

    Args:
        name: what messages call the input.
        container: the opened input; closed with this.
        kinds: which kinds of track are wanted.
        look_s: how many seconds to look at before deciding how tracks can be sent.

    Raises:
        SourceError: nothing of the kinds wanted is in it, or its beginning cannot be read.
    """

    def __init__(self, name: str, container: InputContainer, kinds: Iterable[Kind], *, look_s: float = LOOK_S) -> None:
        self.name = name
        self._container = container
        kinds = set(kinds)
        # Tracks that are not wanted are looked at too: sound taken alone must begin where it does beside the picture.
        streams = _streams(container)
        self._packets: Iterator[AnyPacket] = iter(container.demux(*streams)) if streams else iter(())
        units = {stream.index: float(stream.time_base or 0) for stream in streams}
        if HAS_JOINTS & set(container.format.name.split(",")):
            self._packets = without_joints(self._packets, units)
        looked = self._look(units, look_s)
        may_turn = container.format.name.startswith("mov")
        found = _tracks(streams, units, looked, may_turn=may_turn) if looked else {}
        self.tracks: Mapping[Kind, FoundTrack] = {kind: track for kind, track in found.items() if kind in kinds}
        if not self.tracks:
            container.close()
            raise SourceError(f"{name}: has {_missing(kinds)}")
        if Kind.VIDEO in self.tracks and (wrong := _wrong_size(self.tracks[Kind.VIDEO].stream, looked)):
            container.close()
            raise SourceError(f"{name}: {wrong}")
        self._packets = chain(looked, self._packets)
        self._feeds: dict[int, Callable[[AnyPacket | None], Iterable[T]]] = {}
        self._waiting: dict[int, deque[T]] = {}
        self._ended = False
        self._time = 0.0

    def route(self, kind: Kind, feed: Callable[[AnyPacket | None], Iterable[T]]) -> None:
        """Say what makes frames of a track's packets; it gets None at the end, and may raise ValueError."""
        index = self.tracks[kind].stream.index
        self._feeds[index] = feed
        self._waiting[index] = deque()

    def pull(self) -> T | None:
        """Return the next frame of any track; None at the end.

        Raises:
            SourceError: the input broke.
        """
        while not self._ended and not self._is_settled():
            self._read()
        queues = [queue for queue in self._waiting.values() if queue]
        if not queues:
            return None
        item = min(queues, key=lambda queue: queue[0].time).popleft()
        self._time = item.time
        return item

    def close(self) -> None:
        """Close the input. Idempotent."""
        self._packets = iter(())
        self._ended = True
        self._container.close()

    def _is_settled(self) -> bool:
        """Whether the earliest frame is known: each track shows one, or one track is far ahead of the others."""
        queues = self._waiting.values()
        return all(queues) or any(queue and queue[-1].time - queue[0].time > _APART_S for queue in queues)

    def _read(self) -> None:
        try:
            try:
                packet = next(self._packets, None)
            except (av.error.FFmpegError, OSError):
                with translated(self.name, f"read on after {self._time:.1f} s"):
                    raise
            if packet is None:
                self._ended = True
                for index, feed in self._feeds.items():
                    self._waiting[index].extend(feed(None))
            elif packet.size and packet.stream_index in self._feeds:
                self._waiting[packet.stream_index].extend(self._feeds[packet.stream_index](packet))
        except ValueError as exc:
            raise SourceError(f"{self.name}: {exc}") from exc

    def _look(self, units: Mapping[int, float], look_s: float) -> list[AnyPacket]:
        """Read the first packets."""
        looked: list[AnyPacket] = []
        begin: float | None = None
        size = 0
        with translated(self.name, "read"):
            for packet in self._packets:
                if not packet.size:
                    continue
                looked.append(packet)
                size += packet.size
                if packet.dts is not None:
                    time = packet.dts * units[packet.stream_index]
                    begin = time if begin is None else begin
                    if time - begin > look_s:
                        break
                if len(looked) >= _LOOK_PACKETS or size > _LOOK_BYTES:
                    break
        return looked


def _wrong_size(stream: av.VideoStream | av.AudioStream, looked: list[AnyPacket]) -> str:
    """Say why pictures are of a size that nothing can be done with; the empty string when they are not.

    What the container says may be another size than what the pictures say themselves.
    """
    if not isinstance(stream, av.VideoStream):
        return ""
    sizes = [(stream.codec_context.width, stream.codec_context.height)]
    if codec_of(stream) is Codec.VP8:
        own = (bytes(packet) for packet in looked if packet.stream_index == stream.index and packet.is_keyframe)
        sizes += [size for data in own if (size := vp8_size(data)) is not None]
    if any(width * height > MOST_PIXELS for width, height in sizes):
        width, height = max(sizes, key=lambda size: size[0] * size[1])
        return f"its pictures are {width}x{height}, larger than anything that can be played"
    return "" if all(all(size) for size in sizes) else "the size of its pictures is unknown, or too large"


def _streams(container: InputContainer) -> list[av.VideoStream | av.AudioStream]:
    """Choose the first track of each kind that is no cover picture."""
    for stream in container.streams.video:
        stream.thread_type = ThreadType.AUTO
        # A picture that grows in the middle is left out, before memory is taken for it.
        stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    moving = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    return [*moving[:1], *container.streams.audio[:1]]


def _tracks(
    streams: list[av.VideoStream | av.AudioStream],
    units: Mapping[int, float],
    looked: list[AnyPacket],
    *,
    may_turn: bool,
) -> dict[Kind, FoundTrack]:
    packets = {stream.index: [p for p in looked if p.stream_index == stream.index] for stream in streams}
    starts = {
        index: min((p.pts * units[index] for p in own if p.pts is not None), default=0.0)
        for index, own in packets.items()
        if own
    }
    start = min(starts.values())
    pictures = [starts[s.index] for s in streams if isinstance(s, av.VideoStream) and s.index in starts]
    # Encoders of sound put their delay before 0 (Opus: 6.5 ms); the picture's first moment is the file's.
    if pictures and pictures[0] - start < 0.05:
        start = pictures[0]
    found = {}
    for stream in streams:
        own = packets[stream.index]
        if not own:
            continue
        unit, video = units[stream.index], isinstance(stream, av.VideoStream)
        obstacle, turns = fitness(stream, own), 0
        if may_turn and isinstance(stream, av.VideoStream) and (turns := _quarter_turns(stream, own)):
            obstacle = obstacle or "its picture has to be turned"
        found[Kind.VIDEO if video else Kind.AUDIO] = FoundTrack(
            stream=stream,
            unit=unit,
            start=start,
            obstacle=obstacle,
            quarter_turns=turns,
            key_interval_s=_key_interval(own, unit) if video else 0.0,
        )
    return found


def _quarter_turns(stream: av.VideoStream, packets: list[AnyPacket]) -> int:
    """Say how the file wants the picture turned, as phones do; only a decoded picture tells."""
    try:
        for packet in packets[:16]:
            for frame in stream.codec_context.decode(packet):
                return frame.rotation % 360 // 90
    except av.error.FFmpegError:
        return 0
    finally:
        stream.codec_context.flush_buffers()
    return 0


def _key_interval(packets: list[AnyPacket], unit: float) -> float:
    keys = [p.dts for p in packets if p.is_keyframe and p.dts is not None]
    ends = [packets[-1].dts] if packets[-1].dts is not None else []
    return max((b - a for a, b in pairwise(keys + ends)), default=0) * unit


def _missing(kinds: Iterable[Kind]) -> str:
    names = {Kind.AUDIO: "sound", Kind.VIDEO: "picture"}
    wanted = [names[kind] for kind in kinds]
    return "neither " + " nor ".join(wanted) if len(wanted) > 1 else f"no {wanted[0]}"
