"""Stock aiortc receiving one call, decoded, seen and heard. Speaks as `live_receive`."""

from __future__ import annotations

import asyncio

import numpy as np
from aiortc import MediaStreamError, MediaStreamTrack
from av import AudioFrame, VideoFrame

from benchmarks._children import read_answers, read_commands, say
from benchmarks._live import Senses
from benchmarks.peers.aiortc_call import accept, connection, offer, use_loopback


async def follow(track: MediaStreamTrack, senses: Senses) -> None:
    """Take all frames of a track; aiortc leaves a hole in the times where packets were lost."""
    expected: int | None = None
    while True:
        try:
            frame = await track.recv()
        except MediaStreamError:
            return
        if isinstance(frame, VideoFrame):
            senses.see(frame.to_ndarray(format="gray8").astype(np.uint8, copy=False))
        elif isinstance(frame, AudioFrame) and frame.pts is not None:
            channels = len(frame.layout.channels)
            samples = frame.to_ndarray().reshape(-1, channels)[:, 0].astype(np.int16)
            hole = frame.pts - expected if expected is not None else 0
            senses.hear(samples, max(0.0, hole / frame.sample_rate))
            expected = frame.pts + frame.samples


async def run() -> None:
    """Receive until told to stop."""
    senses = Senses()
    async with read_commands() as reader:
        peer = connection()
        await offer(peer)
        await accept(peer, (await read_answers(reader, range(1)))[0])
        while peer.connectionState != "connected":  # noqa: ASYNC110 - a peer of a benchmark may ask
            await asyncio.sleep(0.02)
        await senses.follow(reader, *(follow(each.receiver.track, senses) for each in peer.getTransceivers()))
        await peer.close()
    say(**senses.report())


if __name__ == "__main__":
    use_loopback()
    asyncio.run(run())
