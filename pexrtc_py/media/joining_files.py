"""A recording and its slides in one file: every packet as it is, on the clock both were written by.

Written by our own muxers: libavformat's would hold all sound and pictures in memory until a presentation begins. Files
are read in step, so that memory does not grow with them. Nothing is decoded; callers use `child`: it takes a while.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import av.error
from av.bitstream import BitStreamFilterContext

from ..errors import SourceError, WriteError
from .frames import Codec, EncodedFrame, Kind
from .writers.containers import container_for
from .writers.muxer import Chapter
from .writers.target import Target
from .writers.tracks import TrackSpec

__all__ = ["Joined", "join_files"]

_CODECS = {"opus": Codec.OPUS, "pcm_mulaw": Codec.PCMU, "pcm_alaw": Codec.PCMA, "adpcm_g722": Codec.G722} | {
    "vp8": Codec.VP8,
    "vp9": Codec.VP9,
    "h264": Codec.H264,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What was made."""

    file: str
    """Where it is."""
    tracks: int
    """Tracks in it."""
    packets: int
    """Packets of all of them."""
    bytes: int
    """Its size."""


def join_files(paths: list[Path], target_path: Path) -> Joined:
    """Write the tracks of all files, in their order, to a new one; chapters are those of the first.

    Raises:
        SourceError: one cannot be read, or holds what no container of ours takes.
        UsageError: the target exists or cannot be made.
        WriteError: it failed.
    """
    readers = [_Reader(path) for path in paths]
    specs = [track.spec for reader in readers for track in reader.tracks.values()]
    container = container_for(target_path)
    if not specs or any(spec.codec not in container.codecs for spec in specs):
        raise SourceError(f"{target_path}: {container.name} does not carry what is to be in it")
    numbers = {id(track): n for n, track in enumerate(t for reader in readers for t in reader.tracks.values())}
    target = Target(target_path)
    muxer = container.muxer()
    packets = 0
    last: dict[int, int] = {}
    try:
        muxer.begin(target, specs, {})
        for at_s, _, track, frame in heapq.merge(*(reader.frames() for reader in readers), key=lambda one: one[:2]):
            index = numbers[id(track)]
            at = max(round(at_s * muxer.ticks_per_s(index)), last.get(index, -1) + 1)
            last[index] = at
            muxer.write(index, frame, at, round(frame.duration / frame.codec.clock_rate * muxer.ticks_per_s(index)))
            packets += 1
            if packets % 500 == 0:
                muxer.flush()
            if target.error is not None:
                break
        muxer.flush()
        muxer.finish(readers[0].chapters)
    except BaseException:
        target.discard()
        raise
    finally:
        for reader in readers:
            reader.close()
    size = target.size
    if target.error is not None:
        target.discard()
        raise WriteError(str(target.error)) from target.error
    return Joined(file=str(target.close()), tracks=len(specs), packets=packets, bytes=size)


@dataclass(slots=True)
class _Track:
    spec: TrackSpec
    to_annexb: BitStreamFilterContext | None


class _Reader:
    """One file, as frames in the order it has them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._container = av.open(path)
        except (OSError, av.error.FFmpegError) as exc:
            raise SourceError(f"{path}: cannot be read: {exc.strerror}") from exc
        self.tracks: dict[int, _Track] = {}
        for stream in self._container.streams:
            if isinstance(stream, av.AudioStream | av.VideoStream):
                self.tracks[stream.index] = self._track(stream)
        self.chapters = [
            Chapter(
                start_s=float(one["start"] * (base := one["time_base"] or 0)),
                end_s=float(one["end"] * base),
                title=one["metadata"].get("title", ""),
            )
            for one in self._container.chapters()
        ]

    def _track(self, stream: av.AudioStream | av.VideoStream) -> _Track:
        codec = _CODECS.get(stream.codec_context.codec.canonical_name)
        if codec is None:
            raise SourceError(f"{self._path}: {stream.codec_context.name} is not what we record")
        context = stream.codec_context
        title = stream.metadata.get("title", "")
        if isinstance(stream, av.AudioStream):
            return _Track(TrackSpec(codec=codec, channels=stream.codec_context.channels, title=title), None)
        to_annexb = BitStreamFilterContext("h264_mp4toannexb", stream) if codec is Codec.H264 else None
        sets = _annexb_sets(context.extradata or b"") if codec is Codec.H264 else b""
        width, height = stream.codec_context.width, stream.codec_context.height
        spec = TrackSpec(codec=codec, width=width, height=height, parameter_sets=sets, title=title)
        return _Track(spec, to_annexb)

    def frames(self) -> Iterator[tuple[float, int, _Track, EncodedFrame]]:
        for number, packet in enumerate(self._container.demux()):
            track = self.tracks.get(packet.stream_index)
            if track is None or not packet.size or packet.pts is None:
                continue
            at_s = float(packet.pts * packet.time_base)
            ticks = track.spec.codec.clock_rate
            ready = [packet] if track.to_annexb is None else track.to_annexb.filter(packet)
            for one in ready:
                duration = 0
                if track.spec.kind is Kind.AUDIO:
                    duration = round(float((packet.duration or 0) * packet.time_base) * ticks)
                frame = EncodedFrame(
                    codec=track.spec.codec,
                    data=bytes(one),
                    rtp_time=round(at_s * ticks),
                    time=at_s,
                    key=packet.is_keyframe,
                    duration=duration,
                )
                yield at_s, number, track, frame

    def close(self) -> None:
        """Close the file."""
        self._container.close()


def _annexb_sets(record: bytes) -> bytes:
    """Return the parameter sets of an AVCDecoderConfigurationRecord (ISO/IEC 14496-15 section 5.3.3.1)."""
    if record[:1] != b"\x01":
        return record
    units: list[bytes] = []
    at = 6
    for count in (record[5] & 31, None):
        if count is None:
            count, at = record[at], at + 1
        for _ in range(count):
            length = int.from_bytes(record[at : at + 2], "big")
            units.append(record[at + 2 : at + 2 + length])
            at += 2 + length
    return b"".join(b"\0\0\0\1" + unit for unit in units)
