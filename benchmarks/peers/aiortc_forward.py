"""Stock aiortc forwarding one call to others by MediaRelay, which decodes, and encodes for each. Speaks as
`gstreamer_forward`. Args: how many subscribers.
"""

from __future__ import annotations

import asyncio
import json

from aiortc import RTCPeerConnection
from aiortc.contrib.media import MediaRelay

from benchmarks._children import read_answers, read_commands
from benchmarks.peers.aiortc_call import accept, answer, connection, offer, use_loopback


async def run() -> None:
    """Forward until the input ends."""
    publisher, relay = connection(), MediaRelay()
    subscribers: list[RTCPeerConnection] = []
    async with read_commands() as reader:
        await offer(publisher)
        await accept(publisher, (await read_answers(reader, range(1)))[0])
        while line := await reader.readline():
            said = json.loads(line)
            if "offer" not in said:
                continue
            peer = connection()
            subscribers.append(peer)
            for transceiver in publisher.getTransceivers():
                peer.addTrack(relay.subscribe(transceiver.receiver.track))
            await answer(peer, said["call"], said["offer"])
    for peer in (publisher, *subscribers):
        await peer.close()


if __name__ == "__main__":
    use_loopback()
    asyncio.run(run())
