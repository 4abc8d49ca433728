"""A recorder that says aloud that it records, and what it looks at before it joins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import pexrtc_py
from pexrtc_py import Node
from tests.announcer.hearing import Wave, decoded, read_sound, write_wav
from tests.recorder.beacon import ALICE, beacon, job_of
from tests.support.running_recorder import running
from tests.support.taps import Collector
from tests.support.waiting import until


def tone_level(sound: Wave, hz: float) -> float:
    """Return how much of a tone is in the loudest half second, 0 to 1."""
    samples = sound / 32768
    steps = range(0, len(samples) - 24000, 4800)
    wave = np.exp(-2j * np.pi * hz * np.arange(24000) / 48000)
    return max((float(2 * np.abs(samples[at : at + 24000] @ wave) / 24000) for at in steps), default=0.0)


@pytest.mark.slow
async def test_it_says_aloud_that_it_records(node: Node, tmp_path: Path) -> None:
    """People hear the announcement once, whatever kind of file it is; the recording does not have it."""
    announcement = tmp_path / "announcement.wav"
    write_wav(announcement, (9000 * np.sin(2 * np.pi * 440 * np.arange(96000) / 48000)).astype(np.int16))
    cache = tmp_path / "cache"
    job = job_of(node.url, tmp_path / "out" / "talk.mkv", announcement=announcement, announcement_cache=cache)
    ear = Collector()
    async with pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
        config = pexrtc_py.CallConfig(audio=pexrtc_py.Direction.RECVONLY, video=pexrtc_py.Direction.INACTIVE)
        async with host.call(config) as call, beacon(node.url, ALICE), running(job) as one:
            await call.connected()
            assert call.audio is not None
            assert call.audio.receiver is not None
            call.audio.receiver.add_tap(ear)
            await until(lambda: tone_level(decoded(ear.frames), 440) >= 0.02, within_s=15, every_s=0.3)
            await one.played(0.5)
    assert one.recorded is not None
    assert tone_level(read_sound(tmp_path / "out" / "talk.mkv"), 440) < 0.005
    assert [path.suffix for path in cache.iterdir()] == [".mkv"], "kept for the next time"


async def test_a_preset_and_an_announcement_are_looked_at_before_joining(tmp_path: Path) -> None:
    """Nobody is called, and no file is left, when they cannot be."""
    job = job_of("http://127.0.0.1:1", tmp_path / "talk.mkv", transcode="avi")
    with pytest.raises(pexrtc_py.errors.UsageError, match="no preset is called 'avi'"):
        await pexrtc_py.record(job)
    job = job_of("http://127.0.0.1:1", tmp_path / "talk.mkv", announcement=tmp_path / "no.wav")
    with pytest.raises(pexrtc_py.errors.SourceError, match=r"no\.wav"):
        await pexrtc_py.record(job)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
async def test_a_cache_that_cannot_be_costs_no_recording(tmp_path: Path) -> None:
    """A service often has no home: the announcement is made anew, and what fails then is the node that is not there."""
    clip = pexrtc_py.clip_path("announcement.mkv")
    job = job_of("http://127.0.0.1:1", tmp_path / "a.mkv", announcement=clip, announcement_cache=Path("/proc/cache"))
    with pytest.raises(pexrtc_py.errors.TransportError):
        await pexrtc_py.record(job)
