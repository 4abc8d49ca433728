"""Our recorder: offers calls and records each to Matroska, with file, RTCP, NACK, feedback and statistics on.

Args: how many calls, the folder. With `PEXRTC_PROFILE=FILE` it profiles itself by cProfile between `ready` and `stop`.
"""

from __future__ import annotations

import asyncio
import cProfile
import os
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from benchmarks._children import read_answers, read_commands, say
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.webrtc.peer import Peer, PeerConfig


async def run(calls: int, folder: Path) -> None:
    """Record until told to stop."""
    async with read_commands() as reader, AsyncExitStack() as stack:
        peers: list[Peer] = []
        for number in range(calls):
            peer = await stack.enter_async_context(Peer(PeerConfig(addresses=("127.0.0.1",), relaxed=True)))
            peer.add_line(Kind.AUDIO, direction=Direction.RECVONLY, codecs=[Codec.OPUS])
            peer.add_line(Kind.VIDEO, direction=Direction.RECVONLY, codecs=[Codec.VP8])
            peers.append(peer)
            say(call=number, offer=await peer.create_offer())
        answers = await read_answers(reader, range(calls))
        recordings: list[Recording] = []
        for number, peer in enumerate(peers):
            await peer.accept_answer(answers[number])
            config = RecordingConfig(path=folder / f"{number}.mkv")
            recording = await stack.enter_async_context(Recording(config))
            recordings.append(recording)
            for role, line in zip((Role.AUDIO, Role.VIDEO), peer.lines, strict=True):
                assert line.receiver is not None
                recording.attach(role, line.receiver, codec=line.codec)
            await peer.connected()
        while not all(recording.has_started for recording in recordings):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        say(ready=True)
        profile = cProfile.Profile() if "PEXRTC_PROFILE" in os.environ else None
        if profile is not None:
            profile.enable()
        async with asyncio.TaskGroup() as group:
            looking = group.create_task(_look(peers))
            await reader.readline()
            looking.cancel()
        if profile is not None:
            profile.disable()
            profile.dump_stats(os.environ["PEXRTC_PROFILE"])
    say(done=True)


async def _look(peers: list[Peer]) -> None:
    """Take the statistics of every call once a second, as a probe or a metrics page does."""
    while True:
        await asyncio.sleep(1.0)
        for peer in peers:
            peer.statistics(time.monotonic())


if __name__ == "__main__":
    uvloop.run(run(int(sys.argv[1]), Path(sys.argv[2])))
