"""Which holes are the sender's and which are losses: told by the recorder, found again in the file."""

from __future__ import annotations

from pathlib import Path

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.media.integrity import Problem, inspect_file
from pexrtc_py.recorder.manifest import KnownHole, KnownStream, known_streams
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.sidecars import Sidecars, sidecar_path
from pexrtc_py.recorder.verdict import LOST, FoundHole, FoundStream, Verdict, judge
from tests.support.frames import opus_frames, vp8_frames
from tests.support.recording_scene import START, Scene


def without(frames: list[EncodedFrame], start_s: float, end_s: float) -> list[EncodedFrame]:
    """Take a stretch out."""
    return [frame for frame in frames if not start_s <= frame.time - START < end_s]


def gap(at_s: float, codec: Codec, *, packets: int, duration_s: float = 0.0) -> Gap:
    """What a receiver tells of packets that never came."""
    ticks = round(duration_s * codec.clock_rate)
    return Gap(codec=codec, rtp_time=0, time=START + at_s, duration=ticks, packets=packets)


async def judged(folder: Path, sound: list[EncodedFrame | Gap], pictures: list[EncodedFrame | Gap]) -> Verdict:
    """Record, and judge the file by the manifest beside it."""
    path = folder / "talk.mkv"
    scene = Scene(path, RecordingConfig(path=path))
    async with Sidecars(scene.recording, path) as sidecars:
        async with scene.recording:
            scene.attach(Role.AUDIO, Role.VIDEO)
            await scene.play(audio=sound, video=pictures)
        await sidecars.write(scene.recording.result)
    return verdict_of(path)


def verdict_of(path: Path) -> Verdict:
    """Judge a file by the manifest beside it."""
    found = inspect_file(path)
    streams = [
        FoundStream(
            kind=Kind(one.kind), holes=[FoundHole(start_s=hole.start_s, end_s=hole.end_s) for hole in one.holes]
        )
        for one in found.streams
    ]
    return judge(found.problems, streams, known_streams(sidecar_path(path, "manifest.json"), path.name))


async def test_a_camera_that_was_off_and_a_mute_are_no_loss(tmp_path: Path) -> None:
    """One packet of sound that was lost in a minute's mute makes no loss of the minute. It was exit code 1 once."""
    sound = without(opus_frames(400, start=START, ntp_offset=1.0), 2.0, 5.0)
    pictures = without(vp8_frames(240, start=START, ntp_offset=1.0), 3.0, 6.0)
    pictures = without(pictures, 4.0, 20.0)  # the camera is off for the rest, five seconds
    lost = gap(3.5, Codec.OPUS, packets=1, duration_s=0.02)
    verdict = await judged(tmp_path, sorted([*sound, lost], key=lambda one: one.time), list(pictures))
    assert verdict == Verdict(problems=(), remarks=(Problem.HOLES, Problem.APART), lost=((False,), ()))


async def test_what_was_lost_on_its_way_is_a_problem(tmp_path: Path) -> None:
    """Half a second of sound, and the pictures to the end; mute before that is a remark all the same."""
    sound = without(without(opus_frames(400, start=START, ntp_offset=1.0), 1.0, 2.0), 4.0, 4.5)
    pictures = without(vp8_frames(240, start=START, ntp_offset=1.0, key_interval=1000), 4.0, 4.1)
    lost = [gap(4.0, Codec.OPUS, packets=25, duration_s=0.5), gap(4.0, Codec.VP8, packets=9)]
    verdict = await judged(
        tmp_path,
        sorted([*sound, lost[0]], key=lambda one: one.time),
        sorted([*pictures, lost[1]], key=lambda one: one.time),
    )
    assert verdict == Verdict(problems=(LOST,), remarks=(Problem.HOLES, Problem.APART), lost=((False, True), ()))
    known = known_streams(tmp_path / "talk.manifest.json", "talk.mkv")
    [end] = known[1].holes or ()
    assert end.is_lost, "no key frame came any more"
    assert (round(end.start_s), round(end.end_s)) == (4, 8)


async def test_a_call_that_was_gone_is_a_loss(tmp_path: Path) -> None:
    """Its packets have no numbers that would tell."""
    path = tmp_path / "talk.mkv"
    scene = Scene(path)
    async with Sidecars(scene.recording, path) as sidecars:
        async with scene.recording as recording:
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(100, start=START, ntp_offset=1.0))
            recording.note_loss(Role.AUDIO, Role.VIDEO)
            scene.attach(Role.AUDIO)
            await scene.play(audio=opus_frames(100, start=START + 12, ntp_offset=1.0))
        await sidecars.write(recording.result)
    assert verdict_of(path) == Verdict(problems=(LOST,), remarks=(Problem.HOLES,), lost=((True,),))


def test_what_nobody_knows_of_stays_a_problem() -> None:
    """No manifest, one of an older version, a hole that came later, more holes than a manifest tells."""
    streams = [FoundStream(kind=Kind.AUDIO, holes=[FoundHole(start_s=1.0, end_s=2.0)])]
    unknown = Verdict(problems=(Problem.HOLES,), remarks=(), lost=((None,),))
    assert judge([Problem.HOLES], streams, None) == unknown
    assert judge([Problem.HOLES], streams, ()) == unknown
    assert judge([Problem.HOLES], streams, [KnownStream(Role.AUDIO, "a.mkv", 0.0)]) == unknown
    other = (KnownHole(5.0, 6.0, is_lost=False),)
    later = judge([Problem.HOLES], streams, [KnownStream(Role.AUDIO, "a.mkv", 0.0, other)])
    assert later == Verdict(problems=(LOST,), remarks=(Problem.HOLES,), lost=((True,),))
    assert judge([Problem.HOLES], streams, [KnownStream(Role.AUDIO, "a.mkv", 0.0, other, 3)]) == unknown
    segment = [KnownStream(Role.AUDIO, "a.mkv", 4.0, (KnownHole(5.0, 6.0, is_lost=False),))]
    assert judge([Problem.HOLES], streams, segment) == Verdict(problems=(), remarks=(Problem.HOLES,), lost=((False,),))
    broken = judge([Problem.TRUNCATED, Problem.HOLES], streams, segment)
    assert broken.problems == (Problem.TRUNCATED,), "damage stays damage"
