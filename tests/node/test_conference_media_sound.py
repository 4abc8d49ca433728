"""The sound of a conference: one thread, one clock, one encode for all who only listen."""

from __future__ import annotations

import asyncio
import time as clocks
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import numpy as np
import pytest

from pexrtc_py.media.decoding import AudioDecoding
from pexrtc_py.media.encoding import AudioEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.node.conference_media_sound import ConferenceSound
from pexrtc_py.protocol.models import ParticipantUuid

ADA, BEN, CLEO = (ParticipantUuid(name) for name in ("ada", "ben", "cleo"))


@dataclass
class Ear:
    """A tap that keeps what it hears."""

    frames: list[EncodedFrame] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    wanted: int = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        self.frames.append(item)
        if len(self.frames) >= self.wanted:
            self.arrived.set()

    def end(self) -> None:
        pass

    async def hear(self, count: int) -> None:
        """Wait for so many frames more."""
        self.wanted = len(self.frames) + count
        self.arrived.clear()
        async with asyncio.timeout(10):
            await self.arrived.wait()

    def level(self) -> float:
        """Root mean square of what was heard last, by a decoder that heard it all."""
        decoding = AudioDecoding()
        sounds = [sound for frame in self.frames for sound in decoding.feed(frame)]
        return float(np.sqrt((np.concatenate([s.samples for s in sounds[-20:]]).astype(float) ** 2).mean()))


@asynccontextmanager
async def running() -> AsyncIterator[ConferenceSound]:
    """A conference's sound, closed at the end."""
    delays: list[Mapping[ParticipantUuid, float]] = []
    sound = ConferenceSound(on_voice=lambda participant, speaking: None, on_delays=delays.append)
    sound.set_hearing(frozenset({ADA, BEN, CLEO}))
    try:
        sound.start()
        sound.start()
        yield sound
    finally:
        await sound.aclose()
        await sound.aclose()


async def test_ticks_follow_each_other_without_drift() -> None:
    """50 frames a second, RTP and time in step, whatever the loop does meanwhile."""
    ear = Ear()
    async with running() as sound:
        sound.add_output(ADA, Codec.OPUS, ear)
        await ear.hear(60)
    steps = {later.rtp_time - earlier.rtp_time for earlier, later in zip(ear.frames, ear.frames[1:], strict=False)}
    assert 960 in steps
    assert all(step % 960 == 0 for step in steps)
    first, last = ear.frames[0], ear.frames[-1]
    assert last.time - first.time == pytest.approx((last.rtp_time - first.rtp_time) / 48000, abs=1e-6)


async def test_listeners_share_one_encode_per_codec() -> None:
    """Two Opus listeners get the very same bytes; a G.711 listener hears the same in its own codec."""
    ben, cleo, ada = Ear(), Ear(), Ear()
    async with running() as sound:
        sound.add_output(ADA, Codec.PCMU, ada)
        sound.add_output(BEN, Codec.OPUS, ben)
        sound.add_output(CLEO, Codec.OPUS, cleo)
        await cleo.hear(20)
    count = min(len(ben.frames), len(cleo.frames))
    assert count >= 15
    assert all(one is other for one, other in zip(ben.frames[-count:], cleo.frames[-count:], strict=True))
    assert {len(frame.data) for frame in ada.frames} == {160}


async def test_one_leaves_and_one_is_replaced() -> None:
    """A replaced tap gets nothing more, and its late removal does not remove its successor."""
    old, new = Ear(), Ear()
    async with running() as sound:
        sound.add_output(ADA, Codec.OPUS, old)
        await old.hear(3)
        sound.add_output(ADA, Codec.OPUS, new)
        sound.remove_output(ADA, old)
        await new.hear(5)
        heard = len(old.frames)
        await new.hear(5)
        assert len(old.frames) == heard
        sound.remove_output(ADA, new)
        voice = sound.add_input(BEN)
        sound.remove_input(BEN, voice)
        sound.remove_input(BEN, voice)


async def test_a_voice_at_full_length_is_heard_and_muting_ends_it() -> None:
    """A tone pushed by Ada in bursts is heard by Ben at its level, until she is muted."""
    ear, encoder = Ear(), AudioEncoder()
    wave = (8000 * np.sin(2 * np.pi * 500 * np.arange(960) / 48000)).astype(np.int16)
    number = 0
    async with running() as sound:
        sound.add_output(BEN, Codec.OPUS, ear)
        voice = sound.add_input(ADA)
        levels = []
        for muted in (False, True):
            sound.set_muted(ADA, muted=muted)
            for _ in range(20):
                for _ in range(2):
                    for frame in encoder.encode(wave, rtp_time=960 * number, time=number / 50):
                        voice.push(frame)
                    number += 1
                await ear.hear(2)
            levels.append(ear.level())
    assert levels[0] == pytest.approx(8000 / np.sqrt(2), rel=0.15)
    assert levels[1] < 100


async def test_a_conference_without_sound_keeps_no_changes() -> None:
    """Changes before the thread begins were piled up for it: of a conference without calls, for days."""
    sound = ConferenceSound(on_voice=lambda participant, speaking: None, on_delays=lambda delays: None)
    for _ in range(1000):
        sound.set_muted(ADA, muted=True)
        sound.set_hearing(frozenset({ADA}))
    assert not sound._changes
    await sound.aclose()
    sound.start()
    sound.set_hearing(frozenset())
    assert not sound._changes
    assert not sound._thread.is_alive()


async def test_a_loop_that_stands_still_again_and_again_loses_no_sound() -> None:
    """Three stalls of 150 ms in two seconds: all that was said is heard, and only the first one makes a hole."""
    ear, encoder = Ear(), AudioEncoder()
    wave = (8000 * np.sin(2 * np.pi * 500 * np.arange(960) / 48000)).astype(np.int16)
    async with running() as sound:
        sound.add_output(BEN, Codec.OPUS, ear)
        voice = sound.add_input(ADA)
        await ear.hear(10)
        began = clocks.monotonic()
        for number in range(100):
            due = began + number / 50
            if number in (25, 50, 75):
                clocks.sleep(max(0.0, due + 0.15 - clocks.monotonic()))  # noqa: ASYNC251 - blocks, as it should
            elif due > clocks.monotonic():
                await asyncio.sleep(due - clocks.monotonic())
            for frame in encoder.encode(wave, rtp_time=960 * number, time=due):
                voice.push(frame)
        await ear.hear(40)
    decoding = AudioDecoding()
    heard = np.concatenate([s.samples[:, 0] for frame in ear.frames for s in decoding.feed(frame)]).astype(float)
    levels = np.sqrt((heard[: len(heard) // 480 * 480].reshape(-1, 480) ** 2).mean(axis=1))
    loud = levels > 4000
    assert loud.sum() / 100 == pytest.approx(2.0, abs=0.08)
    holes = int((np.diff(loud.astype(int)) == 1).sum()) - 1
    assert holes <= 2


@dataclass
class Deaf:
    """A listener with a bug in it."""

    pushed: int = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        self.pushed += 1
        raise RuntimeError("a bug")

    def end(self) -> None:
        pass


async def test_who_fails_fails_alone() -> None:
    """A listener that raises gets nothing more; those after it in the same batch hear every tick.

    One exception used to cost all others the rest of the batch.
    """
    deaf, ear = Deaf(), Ear()
    async with running() as sound:
        sound.add_output(BEN, Codec.OPUS, deaf)
        sound.add_output(CLEO, Codec.OPUS, ear)
        await ear.hear(20)
    assert deaf.pushed == 1
    steps = [later.rtp_time - earlier.rtp_time for earlier, later in zip(ear.frames, ear.frames[1:], strict=False)]
    assert set(steps) == {960}
