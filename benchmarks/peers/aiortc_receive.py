"""Stock aiortc recording calls with its MediaRecorder, which decodes and encodes. Args: how many calls, the folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from aiortc import (
    MediaStreamTrack,
    RTCBundlePolicy,
    RTCConfiguration,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.contrib.media import MediaRecorder

from benchmarks._children import read_answers, read_commands, say
from benchmarks.peers.aiortc_loopback import use_loopback


async def run(calls: int, folder: Path) -> None:
    """Record until told to stop."""
    async with read_commands() as reader:
        peers = [
            RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
            for _ in range(calls)
        ]
        recorders = [MediaRecorder(str(folder / f"{number}.mkv")) for number in range(calls)]
        for number, peer in enumerate(peers):
            peer.addTransceiver("audio", direction="recvonly")
            peer.addTransceiver("video", direction="recvonly")
            await peer.setLocalDescription(await peer.createOffer())
            say(call=number, offer=peer.localDescription.sdp)
        answers = await read_answers(reader, range(calls))
        for number, peer in enumerate(peers):
            await peer.setRemoteDescription(RTCSessionDescription(sdp=answers[number], type="answer"))
            # Pictures first: when sound is encoded first, MediaRecorder loses the pictures (its codecs open together).
            tracks: list[MediaStreamTrack] = [transceiver.receiver.track for transceiver in peer.getTransceivers()]
            for track in sorted(tracks, key=lambda track: track.kind, reverse=True):
                recorders[number].addTrack(track)
            await recorders[number].start()
        await asyncio.sleep(2)
        say(ready=True)
        await reader.readline()
        for recorder in recorders:
            await recorder.stop()
        for peer in peers:
            await peer.close()
    say(done=True)


if __name__ == "__main__":
    use_loopback()
    asyncio.run(run(int(sys.argv[1]), Path(sys.argv[2])))
