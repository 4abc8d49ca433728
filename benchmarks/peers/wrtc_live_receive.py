"""libwebrtc, by the package wrtc, receiving one call, decoded, seen and heard. Speaks as `live_receive`."""

from __future__ import annotations

import asyncio
import importlib
import time
from typing import Any

import numpy as np

from benchmarks._children import read_answers, read_commands, say
from benchmarks._live import Senses

_LOOK_S = 0.25


def processor(webrtc: Any, track: Any) -> Any:
    """Return what yields a track's decoded frames."""
    return webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track)).readable


async def listen(webrtc: Any, track: Any, senses: Senses) -> None:
    """Hear all sound."""
    async for data in processor(webrtc, track):
        with data:
            buffer = bytearray(data.number_of_frames * data.number_of_channels * 2)
            data.copy_to(buffer, webrtc.AudioDataCopyToOptions(plane_index=0, format="s16"))
            senses.hear(np.frombuffer(buffer, np.int16)[:: data.number_of_channels].copy())


async def watch(webrtc: Any, track: Any, senses: Senses) -> None:
    """Look at all pictures."""
    async for frame in processor(webrtc, track):
        with frame:
            buffer = bytearray(frame.allocation_size())
            layout = await frame.copy_to(buffer)
            width, height = frame.coded_width, frame.coded_height
        luma = np.frombuffer(buffer, np.uint8)[layout[0].offset :][: layout[0].stride * height]
        senses.see(np.ascontiguousarray(luma.reshape(height, layout[0].stride)[:, :width]))


async def count(peer: Any, senses: Senses) -> None:
    """Note what NetEq made up, four times a second."""
    before = 0
    while True:
        for item in (await peer.get_stats()).values():
            if item.type == "inbound-rtp" and item.kind == "audio":
                made_up = item.concealed_samples or 0
                if made_up > before:
                    senses.made_up.append((time.monotonic(), (made_up - before) / 48000))
                before = made_up
        await asyncio.sleep(_LOOK_S)


async def run() -> None:
    """Receive until told to stop."""
    try:
        webrtc: Any = importlib.import_module("webrtc")
    except ImportError:
        say(missing="wrtc is missing: make peers installs it (locks/peers.txt)")
        return
    webrtc.allow_loopback()
    senses = Senses()
    async with read_commands() as reader, webrtc.RTCPeerConnection() as peer:
        gathered, connected = asyncio.Event(), asyncio.Event()
        peer.on("icecandidate", lambda event: gathered.set() if event.candidate is None else None)
        tracks: list[Any] = []
        peer.on("track", lambda event: tracks.append(event.track))
        peer.on(
            "connectionstatechange",
            lambda *_: connected.set() if str(peer.connection_state).endswith("connected") else None,
        )
        for kind in ("audio", "video"):
            peer.add_transceiver(kind, webrtc.RTCRtpTransceiverInit(direction="recvonly"))
        await peer.set_local_description(await peer.create_offer())
        await gathered.wait()
        say(call=0, offer=peer.local_description.sdp)
        answer = (await read_answers(reader, range(1)))[0]
        await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer))
        await connected.wait()
        following = ((listen if track.kind == "audio" else watch)(webrtc, track, senses) for track in tracks)
        await senses.follow(reader, count(peer, senses), *following)
    say(**senses.report())


if __name__ == "__main__":
    asyncio.run(run())
