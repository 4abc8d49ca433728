"""What is sent in interop tests, so that what is received is known: a tone of a frequency of its own, marked pictures.

Our endpoints play `signal`; Chromium takes the same for its microphone and camera from the files of `write_devices`.
"""

from __future__ import annotations

import base64
import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pexrtc_py.media.frames import Codec, Kind, Source
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.marks_source import Reference, ReferenceConfig
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.generated import Generated, Screen
from pexrtc_py.media.sources.raw import Samples

__all__ = [
    "HEIGHT",
    "PEER_HZ",
    "PEER_MARKS",
    "RATE",
    "WIDTH",
    "levels",
    "mark_in_png",
    "mark_reader",
    "mean_colour",
    "reference_of",
    "signal",
    "tone",
    "write_devices",
]

PEER_HZ = 440
PEER_MARKS = range(3_000_000, 3_010_000)
"""What peers that are not ours send; GStreamer has colour bars instead of marks."""

WIDTH, HEIGHT, FRAME_RATE = 640, 360, 15.0
RATE = 48000
_PEAK = 4000


def tone(hz: int, count: int, begin: int = 0) -> NDArray[np.int16]:
    """Return samples of a tone, from one of its samples on."""
    return (_PEAK * np.sin(2 * np.pi * hz * (begin + np.arange(count)) / RATE)).astype(np.int16)


def reference_of(first_id: int) -> Reference:
    """Return the pictures whose marks count from this number."""
    return Reference(ReferenceConfig(width=WIDTH, height=HEIGHT, frame_rate=FRAME_RATE, first_id=first_id))


def signal(hz: int | None, first_id: int | None, accept: dict[Kind, list[Codec]]) -> Source:
    """Return an endless source: a tone of `hz`, and pictures whose marks count from `first_id`; None leaves one out."""
    piece = RATE // 50

    def sound(number: int) -> Samples:
        return tone(hz or 0, piece, number % 50 * piece)[:, None]  # whole turns in each second

    raw = Generated(
        sound=None if hz is None else sound,
        picture=None if first_id is None else reference_of(first_id).picture,
        screen=Screen(width=WIDTH, height=HEIGHT, frame_rate=FRAME_RATE),
    )
    return EncodedSource(raw, accept=accept)


def write_devices(folder: Path, hz: int, first_id: int) -> list[str]:
    """Write two seconds for Chromium to play again and again; returns the flags that make it."""
    sound, pictures = folder / "microphone.wav", folder / "camera.y4m"
    with wave.open(str(sound), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(tone(hz, 2 * RATE).tobytes())
    reference = reference_of(first_id)
    with pictures.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FRAME_RATE:.0f}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(round(2 * FRAME_RATE)):
            out.write(b"FRAME\n" + reference.picture(number).to_ndarray().tobytes())
    return [f"--use-file-for-fake-audio-capture={sound}", f"--use-file-for-fake-video-capture={pictures}"]


def mark_reader() -> MarkReader:
    """Return a reader of the marks of these pictures."""
    return MarkReader(WIDTH, HEIGHT, search_every=5)


def mark_in_png(reader: MarkReader, text: str) -> int | None:
    """Return the number of the picture in a PNG in base64, None when it has none."""
    found = reader.read(np.asarray(_image(text).convert("L")))
    return None if found is None else found.mark.frame_id


def mean_colour(text: str) -> tuple[float, float, float]:
    """Return mean red, green and blue of a PNG in base64."""
    red, green, blue = np.asarray(_image(text).convert("RGB")).reshape(-1, 3).mean(axis=0)
    return float(red), float(green), float(blue)


def _image(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))


def levels(samples: NDArray[np.int16], *frequencies: int) -> list[float]:
    """Return the level of each frequency in decibels, a full-scale sine being 0."""
    window = np.hanning(len(samples))
    spectrum = np.abs(np.fft.rfft(samples / 32768 * window)) * 2 / window.sum()
    bins = [round(hz * len(samples) / RATE) for hz in frequencies]
    return [float(20 * np.log10(max(1e-9, spectrum[max(0, at - 1) : at + 2].max()))) for at in bins]
