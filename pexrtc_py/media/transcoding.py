"""A recording in another form, for those who cannot play what conferences are encoded with.

Decodes and encodes: always in a child (`child`), after the recording is complete, which is never touched. Time is kept:
pictures keep their moments, holes in sound are filled with silence, a picture of another size is fitted into the first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.container
import av.error
import av.filter
import numpy as np

from ..errors import SourceError, UsageError, WriteError
from .writers.target import Target

__all__ = ["PRESETS", "Preset", "Transcoded", "preset_named", "transcode_file", "transcoded_path"]

_RATE = 48000
_HOLE_S = 0.06
"""Sound that is missing for less than this is jitter of its timestamps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """What a recording is made into."""

    name: str
    """What it is called on the command line."""
    suffix: str
    """Ending of the file."""
    format: str
    """libavformat's name of the container."""
    audio_codec: str
    """libavcodec's name of the encoder."""
    audio_bps: int
    """Bits per second of sound."""
    video_codec: str | None = None
    """Likewise; None for sound alone."""
    video_options: tuple[tuple[str, str], ...] = ()
    """Of the encoder."""
    largest: tuple[int, int] = (1920, 1080)
    """Width and height that no picture goes beyond."""


PRESETS: Mapping[str, Preset] = {
    preset.name: preset
    for preset in (
        Preset(
            name="mp4",
            suffix=".mp4",
            format="mp4",
            audio_codec="aac",
            audio_bps=128_000,
            video_codec="libx264",
            video_options=(("preset", "veryfast"), ("crf", "23")),
        ),
        Preset(
            name="small",
            suffix=".mp4",
            format="mp4",
            audio_codec="aac",
            audio_bps=64_000,
            video_codec="libx264",
            video_options=(("preset", "veryfast"), ("crf", "30")),
            largest=(640, 360),
        ),
        Preset(name="m4a", suffix=".m4a", format="mp4", audio_codec="aac", audio_bps=96_000),
        Preset(name="mp3", suffix=".mp3", format="mp3", audio_codec="libmp3lame", audio_bps=96_000),
    )
}
"""By name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcoded:
    """What was made."""

    file: str
    """Where it is."""
    duration_s: float
    """Seconds of it."""
    pictures: int
    """Pictures in it."""


def preset_named(name: str) -> Preset:
    """Return a preset.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in PRESETS:
        raise UsageError(f"no preset is called {name!r}; there are: {', '.join(PRESETS)}")
    return PRESETS[name]


def transcoded_path(path: Path, preset: Preset) -> Path:
    """Return where a recording goes: `talk.mkv` to `talk.mp4`, and `talk.mp4` to `talk.small.mp4`."""
    made = path.with_suffix(preset.suffix)
    return made if made != path else path.with_name(f"{path.stem}.{preset.name}{preset.suffix}")


def transcode_file(path: Path, target_path: Path, preset: Preset) -> Transcoded:
    """Decode a recording's sound and main picture, and encode them.

    Raises:
        SourceError: it cannot be read, or holds nothing the preset is of.
        UsageError: the target exists or cannot be made.
        WriteError: it failed.
    """
    try:
        source = av.open(path)
    except (OSError, av.error.FFmpegError) as exc:
        raise SourceError(f"{path}: cannot be read: {exc.strerror}") from exc
    with source:
        if not source.streams.audio and (preset.video_codec is None or not source.streams.video):
            raise SourceError(f"{path}: there is nothing in it for preset {preset.name}")
        target = Target(target_path)
        try:
            job = _Transcoding(source, target, preset)
            job.run()
        except (av.error.FFmpegError, ValueError) as exc:
            target.discard()
            raise SourceError(f"{path}: not transcoded: {exc}") from exc
        except BaseException:
            target.discard()
            raise
    if target.error is not None:
        target.discard()
        raise WriteError(str(target.error)) from target.error
    return Transcoded(file=str(target.close()), duration_s=round(job.end_s, 3), pictures=job.pictures)


class _Transcoding:
    def __init__(self, source: av.container.InputContainer, target: Target, preset: Preset) -> None:
        self._source = source
        self._preset = preset
        self._output = av.open(target, "w", format=preset.format)
        self._audio: av.AudioStream | None = None
        self._video: av.VideoStream | None = None
        self._fitter: tuple[tuple[int, int], av.filter.Graph] | None = None
        self._last_picture = -1
        self._samples = 0
        self.end_s = 0.0
        self.pictures = 0
        if source.streams.audio:
            self._audio = self._output.add_stream(preset.audio_codec, rate=_RATE)  # type: ignore[assignment]  # an encoder of sound
            assert self._audio is not None
            self._audio.layout = "stereo"
            self._audio.bit_rate = preset.audio_bps
            self._resampler = av.AudioResampler(format="s16", layout="stereo", rate=_RATE)
            self._fifo = av.AudioFifo()
        if source.streams.video and preset.video_codec is not None:
            first = source.streams.video[0].codec_context
            video: Any = self._output.add_stream(preset.video_codec, options=dict(preset.video_options))
            video.width, video.height = _fitted(first.width, first.height, preset.largest)
            video.pix_fmt = "yuv420p"
            video.time_base = video.codec_context.time_base = Fraction(1, 1000)
            self._video = video
        self._output.metadata.update(source.metadata)
        self._output.set_chapters(source.chapters())

    def run(self) -> None:
        streams = (*self._source.streams.audio[:1], *self._source.streams.video[:1])
        for packet in self._source.demux([stream for stream in streams if self._wants(stream)]):
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                continue  # one that cannot be decoded costs itself
            for frame in frames:
                if isinstance(frame, av.AudioFrame):
                    self._take_sound(frame)
                elif isinstance(frame, av.VideoFrame):
                    self._take_picture(frame)
        if self._audio is not None:
            self._encode_sound(flush=True)
        for stream in (self._audio, self._video):
            if stream is not None:
                for packet in stream.encode(None):
                    self._output.mux(packet)
        self._output.close()

    def _wants(self, stream: av.stream.Stream) -> bool:
        return (self._audio is not None) if stream.type == "audio" else (self._video is not None)

    def _take_sound(self, decoded: av.AudioFrame) -> None:
        at_s = decoded.time or 0.0
        missing = round(at_s * _RATE) - self._samples
        if missing > _HOLE_S * _RATE:
            self._add(np.zeros((1, 2 * missing), np.int16))
        decoded.pts = None
        for frame in self._resampler.resample(decoded):
            self._add(frame.to_ndarray().astype(np.int16, copy=False))
        self._encode_sound()

    def _add(self, samples: np.ndarray[tuple[int, ...], np.dtype[np.int16]]) -> None:
        for begin in range(0, samples.shape[1], 2 * _RATE):
            frame = av.AudioFrame.from_ndarray(samples[:, begin : begin + 2 * _RATE], format="s16", layout="stereo")
            frame.sample_rate = _RATE
            frame.pts = self._samples
            frame.time_base = Fraction(1, _RATE)
            self._samples += frame.samples
            self._fifo.write(frame)
            self._encode_sound()

    def _encode_sound(self, *, flush: bool = False) -> None:
        assert self._audio is not None
        size = self._audio.codec_context.frame_size or 1024
        while (frame := self._fifo.read(size, partial=flush)) is not None:
            for packet in self._audio.encode(frame):
                self._output.mux(packet)
        self.end_s = max(self.end_s, self._samples / _RATE)

    def _take_picture(self, frame: av.VideoFrame) -> None:
        assert self._video is not None
        at = max(round((frame.time or 0.0) * 1000), self._last_picture + 1)
        self._last_picture = at
        picture = self._fit(frame)
        picture.pts, picture.time_base = at, Fraction(1, 1000)
        picture.pict_type = av.video.frame.PictureType.NONE
        for packet in self._video.encode(picture):
            self._output.mux(packet)
        self.pictures += 1
        self.end_s = max(self.end_s, at / 1000)

    def _fit(self, frame: av.VideoFrame) -> av.VideoFrame:
        """Return the picture at the file's size, with bars where its shape is another."""
        assert self._video is not None
        wanted = (self._video.width, self._video.height)
        size = (frame.width, frame.height)
        if size == wanted:
            return frame.reformat(format="yuv420p")
        if self._fitter is None or self._fitter[0] != size:
            graph = av.filter.Graph()
            begin = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 1000)
            )
            scale = graph.add("scale", f"{wanted[0]}:{wanted[1]}:force_original_aspect_ratio=decrease")
            pad = graph.add("pad", f"{wanted[0]}:{wanted[1]}:(ow-iw)/2:(oh-ih)/2")
            last = graph.add("format", "yuv420p")
            end = graph.add("buffersink")
            graph.link_nodes(begin, scale, pad, last, end).configure()
            self._fitter = (size, graph)
        graph = self._fitter[1]
        graph.push(frame)
        fitted = graph.pull()
        assert isinstance(fitted, av.VideoFrame)
        return fitted


def _fitted(width: int, height: int, largest: tuple[int, int]) -> tuple[int, int]:
    """Return an even size within `largest`, of the same shape."""
    scale = min(1.0, largest[0] / max(1, width), largest[1] / max(1, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)
