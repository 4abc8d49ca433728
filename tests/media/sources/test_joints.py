"""Transport streams put together by their bytes: all of them is played, on one clock."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.media.sources.joints import without_joints

PART_S = 2.0


def transport_stream(path: Path, *, begin_s: float = 0.0) -> bytes:
    """Make some seconds of H.264 and AAC, whose clock begins so."""
    with av.open(path, "w", format="mpegts") as output:
        pictures = output.add_stream("libx264", rate=25, options={"preset": "ultrafast", "tune": "zerolatency"})
        pictures.width, pictures.height, pictures.pix_fmt, pictures.gop_size = 64, 48, "yuv420p", 25
        sound = output.add_stream("aac", rate=48000)
        for number in range(round(PART_S * 25)):
            picture = av.VideoFrame.from_ndarray(np.full((72, 64), number % 200, np.uint8), format="yuv420p")
            picture.pts, picture.time_base = number + round(begin_s * 25), Fraction(1, 25)
            output.mux(pictures.encode(picture))
            for piece in range(2):
                heard = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
                heard.sample_rate = 48000
                heard.pts = round(begin_s * 48000) + (2 * number + piece) * 960
                output.mux(sound.encode(heard))
        output.mux(pictures.encode(None))
        output.mux(sound.encode(None))
    return path.read_bytes()


@pytest.mark.parametrize("begins", [(0.0, 0.0), (0.0, 0.0, 0.0), (1000.0, 0.0), (0.0, 20.0)])
def test_each_part_is_played(tmp_path: Path, begins: tuple[float, ...]) -> None:
    """Of `cat one.ts two.ts` the second was left out, as its times lie before the end of the first."""
    joined = tmp_path / "joined.ts"
    parts = [transport_stream(tmp_path / f"{number}.ts", begin_s=at) for number, at in enumerate(begins)]
    joined.write_bytes(b"".join(parts))
    times: dict[Kind, list[float]] = {kind: [] for kind in Kind}
    source = open_file(joined, accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.H264,)})
    while (frame := source.pull()) is not None:
        times[frame.kind].append(frame.time)
    source.close()
    hole_s = 18.0 if begins[-1] == 20.0 else 0.0
    length_s = PART_S * len(begins)
    assert len(times[Kind.VIDEO]) == round(25 * length_s)
    for kind, own in times.items():
        assert own == sorted(own), kind
        assert own[-1] - own[0] == pytest.approx(length_s + hole_s, abs=0.25 * len(begins)), kind
    steps = sorted(b - a for a, b in zip(times[Kind.VIDEO], times[Kind.VIDEO][1:], strict=False))
    assert steps[-1] < hole_s + 0.3
    assert abs(times[Kind.AUDIO][-1] - times[Kind.VIDEO][-1]) < 0.2, "sound and picture stay together"


def test_what_has_no_joint_is_as_it_was() -> None:
    """Pictures out of order, packets without times and holes of minutes are no joints."""
    ticks = [0, 40, None, 80, 600_000, 600_040]
    packets = []
    for tick in ticks:
        packet: av.Packet[av.stream.Stream] = av.Packet(b"x")
        packet.dts = packet.pts = tick
        packets.append(packet)
    assert [packet.dts for packet in without_joints(packets, {0: 0.001})] == ticks
