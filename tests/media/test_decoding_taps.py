"""Decoders as taps: shared by consumers, bounded, and gone with aclose()."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from pexrtc_py.media.decoding_taps import AudioDecoder, VideoDecoder
from pexrtc_py.media.frames import Codec, Gap
from tests.media.coded import opus, video


async def test_two_consumers_get_every_picture() -> None:
    """One decoder serves any number of consumers, as frames and as arrays."""
    async with VideoDecoder() as decoder:
        times: list[int | None] = []
        shapes: list[tuple[int, ...]] = []

        async def read_frames() -> None:
            times.extend([frame.pts async for frame in decoder.frames()])

        async def read_arrays() -> None:
            shapes.extend([array.shape async for array in decoder.arrays()])

        async with asyncio.TaskGroup() as group:
            group.create_task(read_frames())
            group.create_task(read_arrays())
            await asyncio.sleep(0)
            for frame in video(Codec.VP8)[:8]:
                decoder.push(frame)
            decoder.end()
    assert times == [3000 * number for number in range(8)]
    assert shapes == [(180, 320, 3)] * 8


async def test_sound_comes_as_arrays_in_order() -> None:
    """A hole is filled, and the end of the stream ends the iteration."""
    async with AudioDecoder(channels=2) as decoder:
        frames = opus(0.4)
        for frame in frames[:10]:
            decoder.push(frame)
        decoder.push(Gap(codec=Codec.OPUS, rtp_time=9600, time=0.2, duration=960, packets=1))
        for frame in frames[11:]:
            decoder.push(frame)
        decoder.end()
        wave = np.concatenate([array async for array in decoder.arrays()])
    assert wave.shape == (20 * 960, 2)


async def test_a_decoder_behind_waits_for_a_key_frame_and_asks_for_it() -> None:
    """More than a second of backlog is dropped whole; pictures go on with the next key frame and no other."""
    asked = asyncio.Event()
    frames = video(Codec.VP8, keys=frozenset({15}))
    decoder = VideoDecoder(request_key_frame=asked.set)
    # Pushed before the thread runs, so that the backlog is certain.
    for _ in range(3):
        for frame in frames[:10]:
            decoder.push(frame)
    for frame in frames[10:]:
        decoder.push(frame)
    assert asked.is_set()
    decoder.end()
    async with decoder:
        times = [picture.rtp_time async for picture in decoder.pictures()]
    assert times == [3000 * number for number in range(15, 20)]


async def test_a_slow_consumer_loses_its_oldest_pictures() -> None:
    """A consumer that does not read holds eight pictures at most, the newest."""
    frames = video(Codec.VP8)
    async with VideoDecoder() as decoder:
        iterator = decoder.pictures()
        decoder.push(frames[0])
        assert (await anext(iterator)).rtp_time == 0
        for frame in frames[1:]:
            decoder.push(frame)
        decoder.end()
        await decoder._done.wait()
        times = [picture.rtp_time async for picture in iterator]
    assert times == [3000 * number for number in range(12, 20)]


@pytest.mark.parametrize("started", [True, False])
async def test_aclose_ends_the_thread_and_waiting_consumers(*, started: bool) -> None:
    """Closing wakes whoever waits; a decoder never entered closes too."""
    decoder = AudioDecoder()
    if not started:
        await decoder.aclose()
        return
    async with decoder, asyncio.TaskGroup() as group:
        group.create_task(_drain(decoder))
        await asyncio.sleep(0)
        await decoder.aclose()
        await decoder.aclose()
    assert not [thread for thread in threading.enumerate() if thread.name == "audio-decoder"]


async def _drain(decoder: AudioDecoder) -> None:
    async for _ in decoder.sounds():
        pass
