"""Participants of a conference who send the clip, or only take what comes; nothing is decoded.

Args: node, alias, how many, what each does: `publish` (sends sound and picture), `watch` (receives both), `pictures`
(receives pictures only) or `talk` (sends and receives sound only). Says `{"joined": true}` when all are connected; any
line makes it tell `{"pictures": [...], "sounds": [...]}`, how many each has received.
"""

from __future__ import annotations

import sys
from contextlib import AsyncExitStack

import uvloop

import pexrtc_py
from benchmarks._children import read_commands, say
from benchmarks._clip import clip, load
from benchmarks.peers.send import Playing
from pexrtc_py.endpoint.call import Call, CallConfig
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.protocol.sdp import Direction

HOW = {
    "publish": (Direction.SENDONLY, Direction.SENDONLY),
    "watch": (Direction.RECVONLY, Direction.RECVONLY),
    "pictures": (Direction.INACTIVE, Direction.RECVONLY),
    "talk": (Direction.SENDRECV, Direction.INACTIVE),
}


class Counter:
    """A tap that counts."""

    def __init__(self) -> None:
        self.frames = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        """Count a frame."""
        self.frames += isinstance(item, EncodedFrame)

    def end(self) -> None:
        """Nothing more comes."""


def count(call: Call) -> dict[Kind, Counter]:
    """Count what a call receives."""
    counters = {Kind.AUDIO: Counter(), Kind.VIDEO: Counter()}
    for line in (call.audio, call.video):
        if line is not None and line.kind is not None and line.receiver is not None:
            line.receiver.add_tap(counters[line.kind])
    return counters


async def run(url: str, alias: str, number: int, how: str) -> None:
    """Attend until the input ends."""
    audio, video = HOW[how]
    config = CallConfig(audio=audio, video=video, audio_codecs=(Codec.OPUS,), video_codecs=(Codec.VP8,))
    frames = load(clip())
    counters: list[dict[Kind, Counter]] = []
    async with AsyncExitStack() as stack, read_commands() as reader:
        for index in range(number):
            name = f"{how} {index}"
            conference = await stack.enter_async_context(pexrtc_py.connect(url, alias, display_name=name))
            call = await stack.enter_async_context(conference.call(config))
            await call.connected()
            counters.append(count(call))
            lines = [line for line in (call.audio, call.video) if line is not None]
            senders = {line.kind: line.sender for line in lines if line.kind and line.sender is not None}
            if how in ("publish", "talk"):
                playing = Playing(frames, senders, index * 0.618 % 1 / 30)
                stack.callback(playing.stop)
        say(joined=True)
        while await reader.readline():
            say(
                pictures=[counter[Kind.VIDEO].frames for counter in counters],
                sounds=[counter[Kind.AUDIO].frames for counter in counters],
            )


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]))
