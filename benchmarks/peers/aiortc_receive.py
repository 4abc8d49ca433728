"""Stock aiortc recording calls with its MediaRecorder, which decodes and encodes. Args: how many calls, the folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

from aiortc import MediaStreamTrack
from aiortc.contrib.media import MediaRecorder
from av.frame import Frame
from av.packet import Packet

from benchmarks._children import read_answers, read_commands, say
from benchmarks.peers.aiortc_call import accept, connection, offer, use_loopback


class Begun(MediaStreamTrack):
    """A track whose first frame was waited for.

    MediaRecorder loses all pictures when sound is written before the first of them (it opens the codecs together, and
    then cannot give the picture its size), and a picture needs a key frame first. Who uses it must wait as this does.
    """

    def __init__(self, track: MediaStreamTrack) -> None:
        super().__init__()
        self.kind = track.kind
        self._track = track
        self._first: Frame | Packet[Any] | None = None

    async def begin(self) -> None:
        """Wait for the first frame."""
        self._first = await self._track.recv()

    async def recv(self) -> Frame | Packet[Any]:
        """Return the next frame."""
        first, self._first = self._first, None
        return first if first is not None else await self._track.recv()


async def run(calls: int, folder: Path) -> None:
    """Record until told to stop."""
    async with read_commands() as reader:
        peers = [connection() for _ in range(calls)]
        recorders = [MediaRecorder(str(folder / f"{number}.mkv")) for number in range(calls)]
        for number, peer in enumerate(peers):
            await offer(peer, number)
        answers = await read_answers(reader, range(calls))
        for number, peer in enumerate(peers):
            await accept(peer, answers[number])
            tracks: list[MediaStreamTrack] = [transceiver.receiver.track for transceiver in peer.getTransceivers()]
            pictures = Begun(next(track for track in tracks if track.kind == "video"))
            await pictures.begin()
            recorders[number].addTrack(pictures)
            recorders[number].addTrack(next(track for track in tracks if track.kind == "audio"))
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
