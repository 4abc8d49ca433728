"""Stock aiortc sending a prepared file by MediaPlayer(decode=False). Args: the file. Speaks as `send`."""

from __future__ import annotations

import asyncio
import json
import sys

from aiortc.contrib.media import MediaPlayer

from benchmarks._children import read_commands
from benchmarks.peers.aiortc_call import answer, connection, use_loopback


async def run(path: str) -> None:
    """Send until the input ends, or the file: it cannot be looped, MediaPlayer floods then."""
    peers = []
    async with read_commands() as reader:
        while line := await reader.readline():
            said = json.loads(line)
            if "offer" not in said:
                continue
            peer = connection()
            peers.append(peer)
            player = MediaPlayer(path, decode=False)
            assert player.audio is not None
            assert player.video is not None
            peer.addTrack(player.audio)
            peer.addTrack(player.video)
            await answer(peer, said["call"], said["offer"])
    for peer in peers:
        await peer.close()


if __name__ == "__main__":
    use_loopback()
    asyncio.run(run(sys.argv[1]))
