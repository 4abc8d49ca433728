"""The stream that every benchmark sends: 720p30 VP8 of about 1.4 Mb/s with a key frame a second, and Opus of 20 ms.

At 1200 bytes a packet that is 160 packets of picture and 50 of sound a second. It is made once a machine, by PyAV
alone, and sent as it is by whoever sends.
"""

from __future__ import annotations

import os
import tempfile
from fractions import Fraction
from itertools import chain
from pathlib import Path

import av

from pexrtc_py.media.frames import Codec, EncodedFrame

__all__ = ["clip", "load"]

DURATION_S = 20
_PICTURE = f"testsrc2=size=1280x720:rate=30:duration={DURATION_S},noise=alls=12:allf=t,format=yuv420p"
_SOUND = f"sine=frequency=440:sample_rate=48000:duration={DURATION_S},aformat=sample_fmts=s16:channel_layouts=stereo"


def clip() -> Path:
    """Return where the clip is; it is made when it is not there."""
    folder = Path(tempfile.gettempdir()) / f"pexrtc-benchmarks-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    path = folder / "720p30-vp8-opus-2.mkv"
    if not path.exists():
        part = path.with_suffix(f".{os.getpid()}.part")
        _make(part)
        part.rename(path)
    return path


def load(path: Path) -> list[EncodedFrame]:
    """Read the clip as frames in the order of their times, sound and picture."""
    frames: list[EncodedFrame] = []
    with av.open(path) as container:
        for packet in container.demux():
            if packet.pts is None or not packet.size:
                continue
            codec = Codec.VP8 if packet.stream.type == "video" else Codec.OPUS
            # Milliseconds of Matroska are rounded: frames are put back onto their grid.
            number = round(float(packet.pts * packet.time_base) * (30 if codec is Codec.VP8 else 50))
            if number >= DURATION_S * (30 if codec is Codec.VP8 else 50):  # the encoder's tail
                continue
            ticks = number * (3000 if codec is Codec.VP8 else 960)
            size = (1280, 720) if codec is Codec.VP8 else (0, 0)
            frames.append(
                EncodedFrame(
                    codec=codec,
                    data=bytes(packet),
                    rtp_time=ticks,
                    time=ticks / codec.clock_rate,
                    key=packet.is_keyframe,
                    width=size[0],
                    height=size[1],
                    duration=3000 if codec is Codec.VP8 else 960,
                )
            )
    return sorted(frames, key=lambda frame: frame.time)


def _make(path: Path) -> None:
    rate = 1_350_000
    with av.open(path, "w", format="matroska") as out:
        picture = out.add_stream("libvpx", rate=30, width=1280, height=720, pix_fmt="yuv420p")
        picture.bit_rate = rate
        picture.codec_context.gop_size = 30
        picture.codec_context.time_base = Fraction(1, 30)
        picture.options = {
            "deadline": "realtime",
            "cpu-used": "8",
            "lag-in-frames": "0",
            "minrate": str(rate),
            "maxrate": str(rate),
            "bufsize": str(rate),
            "keyint_min": "30",
            "max-intra-rate": "300",
        }
        sound = out.add_stream("libopus", rate=48000, layout="stereo", format="s16")
        sound.bit_rate = 64_000
        with av.open(_PICTURE, format="lavfi") as pictures, av.open(_SOUND, format="lavfi") as sounds:
            resampler = av.AudioResampler(format="s16", layout="stereo", rate=48000, frame_size=960)
            pieces = (
                piece for sample in chain(sounds.decode(audio=0), (None,)) for piece in resampler.resample(sample)
            )
            heard = 0.0
            for number, frame in enumerate(pictures.decode(video=0)):
                frame.pict_type = 0
                out.mux(picture.encode(frame))
                while heard <= number / 30 and (piece := next(pieces, None)) is not None:
                    heard += 0.02
                    out.mux(sound.encode(piece))
            for piece in pieces:
                out.mux(sound.encode(piece))
        out.mux(picture.encode())
        out.mux(sound.encode())
