"""Time without media: pauses, rejoins and losses, each told as what it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.media.frames import Codec, Gap
from pexrtc_py.recorder.roles import Role
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene, Stream, expected, read


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
