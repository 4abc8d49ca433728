"""What the tests of sources look at: sound by its frequencies, pictures by their pixels; and files to try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from pexrtc_py.media.decoding import AudioDecoding, VideoDecoding
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind, Source
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.media.sources.raw import Picture, RawSource, Samples, Sound

Luma = NDArray[np.uint8]
VP8 = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8,)}
H264 = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.H264,)}
"""What a conference that takes VP8, or H.264, accepts."""


def steps(frames: Sequence[EncodedFrame]) -> set[int]:
    """Return the differences of RTP time that occur."""
    return {b.rtp_time - a.rtp_time for a, b in pairwise(frames)}


def drained(source: Source, most: int = 100_000) -> dict[Kind, list[EncodedFrame]]:
    """Pull everything, check that it is in order of time, and close."""
    found: dict[Kind, list[EncodedFrame]] = {Kind.AUDIO: [], Kind.VIDEO: []}
    last = -1.0
    for _ in range(most):
        frame = source.pull()
        if frame is None:
            break
        assert frame.time >= last - 1e-6
        last = frame.time
        found[frame.kind].append(frame)
    source.close()
    for frames in found.values():
        assert all(step > 0 for step in steps(frames))
    return found


def raw_drained(source: RawSource, most: int = 100_000) -> tuple[Samples, list[Picture]]:
    """Pull everything raw: all sound in one array, and the pictures."""
    sounds: list[Sound] = []
    pictures: list[Picture] = []
    for _ in range(most):
        item = source.pull()
        if item is None:
            break
        if isinstance(item, Picture):
            pictures.append(item)
        else:
            assert len(item.samples) == 960
            assert item.rtp_time == 960 * len(sounds)
            sounds.append(item)
    source.close()
    joined = np.concatenate([s.samples for s in sounds]) if sounds else np.zeros((0, 1), np.int16)
    return joined, pictures


def heard(frames: Sequence[EncodedFrame], channels: int = 1) -> Samples:
    """Decode sound."""
    decoding = AudioDecoding(channels=channels)
    return np.concatenate([sound.samples for frame in frames for sound in decoding.feed(frame)])


def seen(frames: Sequence[EncodedFrame]) -> list[Picture]:
    """Decode pictures."""
    decoding = VideoDecoding()
    return [picture for frame in frames for picture in decoding.feed(frame)]


def luma(frame: av.VideoFrame) -> Luma:
    """Return the luma plane."""
    return frame.to_ndarray(format="gray").astype(np.uint8)


def colour(frame: av.VideoFrame, x: float, y: float) -> tuple[int, int, int]:
    """Return red, green and blue at a place given in fractions of the sides."""
    rgb = frame.to_ndarray(format="rgb24")
    r, g, b = rgb[int(y * (rgb.shape[0] - 1)), int(x * (rgb.shape[1] - 1))]
    return int(r), int(g), int(b)


def loudest_hz(samples: Samples) -> float:
    """Return the frequency that stands out most."""
    mono = samples.astype(np.float64).mean(axis=1)
    spectrum = np.abs(np.fft.rfft(mono * np.hanning(len(mono))))
    return float(np.fft.rfftfreq(len(mono), 1 / 48000)[int(spectrum.argmax())])


def level_db(samples: Samples) -> float:
    """Return the RMS level in dBFS."""
    rms = float(np.sqrt(np.mean(np.square(samples.astype(np.float64)))))
    return 20 * float(np.log10(max(rms, 1e-3) / 32768))


def write_media(
    path: Path,
    *,
    video: str | None = None,
    audio: str | None = None,
    seconds: float = 2.0,
    size: tuple[int, int] = (320, 180),
    frame_rate: int = 25,
    sample_rate: int = 48000,
    tone_hz: float = 1000.0,
    amplitude: float = 0.25,
    layout: str = "mono",
    options: dict[str, str] | None = None,
    paint: Callable[[int], tuple[int, int, int]] = lambda number: (number * 5 % 200, 120, 60),
    aspect: Fraction | None = None,
    turned: int = 0,
) -> Path:
    """Write a file to try: one colour per picture, one tone."""
    with av.open(path, "w") as container:
        pictures = container.add_stream(video, frame_rate, options=options) if video else None
        sound = container.add_stream(audio, sample_rate, options=options) if audio else None
        if isinstance(pictures, av.VideoStream):
            pictures.width, pictures.height, pictures.pix_fmt = *size, "yuv420p"
            pictures.sample_aspect_ratio = aspect or Fraction(1)  # type: ignore[assignment, unused-ignore]  # PyAV 19 says its own
            if turned:
                pictures.set_display_rotation(turned)
        if isinstance(sound, av.AudioStream):
            sound.layout = layout
        container.start_encoding()
        if isinstance(pictures, av.VideoStream):
            for number in range(round(seconds * frame_rate)):
                plain = np.full((size[1], size[0], 3), paint(number), np.uint8)
                frame = av.VideoFrame.from_ndarray(plain, "rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = number, Fraction(1, frame_rate)
                container.mux(pictures.encode(frame))
            container.mux(pictures.encode(None))
        if isinstance(sound, av.AudioStream):
            count = round(seconds * sample_rate)
            wave = amplitude * np.sin(2 * np.pi * tone_hz * np.arange(count) / sample_rate)
            step = sound.codec_context.frame_size or 960
            for start in range(0, count, step):
                part = np.repeat(wave[start : start + step][None, :], len(sound.layout.channels), axis=0)
                planar = av.AudioFrame.from_ndarray(part.astype(np.float32), "fltp", layout)
                planar.sample_rate = sample_rate
                (piece,) = av.AudioResampler(sound.format.name, layout, sample_rate).resample(planar)
                piece.pts, piece.time_base = start, Fraction(1, sample_rate)
                container.mux(sound.encode(piece))
            container.mux(sound.encode(None))
    return path


def copy_media(source: Path, target: Path, change: Callable[[int, bytes], bytes | None]) -> Path:
    """Copy the first track of a file packet by packet; `change` gets number and data, and may alter it or drop it."""
    with av.open(source) as given, av.open(target, "w") as written:
        stream = given.streams[0]
        copy = written.add_stream_from_template(stream)
        for number, packet in enumerate(p for p in given.demux(stream) if p.size):
            if (data := change(number, bytes(packet))) is not None:
                made = av.Packet(data)
                made.pts, made.dts, made.time_base = packet.pts, packet.dts, packet.time_base
                made.stream, made.is_keyframe = copy, packet.is_keyframe
                written.mux(made)
    return target


def later(source: Path, seconds: float) -> Path:
    """Copy a transport stream so that it goes on where another ends that began as it did; returns the copy."""
    target = source.with_name(f"later-{source.name}")
    with av.open(source) as given, av.open(target, "w") as written:
        copies = {s.index: written.add_stream_from_template(s) for s in (*given.streams.video, *given.streams.audio)}
        for packet in given.demux():
            if packet.size and packet.pts is not None and packet.dts is not None and packet.time_base is not None:
                shift = round(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                packet.stream = copies[packet.stream_index]
                written.mux(packet)
    return target


def formats_of(path: Path) -> dict[Kind, object]:
    """Open a file and close it; return what it would have played."""
    source = open_file(path)
    source.close()
    return dict(source.formats)
