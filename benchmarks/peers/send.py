"""Our sender: answers offers and sends the clip, over and over, to each call; calls are out of phase, as in life.

Takes `{"call": n, "offer": sdp}`, says `{"call": n, "answer": sdp}`, and ends with its input.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack

import uvloop
from msgspec.structs import replace

from benchmarks._children import read_commands, say
from benchmarks._clip import DURATION_S, clip, load
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.webrtc.peer import AnswerPolicy, Peer, PeerConfig
from pexrtc_py.webrtc.sender import Sender

POLICY = AnswerPolicy(codecs={Kind.AUDIO: [Codec.OPUS], Kind.VIDEO: [Codec.VP8]}, bitrate_bps=None)


class Playing:
    """Plays the clip to one call, without end."""

    def __init__(self, frames: list[EncodedFrame], senders: dict[Kind, Sender], phase_s: float) -> None:
        self._frames = frames
        self._senders = senders
        self._loop = asyncio.get_running_loop()
        self._start = self._loop.time() + phase_s
        self._at = 0
        self._pass = 0
        self._timer = self._loop.call_at(self._start, self._push)

    def _push(self) -> None:
        frames = self._frames
        now = self._loop.time()
        while True:
            frame = frames[self._at]
            due = self._start + self._pass * DURATION_S + frame.time
            if due > now + 0.0005:
                break
            ticks = frame.rtp_time + self._pass * DURATION_S * frame.codec.clock_rate
            sender = self._senders.get(frame.kind)
            if sender is not None:
                sender.push(replace(frame, rtp_time=ticks, time=due))
            self._at += 1
            if self._at == len(frames):
                self._at = 0
                self._pass += 1
        self._timer = self._loop.call_at(due, self._push)

    def stop(self) -> None:
        """Play no more."""
        self._timer.cancel()


async def run() -> None:
    """Serve until the input ends."""
    frames = load(clip())
    async with AsyncExitStack() as stack, read_commands() as reader:
        calls: dict[int, Playing] = {}
        while line := await reader.readline():
            said = json.loads(line)
            if "offer" not in said:
                continue
            peer = await stack.enter_async_context(Peer(PeerConfig(addresses=("127.0.0.1",))))
            number = said["call"]
            say(call=number, answer=await peer.answer_offer(said["offer"], POLICY))
            senders = {line.kind: line.sender for line in peer.lines if line.kind and line.sender is not None}
            # Each call somewhere else in the 33 ms of a picture, by the golden ratio.
            calls[number] = Playing(frames, senders, (number * 0.618 % 1) / 30)
            stack.callback(calls[number].stop)


if __name__ == "__main__":
    uvloop.run(run())
