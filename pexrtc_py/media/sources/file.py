"""A file of this machine as a source: sent as it is where that is possible, transcoded where it is not.

Passed as they are: VP8, H.264 without B-frames (out of MP4 and Matroska too) and Opus of 20 ms, if the other side takes
the codec. All else is decoded and encoded anew, each track by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import TypeVar

import av

from ...errors import SourceError
from ..frames import Codec, EncodedFrame, Kind, Source, TrackFormat
from .decoded import PictureDecoder, SoundDecoder, fitted_size
from .demuxed import AnyPacket, Demuxed, FoundTrack
from .encoded import EncodeConfig, PictureEncoder, SoundEncoder
from .opening import open_local, shown
from .packets import OpusPackets, VideoPackets, codec_of
from .raw import DEFAULT_ACCEPT, Accept, Picture, RawFormat, Sound, SoundTuning
from .sequence import Sequence

__all__ = ["DemuxedSource", "FileTrack", "RawFile", "open_file", "open_raw_file", "probe_file"]

T = TypeVar("T", Sound, Picture)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileTrack:
    """What a track of a file is, and how it can be sent."""

    codec_name: str
    """FFmpeg's name of the codec."""
    codec: Codec | None
    """The codec it can be sent with as it is; None when it has to be transcoded."""
    obstacle: str
    """Why it has to be transcoded; empty when it need not."""
    width: int
    """Pixels; 0 for audio."""
    height: int
    """Pixels; 0 for audio."""
    frame_rate: float
    """Pictures per second on average; 0 when unknown or for audio."""
    channels: int
    """0 for video."""
    key_interval_s: float
    """Longest time between key frames in the first seconds; 0 for audio."""


def probe_file(path: Path | str) -> Mapping[Kind, FileTrack]:
    """Look at the beginning of a file, to order codecs in an offer so that it can be sent as it is.

    Raises:
        SourceError: it cannot be opened, or there is nothing to play in it.
    """
    path = Path(path)
    opened: Demuxed[EncodedFrame] = Demuxed(shown(str(path)), open_local(path), Kind)
    try:
        return {kind: _described(track) for kind, track in opened.tracks.items()}
    finally:
        opened.close()


def open_file(
    path: Path | str,
    *,
    accept: Accept = DEFAULT_ACCEPT,
    loop: int | None = 1,
    config: EncodeConfig | None = None,
) -> Source:
    """Open a media file to be sent.

    Args:
        path: any file FFmpeg reads.
        accept: codecs that can be sent, by kind; where the file's is not among them, the first one is encoded to.
        loop: how often it is played, without a seam; None: until stopped.
        config: how to encode what has to be encoded.

    Raises:
        SourceError: it cannot be opened, or there is nothing to play in it; the message names the file.
    """
    path = Path(path)

    def opener() -> Source:
        return DemuxedSource(Demuxed(shown(str(path)), open_local(path), accept), accept, config or EncodeConfig())

    # Played once too it is a sequence: that keeps sound without a hole, whatever holes the file has.
    return Sequence(repeat(opener) if loop is None else repeat(opener, loop))


def open_raw_file(
    path: Path | str, *, kinds: Iterable[Kind] = Kind, largest: tuple[int, int] = (1920, 1080)
) -> RawFile:
    """Open a media file to be decoded: to be mixed, faded, laid over, measured.

    Raises:
        SourceError: it cannot be opened, or there is nothing to play in it; the message names the file.
    """
    path = Path(path)
    return RawFile(Demuxed(shown(str(path)), open_local(path), kinds), largest)


class RawFile:
    """A `RawSource` of an opened input. `live` is said by who opened it."""

    def __init__(self, opened: Demuxed[Sound | Picture], largest: tuple[int, int], *, live: bool = False) -> None:
        self._opened = opened
        self.live = live
        self.formats: Mapping[Kind, RawFormat] = {
            kind: _raw_format(track, largest) for kind, track in opened.tracks.items()
        }
        for kind, track in opened.tracks.items():
            opened.route(kind, _decoder(track, self.formats[kind], largest).feed)

    def pull(self) -> Sound | Picture | None:
        """Return the next piece in order of time; None at the end.

        Raises:
            SourceError: the input broke.
        """
        return self._opened.pull()

    def close(self) -> None:
        """Close the input. Idempotent."""
        self._opened.close()


class DemuxedSource:
    """A `Source` of an opened input: each track passed as it is, or decoded and encoded."""

    def __init__(
        self, opened: Demuxed[EncodedFrame], accept: Accept, config: EncodeConfig, *, live: bool = False
    ) -> None:
        self._opened = opened
        self.name = opened.name
        """What messages call it."""
        self.live = live
        self._pictures: PictureEncoder | None = None
        self._sound: SoundEncoder | None = None
        self.formats: Mapping[Kind, TrackFormat] = {
            kind: self._route(kind, track, accept[kind], config)
            for kind, track in opened.tracks.items()
            if accept.get(kind)
        }
        self._given = False

    def pull(self) -> EncodedFrame | None:
        """Return the next frame in order of time; None at the end.

        Raises:
            SourceError: the input broke, or nothing in it could be decoded.
        """
        frame = self._opened.pull()
        if frame is None and not self._given:
            raise SourceError(f"{self._opened.name}: nothing in it can be decoded")
        self._given = True
        return frame

    def request_key_frame(self) -> None:
        """Make the next encoded picture a key frame; packets passed as they are have theirs. Thread-safe."""
        if self._pictures is not None:
            self._pictures.request_key_frame()

    def set_bitrate(self, video_bps: int) -> None:
        """Encode pictures at this many bits per second; packets passed as they are stay. Thread-safe."""
        if self._pictures is not None:
            self._pictures.set_bitrate(video_bps)

    def tune_sound(self, tuning: SoundTuning) -> None:
        """See `Tunable`."""
        if self._sound is not None:
            self._sound.tune(tuning)

    @property
    def encodes(self) -> bool:
        """Whether pictures are encoded anew, and not sent as they came."""
        return self._pictures is not None

    @property
    def passes_pictures(self) -> bool:
        """Whether pictures are sent as they came, so that none can be made a key frame."""
        return Kind.VIDEO in self.formats and self._pictures is None

    def close(self) -> None:
        """Close the input. Idempotent."""
        self._opened.close()

    def _route(self, kind: Kind, track: FoundTrack, codecs: Iterable[Codec], config: EncodeConfig) -> TrackFormat:
        codecs = tuple(codecs)
        form = _raw_format(track, config.largest)
        as_it_is = codec_of(track.stream)
        levelled = kind is Kind.AUDIO and config.level_lufs is not None
        if as_it_is is not None and as_it_is in codecs and not track.obstacle and not levelled:
            return self._pass(kind, track, as_it_is)
        decoder = _decoder(track, form, config.largest)
        if isinstance(decoder, SoundDecoder):
            self._sound = SoundEncoder(codecs[0], form, config)
            self._opened.route(kind, _chained(decoder.feed, self._sound.encode))
            return self._sound.format
        self._pictures = PictureEncoder(codecs[0], form, config)
        self._opened.route(kind, _chained(decoder.feed, self._pictures.encode))
        return self._pictures.format

    def _pass(self, kind: Kind, track: FoundTrack, codec: Codec) -> TrackFormat:
        stream = track.stream
        if isinstance(stream, av.VideoStream):
            self._opened.route(kind, VideoPackets(stream, codec, track.start, track.unit).feed)
            return TrackFormat(
                codec=codec,
                width=stream.codec_context.width,
                height=stream.codec_context.height,
                frame_rate=float(stream.average_rate or 0),
                bitrate_bps=stream.bit_rate or 0,
            )
        self._opened.route(kind, OpusPackets(track.start, track.unit).feed)
        return TrackFormat(codec=codec, channels=stream.codec_context.channels, bitrate_bps=stream.bit_rate or 0)


def _decoder(track: FoundTrack, form: RawFormat, largest: tuple[int, int]) -> SoundDecoder | PictureDecoder:
    if isinstance(track.stream, av.AudioStream):
        return SoundDecoder(track.stream, track.start, channels=form.channels)
    return PictureDecoder(track.stream, track.start, largest=largest)


def _chained(
    decode: Callable[[AnyPacket | None], Iterable[T]], encode: Callable[[T], list[EncodedFrame]]
) -> Callable[[AnyPacket | None], Iterator[EncodedFrame]]:
    def feed(packet: AnyPacket | None) -> Iterator[EncodedFrame]:
        for item in decode(packet):
            yield from encode(item)

    return feed


def _raw_format(track: FoundTrack, largest: tuple[int, int]) -> RawFormat:
    stream = track.stream
    if isinstance(stream, av.AudioStream):
        return RawFormat(channels=1 if stream.codec_context.channels == 1 else 2)
    context = stream.codec_context
    width, height = round(context.width * float(context.sample_aspect_ratio or 1)), context.height
    if track.quarter_turns % 2:
        width, height = height, width
    width, height = fitted_size(width, height, largest)
    return RawFormat(width=width, height=height, frame_rate=float(stream.average_rate or 0))


def _described(track: FoundTrack) -> FileTrack:
    stream = track.stream
    picture = stream.codec_context if isinstance(stream, av.VideoStream) else None
    return FileTrack(
        codec_name=stream.codec_context.name,
        codec=None if track.obstacle else codec_of(stream),
        obstacle=track.obstacle,
        width=picture.width if picture else 0,
        height=picture.height if picture else 0,
        frame_rate=float(stream.average_rate or 0) if isinstance(stream, av.VideoStream) else 0.0,
        channels=stream.codec_context.channels if isinstance(stream, av.AudioStream) else 0,
        key_interval_s=track.key_interval_s,
    )
