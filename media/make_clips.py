"""Make the clips of this folder: `make clips`, or `python media/make_clips.py [FOLDER]`.

The voice is espeak-ng's, everything else is drawn and computed here, so that nothing has an owner but this project.
Each picture carries its own number, in digits for people and as a mark for programs (`pexrtc_py.media.marks`).
"""

from __future__ import annotations

import io
import math
import subprocess
import sys
import wave
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import PictureType
from PIL import Image, ImageDraw, ImageFont

from pexrtc_py.media.marks import Mark, draw_mark

RATE = 48000
FRAME_RATE = 30
KEY_EVERY = FRAME_RATE
SPOKEN = (
    "Welcome to this conference. This announcement is played by a program. "
    "If you hear every word, from the first to the last, the whole way works. Thank you."
)
Samples = np.ndarray[tuple[int], np.dtype[np.float32]]


def speak(text: str) -> Samples:
    """Return `text` spoken by espeak-ng, at 48 kHz, with a tenth of a second of silence at both ends."""
    command = ["espeak-ng", "-v", "en-gb", "-s", "165", "--stdout", text]
    spoken = subprocess.run(command, check=True, capture_output=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        # espeak-ng streams and cannot know the length, so the header's is nonsense: read to the end.
        rate, raw = file.getframerate(), file.readframes(1 << 30)
    samples = np.frombuffer(raw, np.int16).astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(samples) > 0.005)
    samples = samples[loud[0] : loud[-1] + 1]
    resampler = av.AudioResampler("flt", "mono", RATE)
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", "mono")
    frame.sample_rate = rate
    parts = [part.to_ndarray()[0] for part in (*resampler.resample(frame), *resampler.resample(None))]
    pause = np.zeros(RATE // 10, np.float32)
    return np.concatenate([pause, *parts, pause]).astype(np.float32)


def melody(seconds: float) -> Samples:
    """Return a small tune of plucked tones that begins and ends in silence, so that a loop of it has no click."""
    result = np.zeros(int(seconds * RATE), np.float32)
    notes = (440.0, 554.37, 659.26, 880.0, 659.26, 554.37)
    length = len(result) // len(notes)
    t = np.arange(length) / RATE
    for number, pitch in enumerate(notes):
        shape = np.minimum(t / 0.01, 1) * np.exp(-4 * t) * np.minimum((length / RATE - t) / 0.02, 1)
        result[number * length : (number + 1) * length] = 0.35 * shape * np.sin(2 * math.pi * pitch * t)
    return result


def level(samples: Samples, target_lufs: float = -20.0) -> Samples:
    """Set the integrated loudness (EBU R128) of `samples` to `target_lufs`."""
    graph = av.filter.Graph()
    graph.link_nodes(
        graph.add_abuffer(sample_rate=RATE, format="flt", layout="mono", time_base=Fraction(1, RATE)),
        graph.add("ebur128", "metadata=1"),
        graph.add("abuffersink"),
    ).configure()
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), "flt", "mono")
    frame.sample_rate, frame.pts = RATE, 0
    graph.push(frame)
    graph.push(None)
    measured = target_lufs
    while True:
        try:
            measured = float(graph.pull().metadata.get("lavfi.r128.I", measured))
        except (av.error.BlockingIOError, av.error.EOFError):
            break
    result: Samples = np.clip(samples * np.float32(10 ** ((target_lufs - measured) / 20)), -0.84, 0.84)
    return result


def moving_pictures(count: int, width: int, height: int, title: str) -> Iterator[av.VideoFrame]:
    """Yield `count` pictures that end where they began: a ball on its round, a running clock, the picture's number."""
    across = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    down = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    ground = np.stack(
        [30 + 60 * across + 0 * down, 50 + 70 * down + 0 * across, 110 - 50 * across + 40 * down], axis=2
    ).astype(np.uint8)
    large, small = ImageFont.load_default(height // 8), ImageFont.load_default(height // 16)
    for number in range(count):
        image = Image.fromarray(ground)
        draw = ImageDraw.Draw(image)
        angle = 2 * math.pi * number / count
        x, y, radius = width * (0.5 + 0.4 * math.cos(angle)), height * (0.5 + 0.36 * math.sin(angle)), height // 12
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(245, 190, 40))
        draw.text((width / 2, height * 0.12), title, fill=(255, 255, 255), font=small, anchor="mm")
        draw.text((width / 2, height * 0.77), f"{number:04d}", fill=(255, 255, 255), font=large, anchor="mm")
        second = f"{number / FRAME_RATE:.2f} s"
        draw.text((width / 2, height * 0.9), second, fill=(255, 255, 255), font=small, anchor="mm")
        drawn = av.VideoFrame.from_ndarray(np.asarray(image), "rgb24")
        planes = drawn.to_ndarray(format="yuv420p").astype(np.uint8)
        draw_mark(planes[:height], Mark(frame_id=number, clock_ms=number * 1000 // FRAME_RATE))
        frame = av.VideoFrame.from_ndarray(planes, "yuv420p")
        frame.pts, frame.time_base = number, Fraction(1, FRAME_RATE)
        frame.pict_type = PictureType.NONE if number % KEY_EVERY else PictureType.I
        yield frame


def write_clip(
    path: Path, pictures: Iterator[av.VideoFrame], samples: Samples, *, codecs: tuple[str, str], bps: int
) -> None:
    """Write a clip as it goes over the wire: no frame refers forwards, a key frame every second, audio of 20 ms."""
    first = next(pictures)
    options = {
        "libvpx": {"deadline": "good", "cpu-used": "2", "lag-in-frames": "0", "auto-alt-ref": "0"},
        "libx264": {"preset": "medium", "profile": "baseline", "bf": "0", "sc_threshold": "0", "forced-idr": "1"},
    }[codecs[0]]
    with av.open(path, "w") as container:
        container.metadata["title"] = "pexrtc_py test clip"
        video = container.add_stream(codecs[0], FRAME_RATE, options=options)
        assert isinstance(video, av.VideoStream)
        video.width, video.height, video.pix_fmt, video.bit_rate = first.width, first.height, "yuv420p", bps
        video.codec_context.gop_size = 10 * KEY_EVERY  # the key frames asked for below are all there are
        audio = container.add_stream(codecs[1], RATE)
        assert isinstance(audio, av.AudioStream)
        audio.layout, audio.bit_rate = "mono", 40_000
        container.start_encoding()
        step = audio.codec_context.frame_size
        for picture in (first, *pictures):
            container.mux(video.encode(picture))
        container.mux(video.encode(None))
        planar = audio.codec_context.format.name
        for start in range(0, len(samples), step):
            part = np.zeros(step, np.float32)
            part[: len(samples) - start] = samples[start : start + step]
            sound = av.AudioFrame.from_ndarray(part.reshape(1, -1), "flt" if planar == "flt" else "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = RATE, start, Fraction(1, RATE)
            container.mux(audio.encode(sound))
        container.mux(audio.encode(None))


def write_slide(path: Path, number: int, title: str, lines: list[str]) -> None:
    """Write a 1280x720 slide as PNG."""
    image = Image.new("RGB", (1280, 720), (250, 250, 246))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1280, 110), fill=(20, 60, 110) if number == 1 else (110, 40, 30))
    draw.text((60, 55), title, fill=(255, 255, 255), font=ImageFont.load_default(52), anchor="lm")
    for row, line in enumerate(lines):
        middle = 210 + 90 * row
        draw.ellipse((92, middle - 6, 104, middle + 6), fill=(30, 30, 30))  # drawn: Pillow's own font has no bullet
        draw.text((122, middle), line, fill=(30, 30, 30), font=ImageFont.load_default(40), anchor="lm")
    draw.text((1220, 680), str(number), fill=(90, 90, 90), font=ImageFont.load_default(28), anchor="mm")
    image.quantize(32).save(path, optimize=True)


def main() -> None:
    """Make every clip anew."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    voice = speak(SPOKEN)
    seconds = math.ceil(len(voice) / RATE)
    voice = level(np.pad(voice, (0, seconds * RATE - len(voice))))
    for name, codecs in (("announcement.mkv", ("libvpx", "libopus")), ("announcement.mp4", ("libx264", "aac"))):
        pictures = moving_pictures(seconds * FRAME_RATE, 640, 360, "pexrtc announcement")
        write_clip(folder / name, pictures, voice, codecs=codecs, bps=400_000)
    pictures = moving_pictures(3 * FRAME_RATE, 1280, 720, "pexrtc motion")
    write_clip(folder / "motion.mkv", pictures, level(melody(3.0)), codecs=("libvpx", "libopus"), bps=1_200_000)
    write_slide(folder / "slide-1.png", 1, "Agenda", ["Who is here", "What we heard", "What comes next"])
    write_slide(folder / "slide-2.png", 2, "What comes next", ["Listen to the recording", "Read the report"])
    for path in sorted(folder.glob("*.*")):
        print(f"{path.name:20} {path.stat().st_size:8} bytes")


if __name__ == "__main__":
    main()
