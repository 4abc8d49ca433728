"""Decoding on demand lives no longer than its call."""

from __future__ import annotations

import asyncio
import threading

from pexrtc_py.media.decoding_taps import AudioDecoder, VideoDecoder
from tests.support.peers import call


async def test_threads_end_with_the_call() -> None:
    """Whoever never closed a decoder, nor reads from it, is left with no thread, and its iteration ends."""
    before = set(threading.enumerate())
    sound, pictures = AudioDecoder(), VideoDecoder()
    decoders: tuple[AudioDecoder | VideoDecoder, ...] = (sound, pictures)
    async with call() as (client, _):
        for decoder, line in zip(decoders, client.lines, strict=False):
            assert line.receiver is not None
            decoder.start()
            line.receiver.add_tap(decoder)
        reading = asyncio.get_running_loop().create_task(_read(pictures))
        assert len(set(threading.enumerate()) - before) >= 2
    async with asyncio.timeout(5):
        assert await reading == 0
        for decoder in decoders:
            await decoder.aclose()
    assert not {thread.name for thread in threading.enumerate()} & {"audio-decoder", "video-decoder"}


async def _read(decoder: VideoDecoder) -> int:
    return len([picture async for picture in decoder.pictures()])
