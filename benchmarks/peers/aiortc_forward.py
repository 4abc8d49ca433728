"""Stock aiortc forwarding one call to others by MediaRelay, which decodes, and encodes for each. Speaks as
`gstreamer_forward`. Args: how many subscribers.
"""

from __future__ import annotations

import asyncio
import json

from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaRelay

from benchmarks._children import read_answers, read_commands, say
from benchmarks.peers.aiortc_loopback import use_loopback


def connection() -> RTCPeerConnection:
    """Return a new peer."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def run() -> None:
    """Forward until the input ends."""
    publisher, relay = connection(), MediaRelay()
    subscribers: list[RTCPeerConnection] = []
    async with read_commands() as reader:
        publisher.addTransceiver("audio", direction="recvonly")
        publisher.addTransceiver("video", direction="recvonly")
        await publisher.setLocalDescription(await publisher.createOffer())
        say(call=0, offer=publisher.localDescription.sdp)
        answer = (await read_answers(reader, range(1)))[0]
        await publisher.setRemoteDescription(RTCSessionDescription(sdp=answer, type="answer"))
        while line := await reader.readline():
            said = json.loads(line)
            if "offer" not in said:
                continue
            peer = connection()
            subscribers.append(peer)
            for transceiver in publisher.getTransceivers():
                peer.addTrack(relay.subscribe(transceiver.receiver.track))
            await peer.setRemoteDescription(RTCSessionDescription(sdp=said["offer"], type="offer"))
            await peer.setLocalDescription(await peer.createAnswer())
            say(call=said["call"], answer=peer.localDescription.sdp)
    for peer in (publisher, *subscribers):
        await peer.close()


if __name__ == "__main__":
    use_loopback()
    asyncio.run(run())
