"""Whether a recording is whole: read packet by packet, decoded only when asked.

It runs on files that a crash, a full disk or a stranger made, so callers use it in a child process (`child`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

import av
import av.container
import av.error
import av.stream

from ..errors import SourceError
from .file_end import Ending, ending_of
from .frames import Kind
from .writers.tracks import HOLE_S

__all__ = ["Integrity", "Interruption", "Problem", "StreamIntegrity", "inspect_file"]

_KEY_INTERVAL_S = 60.0


class Problem(StrEnum):
    """What can be wrong with a file."""

    UNREADABLE = "unreadable"
    NOT_CLOSED = "not closed"
    TRUNCATED = "truncated"
    EMPTY = "empty stream"
    NO_KEY_FRAME = "does not begin with a key frame"
    FEW_KEY_FRAMES = "more than a minute without a key frame"
    HOLES = "holes"
    BACKWARDS = "times that step back"
    UNDECODABLE = "frames that do not decode"
    APART = "sound and picture do not begin or end together"


@dataclass(frozen=True, slots=True, kw_only=True)
class Interruption:
    """Time without a packet of a stream."""

    start_s: float
    """End of the packet before."""
    end_s: float
    """Start of the one after."""


@dataclass(slots=True, kw_only=True)
class StreamIntegrity:
    """What was found of one stream."""

    index: int
    kind: str
    codec: str
    packets: int = 0
    key_frames: int = 0
    bytes: int = 0
    first_s: float | None = None
    last_s: float | None = None
    begins_with_key: bool = False
    longest_without_key_s: float = 0.0
    backwards: int = 0
    """Packets whose time of decoding is not after that of the one before."""
    undecodable: int = 0
    """Packets a decoder refused; 0 when nothing was decoded."""
    holes: list[Interruption] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Integrity:
    """What was found of a file."""

    file: str
    ending: Ending
    """Whether it was closed."""
    duration_s: float
    """End of the last packet."""
    start_offset_s: float | None
    """Start of the first picture less that of the first sound; None without one of them."""
    end_offset_s: float | None
    """The same of their ends."""
    streams: list[StreamIntegrity]
    problems: list[Problem]
    """Empty for a whole file."""


def inspect_file(path: Path, *, decode: bool = False) -> Integrity:
    """Read a file from beginning to end.

    Args:
        path: what to read.
        decode: decode every packet as well and count those that do not; dear.

    Raises:
        SourceError: there is no such file.
    """
    if not path.is_file():
        raise SourceError(f"{path}: no such file")
    ending = ending_of(path)
    streams: list[StreamIntegrity] = []
    marks: dict[int, _Marks] = {}
    readable = True
    try:
        with av.open(path) as container:
            for stream in container.streams:
                if stream.type in ("audio", "video"):
                    streams.append(
                        StreamIntegrity(index=stream.index, kind=stream.type, codec=stream.codec_context.name)
                    )
            by_index = {one.index: one for one in streams}
            for packet in _packets(container):
                if (one := by_index.get(packet.stream_index)) is not None:
                    _note(one, packet, marks.setdefault(one.index, _Marks()))
                    if decode:
                        _decode(one, packet)
    except av.error.FFmpegError:
        readable = any(one.packets for one in streams)
    sound = next((one for one in streams if one.kind == "audio" and one.packets), None)
    picture = next((one for one in streams if one.kind == "video" and one.packets), None)
    both = sound is not None and picture is not None
    return Integrity(
        file=path.name,
        ending=ending,
        duration_s=max((mark.end_s for mark in marks.values()), default=0.0),
        start_offset_s=(picture.first_s or 0.0) - (sound.first_s or 0.0) if sound and picture else None,
        end_offset_s=(picture.last_s or 0.0) - (sound.last_s or 0.0) if sound and picture else None,
        streams=streams,
        problems=_problems(ending, streams, readable=readable and bool(streams), both=both),
    )


def _packets(container: av.container.InputContainer) -> Iterator[av.Packet[av.stream.Stream]]:
    """Yield what can be read; damage in the middle ends it."""
    packets = container.demux()
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.error.FFmpegError):
            return
        if packet.size and packet.pts is not None:
            yield packet


@dataclass(slots=True)
class _Marks:
    end_s: float = 0.0
    key_s: float = 0.0
    decoded_s: float = 0.0


def _note(one: StreamIntegrity, packet: av.Packet[av.stream.Stream], marks: _Marks) -> None:
    base = packet.time_base
    at = float((packet.pts or 0) * base)
    # Pictures may be shown in another order than they are decoded in, as encoders of files have it.
    decoded_s = at if packet.dts is None else float(packet.dts * base)
    if one.last_s is None or one.first_s is None:
        one.first_s, one.begins_with_key = at, packet.is_keyframe
        marks.key_s = at
    else:
        one.first_s = min(one.first_s, at)
        if decoded_s <= marks.decoded_s:
            one.backwards += 1
        if at - marks.end_s > HOLE_S[Kind(one.kind)]:
            one.holes.append(Interruption(start_s=round(marks.end_s, 3), end_s=round(at, 3)))
    if packet.is_keyframe:
        one.key_frames += 1
        marks.key_s = at
    one.longest_without_key_s = max(one.longest_without_key_s, at - marks.key_s)
    one.packets += 1
    one.bytes += packet.size
    one.last_s = at if one.last_s is None else max(one.last_s, at)
    marks.decoded_s = decoded_s
    marks.end_s = max(marks.end_s, at + float((packet.duration or 0) * base))


def _decode(one: StreamIntegrity, packet: av.Packet[av.stream.Stream]) -> None:
    try:
        packet.decode()
    except av.error.FFmpegError:
        one.undecodable += 1


def _problems(ending: Ending, streams: list[StreamIntegrity], *, readable: bool, both: bool) -> list[Problem]:
    if not readable:
        return [Problem.UNREADABLE]
    found = {
        Problem.NOT_CLOSED: ending is Ending.NOT_CLOSED,
        Problem.TRUNCATED: ending is Ending.TRUNCATED,
        Problem.EMPTY: all(not one.packets for one in streams),
        Problem.NO_KEY_FRAME: any(one.kind == "video" and one.packets and not one.begins_with_key for one in streams),
        Problem.FEW_KEY_FRAMES: any(
            one.kind == "video" and one.longest_without_key_s > _KEY_INTERVAL_S for one in streams
        ),
        Problem.HOLES: any(one.holes for one in streams),
        Problem.BACKWARDS: any(one.backwards for one in streams),
        Problem.UNDECODABLE: any(one.undecodable for one in streams),
        Problem.APART: both and _are_apart(streams),
    }
    return [problem for problem, is_so in found.items() if is_so]


def _are_apart(streams: list[StreamIntegrity]) -> bool:
    """Compare sound and main picture; a presentation that is a track begins and ends when it likes."""
    sound, picture = (next(one for one in streams if one.kind == kind and one.packets) for kind in ("audio", "video"))
    return any(
        abs((a or 0.0) - (b or 0.0)) > 2.0
        for a, b in ((sound.first_s, picture.first_s), (sound.last_s, picture.last_s))
    )
