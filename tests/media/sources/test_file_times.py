"""The times of what files hold: looped without a seam, holes filled, changes followed, to the last picture."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Kind
from pexrtc_py.media.sources.file import open_file, open_raw_file

from .looking import (
    H264,
    VP8,
    colour,
    copy_media,
    drained,
    heard,
    later,
    level_db,
    loudest_hz,
    raw_drained,
    seen,
    steps,
    write_media,
)


def test_loop_has_no_seam(tmp_path: Path) -> None:
    """Three rounds of a file whose length is no multiple of 20 ms: sound on its grid, pictures evenly spaced."""
    path = write_media(tmp_path / "odd.mkv", video="libvpx", audio="libopus", seconds=1.04, frame_rate=25)
    found = drained(open_file(path, loop=3))
    audio, video = found[Kind.AUDIO], found[Kind.VIDEO]
    assert steps(audio) == {960}
    assert len(video) == 3 * 26
    assert steps(video) <= set(range(3500, 3700))
    assert audio[-1].time == pytest.approx(video[-1].time, abs=0.08)


def test_transcoded_loop_has_no_seam() -> None:
    """A loop that is transcoded counts the same."""
    found = drained(open_file(clip_path("motion.mkv"), accept=H264, loop=2))
    assert len(found[Kind.VIDEO]) == 180
    assert steps(found[Kind.AUDIO]) == {960}


def test_endless_loop_is_only_read_as_far_as_asked() -> None:
    """A loop without end opens at once and goes on for ever."""
    source = open_file(clip_path("motion.mkv"), loop=None)
    frames = [source.pull() for _ in range(2000)]
    source.close()
    assert frames[-1] is not None
    assert frames[-1].time > 20


def test_hole_in_sound_is_filled(tmp_path: Path) -> None:
    """Packets missing in a file become silence of the same length, passed and decoded alike."""
    whole = write_media(tmp_path / "a.mkv", audio="libopus", seconds=2)
    holed = copy_media(whole, tmp_path / "b.mkv", lambda number, data: None if 30 < number < 61 else data)
    audio = drained(open_file(holed))[Kind.AUDIO]
    assert steps(audio) == {960}
    assert len(audio) == pytest.approx(101, abs=2)
    raw, _ = raw_drained(open_raw_file(holed))
    for samples in (heard(audio), raw):
        assert level_db(samples[34000:56000]) < -60
        assert level_db(samples[62000:90000]) > -20


def test_long_hole_in_sound_is_filled_in_time(tmp_path: Path) -> None:
    """Eight seconds without a packet while the picture goes on: silence keeps coming at its time, not afterwards."""
    with av.open(clip_path("announcement.mkv")) as given, av.open(tmp_path / "a.mkv", "w") as written:
        copies = {s.index: written.add_stream_from_template(s) for s in (*given.streams.video, *given.streams.audio)}
        for packet in given.demux():
            hole = packet.stream.type == "audio" and packet.pts is not None and 1000 < packet.pts < 9000
            if packet.size and not hole:
                packet.stream = copies[packet.stream_index]
                written.mux(packet)
    audio = drained(open_file(tmp_path / "a.mkv"))[Kind.AUDIO]
    assert steps(audio) == {960}
    assert level_db(heard(audio)[96000:400_000]) < -60
    assert audio[-1].time == pytest.approx(10.0, abs=0.06)


def test_another_form_in_the_middle_is_followed(tmp_path: Path) -> None:
    """Sample rate, channels and size change in a transport stream: sound and pictures go on, fitted to the first."""
    options = {"bf": "0", "preset": "ultrafast"}
    parts = [
        write_media(tmp_path / "1.ts", video="libx264", audio="aac", seconds=1.0, options=options),
        write_media(
            tmp_path / "2.ts", video="libx264", audio="aac", seconds=1.0, size=(640, 360), sample_rate=44100,
            layout="stereo", tone_hz=600, paint=lambda number: (250, 250, 250), options=options,
        ),
    ]  # fmt: skip
    path = tmp_path / "change.ts"
    path.write_bytes(parts[0].read_bytes() + later(parts[1], 1.0).read_bytes())
    found = drained(open_file(path, accept=VP8))
    sound = heard(found[Kind.AUDIO])
    assert steps(found[Kind.AUDIO]) == {960}
    assert loudest_hz(sound[9600:38400]) == pytest.approx(1000, abs=5)
    assert loudest_hz(sound[-38400:-9600]) == pytest.approx(600, abs=5)
    pictures = seen(found[Kind.VIDEO])
    assert len(pictures) == pytest.approx(50, abs=3)
    assert colour(pictures[-3].frame, 0.5, 0.5) == pytest.approx((250, 250, 250), abs=12)


def test_last_pictures_keep_their_times(tmp_path: Path) -> None:
    """Pictures at uneven times are decoded at those times, to the very last, which a decoder holds back."""
    times = [0, 33, 66, 100, 400, 431, 462, 900, 1000, 1700]
    path = tmp_path / "uneven.mkv"
    with av.open(path, "w") as container:
        track = container.add_stream("libvpx", 30)
        assert isinstance(track, av.VideoStream)
        track.width, track.height, track.pix_fmt = 320, 180, "yuv420p"
        track.codec_context.time_base = Fraction(1, 1000)
        for time in times:
            frame = av.VideoFrame.from_ndarray(np.full((180, 320, 3), time % 200, np.uint8), "rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(track.encode(frame))
        container.mux(track.encode(None))
    _, pictures = raw_drained(open_raw_file(path))
    assert [round(picture.time * 1000) for picture in pictures] == times
