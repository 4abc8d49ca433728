"""Files: sent as they are where that is possible, transcoded where not, in the form that was wanted."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.sources.encoded import EncodeConfig
from pexrtc_py.media.sources.file import open_file, probe_file

from .looking import (
    H264,
    VP8,
    colour,
    copy_media,
    drained,
    formats_of,
    heard,
    level_db,
    loudest_hz,
    luma,
    seen,
    write_media,
)


@pytest.mark.parametrize(
    ("name", "accept", "as_it_is"),
    [
        ("announcement.mkv", VP8, True),
        ("announcement.mp4", H264, True),
        ("announcement.mkv", H264, False),
        ("announcement.mp4", VP8, False),
    ],
)
def test_clip_comes_out_whole(name: str, accept: dict[Kind, tuple[Codec, ...]], as_it_is: bool) -> None:
    """Passed or transcoded: every picture in its place, sound of exactly 20 ms, both beginning at 0."""
    found = drained(open_file(clip_path(name), accept=accept))
    video, audio = found[Kind.VIDEO], found[Kind.AUDIO]
    assert {f.codec for f in video} == {accept[Kind.VIDEO][0]}
    reader = MarkReader(640, 360)
    sightings = [reader.read(luma(picture.frame)) for picture in seen(video)]
    assert [s.mark.frame_id for s in sightings if s is not None] == list(range(300))
    assert [f.rtp_time for f in video] == pytest.approx([n * 3000 for n in range(300)], abs=100)
    assert [f.rtp_time for f in audio] == [n * 960 for n in range(len(audio))]
    assert len(audio) == pytest.approx(500, abs=2)
    assert level_db(heard(audio)) == pytest.approx(-21.5, abs=2)
    keys = [n for n, f in enumerate(video) if f.key]
    assert keys == (list(range(0, 300, 30)) if as_it_is else [0])


def test_h264_out_of_mp4_is_annex_b_with_parameters_at_each_key() -> None:
    """Start codes, no lengths; SPS and PPS before every IDR picture."""
    frames = drained(open_file(clip_path("announcement.mp4"), accept=H264))[Kind.VIDEO]
    assert sum(frame.key for frame in frames) == 10
    for frame in frames:
        kinds = [unit[0] & 0x1F for unit in frame.data.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")[1:]]
        assert kinds
        assert (5 in kinds) == frame.key
        if frame.key:
            assert kinds.index(7) < kinds.index(8) < kinds.index(5)


def test_probe_tells_what_can_be_passed() -> None:
    """A probe names codec, size and the obstacle."""
    tracks = probe_file(clip_path("announcement.mp4"))
    assert (tracks[Kind.VIDEO].codec, tracks[Kind.VIDEO].width, tracks[Kind.VIDEO].height) == (Codec.H264, 640, 360)
    assert tracks[Kind.VIDEO].key_interval_s == pytest.approx(1.0, abs=0.05)
    assert tracks[Kind.AUDIO].codec is None
    assert "aac" in tracks[Kind.AUDIO].obstacle


@pytest.mark.parametrize(
    ("suffix", "video", "audio", "options", "obstacle"),
    [
        ("mp4", "libx264", None, {"bf": "2", "g": "25"}, "B-frames"),
        ("mkv", "libvpx-vp9", None, {"deadline": "realtime", "cpu-used": "8"}, "vp9"),
        ("mkv", None, "libopus", {"frame_duration": "60"}, "20 ms"),
    ],
)
def test_what_cannot_be_passed_is_transcoded(
    tmp_path: Path, suffix: str, video: str | None, audio: str | None, options: dict[str, str], obstacle: str
) -> None:
    """B-frames, foreign codecs and packets of another length are found, and encoded anew."""
    path = write_media(tmp_path / f"a.{suffix}", video=video, audio=audio, options=options, seconds=3)
    (track,) = probe_file(path).values()
    assert obstacle in track.obstacle
    found = drained(open_file(path, accept=VP8))
    if video is not None:
        pictures = seen(found[Kind.VIDEO])
        assert len(pictures) == pytest.approx(75, abs=1)
        assert colour(pictures[20].frame, 0.5, 0.5) == pytest.approx((100, 120, 60), abs=12)
    else:
        assert {f.duration for f in found[Kind.AUDIO]} == {960}
        assert loudest_hz(heard(found[Kind.AUDIO])) == pytest.approx(1000, abs=5)


def test_invisible_frames_are_transcoded(tmp_path: Path) -> None:
    """VP8 pictures that are only referred to and never shown are not sent on their own."""
    path = copy_media(
        write_media(tmp_path / "whole.mkv", video="libvpx", options={"deadline": "realtime", "g": "25"}),
        tmp_path / "a.mkv",
        lambda number, data: bytes((data[0] & ~0x10,)) + data[1:] if number % 20 == 15 else data,
    )
    assert "invisible" in probe_file(path)[Kind.VIDEO].obstacle
    assert len(seen(drained(open_file(path))[Kind.VIDEO])) == pytest.approx(48, abs=1)


@pytest.mark.parametrize(
    ("suffix", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 44100, "stereo"),
        ("wav", "pcm_u8", 8000, "mono"),
        ("mp3", "libmp3lame", 44100, "stereo"),
        ("flac", "flac", 96000, "stereo"),
        ("m4a", "aac", 48000, "5.1"),
        ("ogg", "libopus", 48000, "stereo"),
    ],
)
def test_sound_of_any_rate_and_layout(tmp_path: Path, suffix: str, codec: str, rate: int, layout: str) -> None:
    """Whatever the file holds, packets of 20 ms at 48 kHz come out, of the same tone and length."""
    path = write_media(tmp_path / f"tone.{suffix}", audio=codec, sample_rate=rate, layout=layout, seconds=1.5)
    source = open_file(path)
    assert source.formats[Kind.AUDIO].channels == (1 if layout == "mono" else 2)
    audio = drained(source)[Kind.AUDIO]
    assert [f.rtp_time for f in audio] == [n * 960 for n in range(len(audio))]
    assert len(audio) == pytest.approx(75, abs=3)
    samples = heard(audio)
    assert loudest_hz(samples[4800:62400]) == pytest.approx(1000, abs=5)


def test_pixels_that_are_not_square_are_made_so(tmp_path: Path) -> None:
    """A file with wide pixels comes out as wide as it is meant to be seen."""
    path = write_media(tmp_path / "a.mkv", video="libx264", size=(240, 240), aspect=Fraction(4, 3), seconds=1)
    source = open_file(path)
    assert (source.formats[Kind.VIDEO].width, source.formats[Kind.VIDEO].height) == (320, 240)
    assert {(p.frame.width, p.frame.height) for p in seen(drained(source)[Kind.VIDEO])} == {(320, 240)}


def test_turned_picture_is_turned_back(tmp_path: Path) -> None:
    """What a phone held upright writes comes out upright."""
    turned = write_media(tmp_path / "a.mp4", video="libx264", options={"bf": "0"}, turned=90, seconds=1)
    assert "turned" in probe_file(turned)[Kind.VIDEO].obstacle
    pictures = seen(drained(open_file(turned, accept=H264))[Kind.VIDEO])
    assert {(p.frame.width, p.frame.height) for p in pictures} == {(180, 320)}


def test_pictures_are_never_larger_nor_faster_than_wanted(tmp_path: Path) -> None:
    """Size and rate are limits, shape and speed stay."""
    path = write_media(tmp_path / "a.mkv", video="mpeg4", size=(800, 600), frame_rate=50, seconds=2)
    config = EncodeConfig(largest=(640, 360), frame_rate=25)
    source = open_file(path, config=config)
    assert (source.formats[Kind.VIDEO].width, source.formats[Kind.VIDEO].height) == (480, 360)
    video = drained(source)[Kind.VIDEO]
    assert len(video) == pytest.approx(50, abs=2)


def test_key_frame_and_bitrate_on_request() -> None:
    """A transcoded file makes a key frame when asked for, and fewer bits; a passed one ignores both."""
    source = open_file(clip_path("motion.mkv"), accept={Kind.VIDEO: (Codec.H264,)})
    frames = []
    for number in range(60):
        if number == 30:
            source.request_key_frame()
            source.set_bitrate(200_000)
        frame = source.pull()
        assert frame is not None
        frames.append(frame)
    source.close()
    assert [n for n, f in enumerate(frames) if f.key] == [0, 30]
    before, after = (sum(len(f.data) for f in part) for part in (frames[15:30], frames[45:60]))
    assert after < before
    passed = open_file(clip_path("motion.mkv"), accept={Kind.VIDEO: (Codec.VP8,)})
    as_it_is = drained(open_file(clip_path("motion.mkv"), accept={Kind.VIDEO: (Codec.VP8,)}))[Kind.VIDEO]
    passed.request_key_frame()
    passed.set_bitrate(200_000)
    assert [f.data for f in drained(passed)[Kind.VIDEO]] == [f.data for f in as_it_is]
    assert len(as_it_is) == 90


def test_only_wanted_kinds_are_played() -> None:
    """A kind that is not accepted is left out."""
    source = open_file(clip_path("announcement.mkv"), accept={Kind.AUDIO: (Codec.OPUS,)})
    assert set(source.formats) == {Kind.AUDIO}
    assert not drained(source)[Kind.VIDEO]


def test_cover_picture_is_no_video(tmp_path: Path) -> None:
    """The picture glued to a song is not sent as a video of one frame."""
    covered = tmp_path / "a.mp3"
    with av.open(covered, "w") as written, av.open(clip_path("slide-1.png")) as cover:
        sound = written.add_stream("libmp3lame", 48000)
        picture = written.add_stream_from_template(cover.streams.video[0])
        picture.disposition = Disposition.attached_pic
        for packet in cover.demux(video=0):
            if packet.size:
                packet.stream = picture
                written.mux(packet)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48000), np.int16), "s16", "mono")
        frame.sample_rate = 48000
        written.mux(sound.encode(frame))
        written.mux(sound.encode(None))
    assert set(formats_of(covered)) == {Kind.AUDIO}


def test_names_that_look_like_protocols_are_files(tmp_path: Path) -> None:
    """A colon in a name does not make it an address."""
    odd = tmp_path / "http:clip.mkv"
    odd.write_bytes(clip_path("motion.mkv").read_bytes())
    assert set(formats_of(odd)) == {Kind.AUDIO, Kind.VIDEO}
