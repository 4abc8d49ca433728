"""Our announcer's way of sending: one Player, which reads the file once, to the senders of all calls.

Args: how many calls, the file. Takes `{"call": n, "offer": sdp}`, says `{"call": n, "answer": sdp}`, then plays.
"""

from __future__ import annotations

import json
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from benchmarks._children import read_commands, say
from benchmarks.peers.send import POLICY
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from pexrtc_py.webrtc.sender import Sender


async def run(calls: int, path: Path) -> None:
    """Send until the input ends."""
    async with AsyncExitStack() as stack, read_commands() as reader:
        taps: dict[Kind, list[Sender]] = {Kind.AUDIO: [], Kind.VIDEO: []}
        for _ in range(calls):
            said = json.loads(await reader.readline())
            peer = await stack.enter_async_context(Peer(PeerConfig(addresses=("127.0.0.1",))))
            say(call=said["call"], answer=await peer.answer_offer(said["offer"], POLICY))
            for line in peer.lines:
                if line.kind is not None and line.sender is not None:
                    taps[line.kind].append(line.sender)
        source = open_file(path, accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8,)}, loop=None)
        await stack.enter_async_context(Player(source, taps))
        await reader.readline()


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), Path(sys.argv[2])))
