"""A whole file out of one that was not closed: every packet that can be read, with index and length.

Nothing is decoded and the damaged file is left as it is. For files of unknown state: callers use `child`.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import av
import av.container
import av.error
import av.stream

from ..errors import SourceError, WriteError
from .writers.target import Target

__all__ = ["Repaired", "repair_file", "repaired_path", "repairing_path", "unread_bytes"]

_OVERHEAD = 64 << 10
"""What a container has before its first packet, at most: tracks, room for an index."""
_OVERHEAD_PER_PACKET = 64
"""What it has around a packet, at most: of a block, a sample or a page."""
_FORMATS = {".mkv": "matroska", ".webm": "webm", ".mp4": "mp4", ".ogg": "ogg", ".wav": "wav"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What was saved."""

    file: str
    """Where it is."""
    packets: int
    """How many packets it has."""
    bytes: int
    """Their size together."""
    duration_s: float
    """Time of the last one."""
    unread_bytes: int
    """Of the damaged file, see `unread_bytes`. A kill leaves at most the half second that was being written."""


def repaired_path(path: Path) -> Path:
    """Return where a mended file goes: `talk.part.mkv` becomes `talk.mkv`, any other `talk.mkv` `talk.repaired.mkv`."""
    stem = path.stem
    return path.with_name(
        f"{stem.removesuffix('.part')}{path.suffix}" if stem.endswith(".part") else f"{stem}.repaired{path.suffix}"
    )


def repairing_path(target_path: Path) -> Path:
    """Return what a mended file is called while it is being written."""
    return target_path.with_name(f"{target_path.stem}.repairing{target_path.suffix}")


def repair_file(path: Path, target_path: Path) -> Repaired:
    """Copy what can be read of `path` to a new file.

    Raises:
        SourceError: nothing of it can be read.
        UsageError: the target exists or cannot be made.
        WriteError: the target failed.
    """
    try:
        source = av.open(path)
    except (OSError, av.error.FFmpegError) as exc:
        raise SourceError(f"{path}: nothing can be read: {exc.strerror}") from exc
    with source:
        target = Target(target_path, part=repairing_path(target_path))
        copied = _Copied()
        try:
            _copy(source, target, _FORMATS.get(path.suffix.lower(), "matroska"), copied)
        except (av.error.FFmpegError, ValueError) as exc:
            target.fail(str(exc), exc)
        if not copied.packets and target.error is None:
            target.discard()
            raise SourceError(f"{path}: it holds no packet that can be read")
        target.sync()  # who removes the damaged file then must not lose both to a power cut
        made = target.close()
    if target.error is not None:
        raise WriteError(str(target.error)) from target.error
    return Repaired(
        file=str(made),
        packets=copied.packets,
        bytes=copied.bytes,
        duration_s=copied.last_s,
        unread_bytes=unread_bytes(path.stat().st_size, packets=copied.packets, in_packets=copied.bytes),
    )


def unread_bytes(size: int, *, packets: int, in_packets: int) -> int:
    """Return what of a file of a size lies neither in the packets that were read, nor can be its container's own."""
    return max(0, size - in_packets - _OVERHEAD - _OVERHEAD_PER_PACKET * packets)


@dataclass(slots=True)
class _Copied:
    packets: int = 0
    bytes: int = 0
    last_s: float = 0.0


def _copy(source: av.container.InputContainer, target: Target, format_name: str, copied: _Copied) -> None:
    with av.open(target, "w", format=format_name) as output:
        streams: dict[int, av.stream.Stream] = {
            stream.index: output.add_stream_from_template(stream, opaque=True)
            for stream in source.streams
            if isinstance(stream, av.AudioStream | av.VideoStream)
        }
        output.metadata.update(source.metadata)
        output.start_encoding()
        last: dict[int, int] = {}
        reader = source.demux()
        while True:
            try:
                packet = next(reader)
            except (StopIteration, av.error.FFmpegError):
                break  # what is behind the damage is out of reach
            index = packet.stream_index
            if index not in streams or not packet.size or packet.pts is None:
                continue
            if (dts := _decoded_at(packet, last.get(index))) is None:
                continue
            packet.dts = last[index] = dts
            copied.last_s = max(copied.last_s, float(packet.pts * packet.time_base))
            copied.bytes += packet.size
            packet.stream = streams[index]
            output.mux_one(packet)
            copied.packets += 1
        with suppress(UnicodeDecodeError):  # titles that are no text must not cost the rest
            output.set_chapters(source.chapters())


def _decoded_at(packet: av.Packet[av.stream.Stream], before: int | None) -> int | None:
    """Return when a packet is decoded, which no container lets step back; None for one that came again.

    Pictures that are shown in another order than they are decoded in, as encoders of files make them, stay in theirs.
    """
    shown = packet.pts or 0
    dts = shown if packet.dts is None else min(packet.dts, shown)
    if before is not None and dts <= before:
        dts = before + 1
    return dts if dts <= shown else None
