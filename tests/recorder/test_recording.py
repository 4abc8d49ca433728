"""Recordings: streams that come as they like, in files as they should be."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import av
import pytest
from msgspec.structs import replace

from pexrtc_py.errors import UsageError, WriteError
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Tap
from pexrtc_py.media.writers.container import WriterConfig
from pexrtc_py.media.writers.shared_thread import add_job
from pexrtc_py.media.writers.tracks import annexb_units
from pexrtc_py.recorder.file_series import SegmentRules
from pexrtc_py.recorder.recording import Recording, RecordingConfig
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.stopping import Ended, StopRules
from tests.media.writers.test_container import Hold
from tests.support.frames import g711_frames, h264_frames, opus_frames, vp8_frames

START = 500.0


class Stream:
    """What a recording knows of a receiver: taps, and a wish for key frames."""

    def __init__(self) -> None:
        self.taps: list[Tap] = []
        self.key_frames_asked = 0

    def add_tap(self, tap: Tap) -> None:
        """Give frames to `tap`."""
        self.taps.append(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Give it no more."""
        self.taps.remove(tap)

    def request_key_frame(self) -> None:
        """Count."""
        self.key_frames_asked += 1

    def push(self, item: EncodedFrame | Gap) -> None:
        """Push to all taps."""
        for tap in tuple(self.taps):
            tap.push(item)


class Clock:
    """Time that stands where the last frame put it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


class Scene:
    """A recording with its three streams."""

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        self.clock = Clock()
        self.recording = Recording(config or RecordingConfig(path=path), clock=self.clock)
        self.streams = {role: Stream() for role in Role}

    def attach(self, *roles: Role, **codecs: Codec) -> None:
        """Attach these roles."""
        for role in roles:
            self.recording.attach(role, self.streams[role], codec=codecs.get(role))

    async def play(self, **frames: Sequence[EncodedFrame | Gap]) -> None:
        """Push the frames of each role in order of time, the clock with them."""
        feed = sorted(
            ((item.time, Role(role), item) for role, items in frames.items() for item in items), key=lambda x: x[0]
        )
        for number, (at, role, item) in enumerate(feed):
            self.clock.now = max(self.clock.now, at)
            self.streams[role].push(item)
            if number % 10 == 0:
                self.recording._check()  # what the task does five times a second of real time
                await asyncio.sleep(0)


def read(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Read a file: per codec, time in milliseconds and bytes of each packet."""
    content: dict[str, list[tuple[int, bytes]]] = {}
    with av.open(path) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                content.setdefault(packet.stream.codec_context.codec.canonical_name, []).append(
                    (packet.pts, bytes(packet))
                )
    return content


def expected(frames: Sequence[EncodedFrame], origin: float = START) -> list[tuple[int, bytes]]:
    """Say what a file holds of these frames."""
    return [(round((frame.time - origin) * 1000), frame.data) for frame in frames]


def stream(result: RecordingResult, role: Role) -> tuple[int, int]:
    """Return packets and gaps of a role, all files together."""
    streams = [stream for stream in result.streams if stream.role is role]
    return sum(one.packets for one in streams), sum(one.gaps for one in streams)


async def test_sound_and_picture_are_in_one_file_from_their_first_frames(tmp_path: Path) -> None:
    """The earlier stream is 0, the other lies where its time says, nothing is missing, and the result counts it."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(150, start=START, ntp_offset=1e9)
    pictures = vp8_frames(60, start=START + 0.3, ntp_offset=1e9)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound, video=pictures)
        assert recording.has_started
        assert recording.position(START + 1.5) == 1.5
    result = recording.result
    assert read(path) == {"opus": expected(sound), "vp8": expected(pictures)}
    assert result.file == path
    assert result.files == (path,)
    assert result.ended is Ended.STOPPED
    assert result.error is None
    assert result.holes == ()
    assert result.duration_s == pytest.approx(3.0, abs=0.001)
    assert [(s.role, s.codec, s.packets, s.gaps) for s in result.streams] == [
        (Role.AUDIO, Codec.OPUS, 150, 0),
        (Role.VIDEO, Codec.VP8, 60, 0),
    ]


async def test_the_target_is_ours_before_anybody_is_called(tmp_path: Path) -> None:
    """A name that is taken, for the slides too, is an error on entering; without media no file is left."""
    path = tmp_path / "talk.mkv"
    path.write_text("")
    with pytest.raises(UsageError, match="exists already"):
        await Scene(path).recording.__aenter__()
    path.unlink()
    (tmp_path / "talk.slides.mkv").write_text("")
    with pytest.raises(UsageError, match=r"talk\.slides\.mkv exists already"):
        await Scene(path).recording.__aenter__()
    (tmp_path / "talk.slides.mkv").unlink()
    async with Scene(path).recording as recording:
        assert [entry.name for entry in tmp_path.iterdir()] == ["talk.part.mkv"]
    assert list(tmp_path.iterdir()) == []
    assert recording.result.file is None


@pytest.mark.parametrize("suffix", ["mkv", "webm"])
async def test_a_late_picture_finds_its_track_kept_free(tmp_path: Path, suffix: str) -> None:
    """With the codec known from negotiation, sound begins alone after its budget, and the picture still goes in.

    Of two tracks kept free each has its own size in the header, the one that is never used keeps the guess.
    """
    path = tmp_path / f"talk.{suffix}"
    sound = opus_frames(250, start=START, ntp_offset=1e9)
    pictures = vp8_frames(30, start=START + 3.5, width=640, height=360)
    scene = Scene(path, RecordingConfig(path=path, slides_in_same_file=True))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES, video=Codec.VP8, slides=Codec.VP9)
        await scene.play(audio=sound, video=pictures)
    assert list(read(path).values()) == [expected(sound), expected(pictures)]
    assert recording.result.streams[1].sizes == ((3.5, 640, 360),)
    with av.open(path) as container:
        assert [(track.width, track.height) for track in container.streams.video] == [(640, 360), (1280, 720)]


async def test_a_late_h264_picture_begins_another_file_and_no_sound_is_lost(tmp_path: Path) -> None:
    """Its header needs its first frame, so the recording goes on in the next file, on the same clock."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(250, start=START, ntp_offset=1e9)
    pictures = h264_frames(30, start=START + 3.5)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
    first, second = recording.result.files
    assert (first, second) == (path, tmp_path / "talk.002.mkv")
    joint = next(n for n, frame in enumerate(sound) if frame.time > START + 3.5)  # that of 3.5 came just before
    (one,) = read(first).values()
    two = read(second)
    assert [data for _, data in one] == [frame.data for frame in sound[:joint]]
    assert two["opus"] == expected(sound[joint:], START + 3.5)
    assert stream(recording.result, Role.VIDEO) == (30, 0)
    assert recording.result.streams[-1].start_s == pytest.approx(3.5, abs=0.001)
    assert scene.streams[Role.VIDEO].key_frames_asked == 0


def without_sets(frame: EncodedFrame, *kinds: int) -> EncodedFrame:
    """Take parameter sets out of an H.264 key frame, as when their packet is lost."""
    kept = [unit for unit in annexb_units(frame.data) if unit[0] & 31 not in kinds]
    return replace(frame, data=b"".join(b"\0\0\0\1" + unit for unit in kept))


def with_sets(frame: EncodedFrame, count: int) -> EncodedFrame:
    """Put more picture parameter sets into an H.264 key frame than any header can hold."""
    more = b"".join(b"\0\0\0\1\x68" + bytes([1 + n % 200, 7]) for n in range(count))
    return replace(frame, data=more + frame.data)


@pytest.mark.parametrize("spoil", [lambda frame: without_sets(frame, 8), lambda frame: with_sets(frame, 300)])
@pytest.mark.parametrize("name", ["talk.mkv", "talk.mp4"])
async def test_a_key_frame_that_cannot_be_described_ends_nothing(
    tmp_path: Path, name: str, spoil: Callable[[EncodedFrame], EncodedFrame]
) -> None:
    """One lost packet of the first picture ended the whole recording, sound included: it is left out, and the next
    key frame asked for."""
    path = tmp_path / name
    sound = opus_frames(150, start=START, ntp_offset=1.0)
    pictures = h264_frames(60, start=START, ntp_offset=1.0, key_interval=30)
    pictures[0] = spoil(pictures[0])
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
        assert recording.ended is None
    assert recording.result.error is None
    assert stream(recording.result, Role.AUDIO) == (150, 0)
    assert stream(recording.result, Role.VIDEO) == (30, 0)
    assert scene.streams[Role.VIDEO].key_frames_asked > 0
    assert recording.result.files == (path,)
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == 30


async def test_pictures_that_are_never_described_leave_the_sound(tmp_path: Path) -> None:
    """The recording begins without them when its budget is spent, as if none had come."""
    path = tmp_path / "talk.mkv"
    pictures = [without_sets(frame, 7, 8) for frame in h264_frames(90, start=START, ntp_offset=1.0, key_interval=30)]
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES, video=Codec.H264)
        await scene.play(audio=opus_frames(150, start=START, ntp_offset=1.0), video=pictures, slides=pictures)
    assert recording.result.error is None
    assert [(one.role, one.packets) for one in recording.result.streams] == [(Role.AUDIO, 150)]
    assert [entry.name for entry in tmp_path.iterdir()] == ["talk.mkv"]


async def test_a_late_picture_without_description_waits_for_the_next(tmp_path: Path) -> None:
    """It begins no file, and the sound goes on meanwhile in the one there is."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(300, start=START, ntp_offset=1.0)
    pictures = h264_frames(60, start=START + 3.5, key_interval=30)
    pictures[0] = without_sets(pictures[0], 8)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.H264)
        await scene.play(audio=sound, video=pictures)
    assert recording.result.error is None
    assert stream(recording.result, Role.AUDIO) == (300, 0)
    assert stream(recording.result, Role.VIDEO) == (30, 0)
    assert scene.streams[Role.VIDEO].key_frames_asked > 0
    with av.open(tmp_path / "talk.002.mkv") as container:
        assert len(list(container.decode(video=0))) == 30


async def test_a_segment_begins_with_the_description_there_was(tmp_path: Path) -> None:
    """A sender may say its parameter sets once: the next file has them in its header, and plays alone."""
    path = tmp_path / "talk.mkv"
    pictures = h264_frames(120, start=START, ntp_offset=1.0, key_interval=30)
    pictures[30:] = [without_sets(frame, 7, 8) for frame in pictures[30:]]
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.5)))
    async with scene.recording as recording:
        scene.attach(Role.VIDEO)
        await scene.play(video=pictures)
    assert recording.result.error is None
    assert len(recording.result.files) > 1
    decoded = 0
    for file in recording.result.files:
        with av.open(file) as container:
            decoded += len(list(container.decode(video=0)))
    assert decoded == 120


async def test_a_change_of_picture_size_begins_another_mp4(tmp_path: Path) -> None:
    """MP4 declares one size, so the larger picture goes to the next file; nothing is lost."""
    path = tmp_path / "talk.mp4"
    sound = opus_frames(100, start=START, ntp_offset=1.0)
    small = h264_frames(30, start=START, ntp_offset=1.0)
    large = h264_frames(30, start=START + 1, ntp_offset=1.0, width=640, height=360)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound, video=[*small, *large])
    sizes: list[tuple[int, int]] = []
    for file in recording.result.files:
        with av.open(file) as container:
            sizes.extend((frame.width, frame.height) for frame in container.decode(video=0))
    assert sizes == [(320, 180)] * 30 + [(640, 360)] * 30
    assert [data for file in recording.result.files for _, data in read(file)["opus"]] == [one.data for one in sound]


@pytest.mark.parametrize("name", ["talk.ogg", "talk.wav"])
async def test_a_container_of_sound_records_sound(tmp_path: Path, name: str) -> None:
    """Pictures are not waited for and not written."""
    scene = Scene(tmp_path / name)
    async with scene.recording as recording:
        scene.attach(*Role)
        await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0), video=vp8_frames(30, start=START))
    assert [one.role for one in recording.result.streams] == [Role.AUDIO]
    assert recording.result.duration_s == pytest.approx(1.0, abs=0.001)


async def test_a_codec_the_container_does_not_take_is_told(tmp_path: Path) -> None:
    """The recording ends with the reason, and no empty file is left."""
    scene = Scene(tmp_path / "talk.mp4")

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.VIDEO)
            await scene.play(video=vp8_frames(10, start=START, ntp_offset=1.0))
            assert await recording.wait_ended() is Ended.FAILED

    with pytest.raises(UsageError, match="MP4 does not carry VP8"):
        await record()
    assert list(tmp_path.iterdir()) == []


async def test_slides_have_their_own_file_on_the_same_clock(tmp_path: Path) -> None:
    """A presentation that begins late, ends and begins again lies in one file at its times in the conference."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(400, start=START, ntp_offset=1e9)
    slides = [*vp8_frames(5, start=START + 2, rate=1), *vp8_frames(1, start=START + 7.5)]
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.SLIDES)
        await scene.play(audio=sound, slides=slides)
    assert recording.result.files == (path, tmp_path / "talk.slides.mkv")
    assert list(read(tmp_path / "talk.slides.mkv").values()) == [expected(slides)]
    assert recording.result.file == path


async def test_slides_can_be_a_track(tmp_path: Path) -> None:
    """With the codec known the track is kept free beside the main picture."""
    path = tmp_path / "talk.mkv"
    sound, pictures = opus_frames(200, start=START, ntp_offset=1.0), vp8_frames(120, start=START, ntp_offset=1.0)
    slides = vp8_frames(20, start=START + 2, rate=10)
    scene = Scene(path, RecordingConfig(path=path, slides_in_same_file=True))
    async with scene.recording as recording:
        scene.attach(*Role, slides=Codec.VP8)
        await scene.play(audio=sound, video=pictures, slides=slides)
    assert recording.result.files == (path,)
    with av.open(path) as container:
        assert [one.metadata["title"] for one in container.streams] == ["audio", "video", "slides"]
        packets = [packet for packet in container.demux(container.streams[2]) if packet.size]
    assert [bytes(packet) for packet in packets] == [frame.data for frame in slides]


async def test_a_change_of_the_sound_codec_begins_another_file_at_a_key_frame(tmp_path: Path) -> None:
    """Sound of the new codec waits for the key frame that is asked for; each packet is written once."""
    path = tmp_path / "talk.mkv"
    opus = opus_frames(50, start=START, ntp_offset=1.0)
    g711 = g711_frames(150, start=START + 1.0)
    pictures = vp8_frames(120, start=START, ntp_offset=1.0, key_interval=45)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=[*opus, *g711], video=pictures)
    first, second = recording.result.files
    one, two = list(read(first).values()), list(read(second).values())
    assert one == [expected(opus), expected(pictures[:45])]
    assert two == [expected(g711, START + 1.0), expected(pictures[45:], START + 1.0)]
    assert scene.streams[Role.VIDEO].key_frames_asked >= 1
    assert recording.result.duration_s == pytest.approx(4.0, abs=0.02)


async def test_segments_lose_no_frame_and_play_alone(tmp_path: Path) -> None:
    """Every file begins with a key frame; together they hold each packet once, late sound included."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(400, start=START, ntp_offset=1.0)
    late = [replace(frame, time=frame.time - 0.1) for frame in sound]  # comes 100 ms after pictures of the same time
    pictures = vp8_frames(240, start=START, ntp_offset=1.0, key_interval=30)
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=2.0)))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        recording.add_chapter("beginning", at=START)
        recording.add_chapter("middle", at=START + 3.0)
        feed = sorted(
            [(a.time, Role.AUDIO, b) for a, b in zip(sound, late, strict=True)]
            + [(f.time, Role.VIDEO, f) for f in pictures],
            key=lambda entry: entry[0],
        )
        for at, role, frame in feed:
            scene.clock.now = at
            scene.streams[role].push(frame)
            recording._check()
    files = recording.result.files
    assert [file.name for file in files] == [f"talk.00{n}.mkv" for n in range(1, len(files) + 1)]
    assert len(files) == 3  # the first key frame after 2 s each
    assert [data for file in files for _, data in read(file)["opus"]] == [frame.data for frame in sound]
    assert [data for file in files for _, data in read(file)["vp8"]] == [frame.data for frame in pictures]
    chapters: list[list[str]] = []
    for file in files:
        with av.open(file) as container:
            assert next(container.demux(video=0)).is_keyframe
            chapters.append([chapter["metadata"]["title"] for chapter in container.chapters()])
    assert chapters == [["beginning"], ["beginning", "middle"], ["middle"]]


async def test_a_sender_that_makes_no_key_frames_is_asked_now_and_then(tmp_path: Path) -> None:
    """A node sent one for the first picture and no more: in an hour of that nobody could find a minute."""
    path = tmp_path / "talk.mkv"
    key, *others = vp8_frames(5, start=START, ntp_offset=1.0, key_interval=1000)
    scene = Scene(path)
    async with scene.recording:
        scene.attach(Role.VIDEO)
        await scene.play(video=[key, *(later(others[0], START + second) for second in range(1, 100))])
    assert scene.streams[Role.VIDEO].key_frames_asked == 3
    assert stream(scene.recording.result, Role.VIDEO) == (100, 0)


def later(frame: EncodedFrame, at: float) -> EncodedFrame:
    """Return the frame at another time."""
    return replace(frame, time=at)


async def test_a_segment_whose_name_is_taken_takes_the_next(tmp_path: Path) -> None:
    """A file of an earlier recording once ended this one; neither that nor one under way is touched."""
    path = tmp_path / "talk.mkv"
    (tmp_path / "talk.002.mkv").write_bytes(b"of last week")
    (tmp_path / "talk.004.part.mkv").write_bytes(b"of somebody")
    sound = opus_frames(400, start=START, ntp_offset=1.0)
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=2.0)))
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        await scene.play(audio=sound)
    assert recording.result.error is None
    assert [file.name for file in recording.result.files] == [f"talk.00{n}.mkv" for n in (1, 3, 5, 6)]
    assert [data for file in recording.result.files for _, data in read(file)["opus"]] == [one.data for one in sound]
    assert (tmp_path / "talk.002.mkv").read_bytes() == b"of last week"
    assert (tmp_path / "talk.004.part.mkv").read_bytes() == b"of somebody"


async def test_segments_of_the_past_cost_nothing(tmp_path: Path) -> None:
    """A day of minutes once took longer to look at with each, and 23 s of the event loop to be closed."""
    path = tmp_path / "talk.mkv"
    told: list[Path] = []
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.0)))
    async with scene.recording as recording:
        recording.on_file_closed = told.append
        scene.attach(Role.AUDIO)
        for second in range(20):
            recording.add_chapter(f"chapter {second}", at=START + second)
            await scene.play(audio=opus_frames(50, start=START + second, ntp_offset=1.0))
            async with asyncio.timeout(10):
                while len(recording._main._files) > 3:  # the one before is open for late sound, one closes
                    await asyncio.sleep(0)
                    recording._check()
        assert len(recording._main._files) <= 3, "closed ones are gone over by nobody"
    result = recording.result
    assert told == list(result.files)
    assert len(result.files) > 12
    assert result.bytes == recording.size_bytes == sum(file.stat().st_size for file in result.files)
    start_s, end_s = (stream.file_start_s for stream in result.streams[10:12])
    with av.open(result.files[10]) as container:
        titles = [chapter["metadata"]["title"] for chapter in container.chapters()]
    assert titles == [f"chapter {second}" for second in range(20) if second < end_s and second + 1 > start_s]


async def test_segments_by_size(tmp_path: Path) -> None:
    """A file that has so many bytes ends at the next key frame; none of its packets is missing."""
    path = tmp_path / "talk.mkv"
    pictures = vp8_frames(240, start=START, ntp_offset=1.0, key_interval=30)
    limit = sum(len(frame.data) for frame in pictures) // 3
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(size_bytes=limit)))
    async with scene.recording as recording:
        scene.attach(Role.VIDEO)
        for number, frame in enumerate(pictures):
            scene.clock.now = frame.time
            scene.streams[Role.VIDEO].push(frame)
            if number % 30 == 10 and recording._main._open is not None:
                await recording._main._open.writer.flush()
            recording._check()
    files = recording.result.files
    assert len(files) >= 2
    assert [data for file in files for _, data in read(file)["vp8"]] == [frame.data for frame in pictures]
    assert all(file.stat().st_size >= limit for file in files[:-1])


async def test_each_file_is_told_once_it_is_complete(tmp_path: Path) -> None:
    """Segments while the recording goes on, the last ones and the slides at its end; each once, under its own name."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path, RecordingConfig(path=path, segments=SegmentRules(duration_s=1.0)))
    told: list[str] = []
    scene.recording.on_file_closed = lambda file: told.append(file.name if file.stat().st_size else "empty")
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, Role.SLIDES)
        await scene.play(
            audio=opus_frames(200, start=START, ntp_offset=1e9),
            video=vp8_frames(120, start=START, ntp_offset=1e9, key_interval=15),
            slides=vp8_frames(20, start=START + 1.0, ntp_offset=1e9),
        )
        async with asyncio.timeout(5):
            while len(told) < 2:  # noqa: ASYNC110 - the recording looks five times a second
                await asyncio.sleep(0.05)
        assert told[:2] == ["talk.001.mkv", "talk.002.mkv"]
    assert sorted(told) == sorted(file.name for file in recording.result.files)
    assert "talk.slides.mkv" in told


async def test_a_pause_is_cut_out_and_the_picture_goes_on_with_a_key_frame(tmp_path: Path) -> None:
    """One file; its clock stands still in the pause; a key frame is asked for, and pictures before it left out."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(300, start=START, ntp_offset=1.0)
    pictures = vp8_frames(180, start=START, ntp_offset=1.0, key_interval=75)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound[:50], video=pictures[:30])
        scene.clock.now = START + 1.0
        recording.pause()
        assert recording.is_paused
        await scene.play(audio=sound[50:100], video=pictures[30:60])
        scene.clock.now = START + 2.0
        recording.resume()
        await scene.play(audio=sound[100:], video=pictures[60:])
        assert recording.position(START + 3.0) == pytest.approx(2.0)
    audio, video = read(path)["opus"], read(path)["vp8"]
    assert audio == expected(sound[:50]) + expected(sound[100:], START + 1.0)
    assert video == expected(pictures[:30]) + expected(pictures[75:], START + 1.0)
    assert scene.streams[Role.VIDEO].key_frames_asked >= 1
    assert recording.result.holes == ()
    assert recording.result.duration_s == pytest.approx(5.0, abs=0.02)


async def test_a_hole_that_a_pause_ends_in_is_told(tmp_path: Path) -> None:
    """The network was gone before it was resumed and came back later: from there on it was no pause. It was told as
    none at all."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        await scene.play(audio=opus_frames(100, start=START, ntp_offset=1.0))
        scene.clock.now = START + 2.0
        recording.pause()
        scene.clock.now = START + 4.0
        recording.resume()
        await scene.play(audio=opus_frames(50, start=START + 7.0, ntp_offset=1.0))
    [hole] = recording.result.holes
    assert [hole.start_s, hole.end_s] == pytest.approx([2.0, 5.0])


async def test_a_rejoin_goes_on_in_the_same_file_and_the_hole_is_measured(tmp_path: Path) -> None:
    """Other receivers, the same clock: the time without media is in the file and in the result."""
    path = tmp_path / "talk.mkv"
    before, after = opus_frames(100, start=START, ntp_offset=1.0), opus_frames(100, start=START + 12.0)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        await scene.play(audio=before)
        for tap in scene.streams[Role.AUDIO].taps:
            tap.end()
        scene.streams[Role.AUDIO] = Stream()
        scene.attach(Role.AUDIO)
        await scene.play(audio=after)
    assert list(read(path).values()) == [expected([*before, *after])]
    assert [(round(hole.start_s, 3), round(hole.end_s, 3)) for hole in recording.result.holes] == [(1.98, 12.0)]


async def test_a_lost_stretch_is_counted_and_stays_time(tmp_path: Path) -> None:
    """Gaps reach the result, for streams that began in the alignment too."""
    sound = opus_frames(100, start=START, ntp_offset=1.0)
    gap = Gap(codec=Codec.OPUS, rtp_time=9600, time=START + 0.2, duration=960 * 5, packets=5)
    scene = Scene(tmp_path / "talk.mkv")
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        await scene.play(audio=[*sound[:10], gap, *sound[15:]])
    assert recording.result.streams[0].gaps == 1
    assert recording.result.streams[0].lost_packets == 5
    assert recording.result.duration_s == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("rules", "ended"),
    [
        (StopRules(duration_s=1.0), Ended.DURATION),
        (StopRules(size_bytes=2000), Ended.SIZE),
        (StopRules(silence_s=1.0), Ended.SILENCE),
        (StopRules(alone_s=1.0), Ended.ALONE),
    ],
)
async def test_a_rule_ends_it(tmp_path: Path, rules: StopRules, ended: Ended) -> None:
    """Whoever waits learns why, and nothing is written after."""
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", stop=rules))
    sound = opus_frames(300, start=START, ntp_offset=1.0)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        recording.watch.note_people(0)
        recording.watch.note_voice()
        await scene.play(audio=sound)
        async with asyncio.timeout(5):
            assert await recording.wait_ended() is ended
    assert recording.ended is ended
    if ended is not Ended.SIZE:  # the disk is behind frames that come faster than real time
        assert stream(recording.result, Role.AUDIO)[0] < 70


async def test_company_and_voices_keep_it_going(tmp_path: Path) -> None:
    """Nobody is alone with others there, and a voice now and then is no silence."""
    rules = StopRules(alone_s=1.0, silence_s=1.0)
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", stop=rules))
    sound = opus_frames(150, start=START, ntp_offset=1.0)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO)
        recording.watch.note_people(1)
        for n in range(0, 150, 30):
            recording.watch.note_voice()
            await scene.play(audio=sound[n : n + 30])
        assert recording.ended is None


async def test_a_disk_that_fills_up_ends_it_with_the_error(tmp_path: Path) -> None:
    """The error is raised on leaving, and the result is there all the same."""
    margin = 256 << 20
    disk = os.statvfs(tmp_path)
    guard = WriterConfig(min_free_bytes=disk.f_bavail * disk.f_frsize - margin)
    scene = Scene(tmp_path / "talk.mkv", RecordingConfig(path=tmp_path / "talk.mkv", writer=guard))
    filler = tmp_path / "filler"

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0))
            with filler.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, 2 * margin)
            async with asyncio.timeout(10):
                assert await recording.wait_ended() is Ended.DISK

    try:
        with pytest.raises(WriteError, match="bytes free on its disk"):
            await record()
    finally:
        filler.unlink()
    assert scene.recording.result.ended is Ended.DISK
    assert stream(scene.recording.result, Role.AUDIO)[0] == 50


async def test_a_slow_disk_costs_pictures_and_not_sound(tmp_path: Path) -> None:
    """What waits is bounded, what was left out is counted in the result, and the file is whole otherwise."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(300, start=START, ntp_offset=1e9)
    pictures = vp8_frames(180, start=START, ntp_offset=1e9, key_interval=30)
    limit = sum(len(frame.data) for frame in pictures) // 2
    scene = Scene(path, RecordingConfig(path=path, writer=WriterConfig(max_pending_bytes=limit)))
    hold = Hold()
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO)
        await scene.play(audio=sound[:10], video=pictures[:6])
        add_job(hold)
        await asyncio.to_thread(hold.holding.wait)
        await scene.play(audio=sound[10:250], video=pictures[6:150])
        hold.release.set()
        await scene.play(audio=sound[250:], video=pictures[150:])
    heard, seen = recording.result.streams
    assert (heard.packets, heard.dropped) == (300, 0)
    assert seen.dropped > 30
    assert seen.packets + seen.dropped == 180
    assert recording.result.error is None
    with av.open(path) as container:
        assert len(list(container.decode(video=0))) == seen.packets


async def test_a_disk_too_full_to_begin(tmp_path: Path) -> None:
    """Where less is left than must stay free nothing is begun, and no file is left."""
    config = RecordingConfig(path=tmp_path / "talk.mkv", writer=WriterConfig(min_free_bytes=1 << 60))
    with pytest.raises(UsageError, match="are to stay free"):
        await Recording(config).__aenter__()
    assert list(tmp_path.iterdir()) == []


async def test_a_place_that_cannot_be_written() -> None:
    """What is read-only is told before anything is begun, to the superuser too."""
    with pytest.raises(UsageError, match=r"/proc/talk\.mkv cannot be written"):
        await Recording(RecordingConfig(path=Path("/proc/talk.mkv"))).__aenter__()


@pytest.mark.parametrize("reports", [True, False])
async def test_what_waits_for_the_start_is_written_on_leaving(tmp_path: Path, *, reports: bool) -> None:
    """All that came within the start's budget was thrown away when the recording ended within it."""
    path = tmp_path / "talk.mkv"
    sound = opus_frames(90, start=START, ntp_offset=1.0 if reports else None)
    scene = Scene(path)
    async with scene.recording as recording:
        scene.attach(Role.AUDIO, Role.VIDEO, video=Codec.VP8)
        await scene.play(audio=sound)
        assert not recording.has_started
    assert recording.result.file == path
    assert next(iter(read(path).values())) == expected(sound)
    assert recording.result.duration_s == pytest.approx(1.8, abs=0.001)
    assert recording.result.began_at is not None


async def test_a_second_cancel_leaves_no_file_open(tmp_path: Path) -> None:
    """The slides were closed only after the wait for the main file, so who cancelled that wait left them incomplete."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path)
    hold = Hold()
    playing = asyncio.Event()

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.AUDIO, Role.SLIDES)
            await scene.play(
                audio=opus_frames(50, start=START, ntp_offset=1.0), slides=vp8_frames(30, start=START, ntp_offset=1.0)
            )
            add_job(hold)
            await asyncio.to_thread(hold.holding.wait)
            playing.set()
            await recording.wait_ended()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(record())
        await playing.wait()
        task.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not task.done()
        task.cancel()
    assert task.cancelled()
    assert not scene.recording.has_result
    hold.release.set()
    async with asyncio.timeout(10):
        while any(".part" in entry.name for entry in tmp_path.iterdir()):  # noqa: ASYNC110 - nobody waits for it
            await asyncio.sleep(0.02)
    assert {entry.name for entry in tmp_path.iterdir()} == {"talk.mkv", "talk.slides.mkv"}


async def test_a_cancelled_recording_is_complete(tmp_path: Path) -> None:
    """Cancelling the task that records leaves a closed file."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path)
    playing = asyncio.Event()

    async def record() -> None:
        async with scene.recording as recording:
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(50, start=START, ntp_offset=1.0))
            playing.set()
            await recording.wait_ended()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(record())
        await playing.wait()
        task.cancel()
    assert len(next(iter(read(path).values()))) == 50
