"""Files: sent as they are where that is possible, transcoded where not, looped without a seam, refused in one line."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition

from pexrtc_py.errors import SourceError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.marks_reading import MarkReader
from pexrtc_py.media.sources.encoded import EncodeConfig
from pexrtc_py.media.sources.file import open_file, open_raw_file, probe_file

from .looking import (
    colour,
    copy_media,
    drained,
    heard,
    later,
    level_db,
    loudest_hz,
    luma,
    raw_drained,
    seen,
    steps,
    write_media,
)

VP8 = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8,)}
H264 = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.H264,)}


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
    for frame in drained(open_file(clip_path("announcement.mp4"), accept=H264))[Kind.VIDEO]:
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
    assert set(open_closed(covered)) == {Kind.AUDIO}


def open_closed(path: Path) -> dict[Kind, object]:
    source = open_file(path)
    source.close()
    return dict(source.formats)


def test_refusals_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    """Missing, a directory, empty, no media, cut off, without anything to play: one line each, no thread, no file."""
    (tmp_path / "empty.mkv").touch()
    (tmp_path / "text.mkv").write_text("this is no media\n" * 100)
    (tmp_path / "zeros.mp4").write_bytes(bytes(100_000))
    clip = clip_path("announcement.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    (tmp_path / "head.mkv").write_bytes(clip_path("announcement.mkv").read_bytes()[:300])
    (tmp_path / "folder").mkdir()
    for name in ("missing.mkv", "empty.mkv", "text.mkv", "zeros.mp4", "cut.mp4", "head.mkv", "folder"):
        with pytest.raises(SourceError) as caught:
            drained(open_file(tmp_path / name))
        line = str(caught.value)
        assert name in line
        assert "\n" not in line
        assert len(line) < 300


def test_cut_off_matroska_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    """A recording that was killed plays to its end."""
    whole = clip_path("announcement.mkv").read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    found = drained(open_file(path))
    assert 3 < found[Kind.VIDEO][-1].time < 7
    assert 3 < found[Kind.AUDIO][-1].time < 7


@pytest.mark.parametrize("name", ["announcement.mkv", "announcement.mp4", "motion.mkv"])
@pytest.mark.parametrize("accept", [VP8, H264])
def test_damaged_file_plays_or_says_why(tmp_path: Path, name: str, accept: dict[Kind, tuple[Codec, ...]]) -> None:
    """Bytes turned over in the middle: what plays is in order, and what does not ends with one clear error."""
    dice = np.random.default_rng(7)
    data = np.frombuffer(clip_path(name).read_bytes(), np.uint8).copy()
    places = dice.integers(5000, len(data), 200)
    data[places] = dice.integers(0, 255, 200).astype(np.uint8)
    path = tmp_path / name
    path.write_bytes(data.tobytes())
    try:
        found = drained(open_file(path, accept=accept))
    except SourceError as exc:
        line = str(exc)
    else:
        line = name if found[Kind.AUDIO] or found[Kind.VIDEO] else "nothing was played"
    assert name in line


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("a.mkv", 20),
        ("a.mp4", 0),  # what describes it is at its end
        ("a.ogg", 1),  # a page of it lasts a second
    ],
)
def test_cut_off_anywhere_plays_or_says_why(tmp_path: Path, name: str, least: int) -> None:
    """At forty random places: as far as the file goes, never more than it had, or one clear line."""
    video = {"a.mkv": "libvpx", "a.mp4": "libx264"}.get(name)
    options = {"bf": "0", "preset": "ultrafast"} if name == "a.mp4" else None
    audio = "aac" if name == "a.mp4" else "libopus"
    whole = write_media(tmp_path / name, video=video, audio=audio, seconds=1.0, options=options).read_bytes()
    dice = np.random.default_rng(5)
    played, refused = 0, []
    for number, length in enumerate(sorted(dice.integers(1, len(whole), 40))):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(whole[:length])
        try:
            found = drained(open_file(path, accept=H264 if name == "a.mp4" else VP8))
        except SourceError as exc:
            refused.append((path, str(exc)))
            continue
        played += 1
        assert found[Kind.AUDIO] or found[Kind.VIDEO]
        assert len(found[Kind.AUDIO]) <= 53
        assert len(found[Kind.VIDEO]) <= 25
        assert steps(found[Kind.AUDIO]) <= {960}
    assert played >= least
    for path, line in refused:
        assert line.startswith(str(path))
        assert "\n" not in line


def test_pictures_that_become_gigantic_end_the_playing(tmp_path: Path) -> None:
    """A VP8 film that claims 12000x12000 after a second is not sent on as it is: one line; what came before is."""
    path = write_media(
        tmp_path / "a.mkv", video="libvpx", seconds=9.0, frame_rate=5, size=(160, 90), options={"g": "5"}
    )
    data = bytearray(path.read_bytes())
    keys = [at for at in range(len(data)) if data[at : at + 3] == b"\x9d\x01\x2a"]
    at = keys[-1] + 3
    data[at : at + 4] = (12000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    source = open_file(path)
    frames: list[EncodedFrame] = []
    with pytest.raises(SourceError, match=r"a\.mkv: its pictures become 12000x12000"):
        frames.extend(iter(source.pull, None))
    source.close()
    assert len(frames) >= 35
    # Where it is decoded, the pictures are left out before memory is taken for them.
    found = drained(open_file(path, accept=H264))
    assert 35 <= len(found[Kind.VIDEO]) <= 41


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


def test_playlists_and_scripts_do_not_reach_other_files(tmp_path: Path) -> None:
    """A file that only names others is refused, whatever it is called: nothing else of the disk gets into a room."""
    target = clip_path("motion.mkv")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.mkv").write_text(f"ffconcat version 1.0\nfile {target}\n")
    (tmp_path / "call.mp4").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n")
    for name in ("list.mp4", "concat.mkv", "call.mp4"):
        with pytest.raises(SourceError, match=name):
            open_file(tmp_path / name)


def test_names_that_look_like_protocols_are_files(tmp_path: Path) -> None:
    """A colon in a name does not make it an address."""
    odd = tmp_path / "http:clip.mkv"
    odd.write_bytes(clip_path("motion.mkv").read_bytes())
    assert set(open_closed(odd)) == {Kind.AUDIO, Kind.VIDEO}


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
