"""Somebody who plays the clip into a conference, without end. Args: node, alias. Says `{"joined": true}`."""

from __future__ import annotations

import sys

import uvloop

import pexrtc_py
from benchmarks._children import read_commands, say
from benchmarks._clip import clip, load
from benchmarks.peers.send import Playing
from pexrtc_py.endpoint.call import CallConfig
from pexrtc_py.media.frames import Codec
from pexrtc_py.protocol.sdp import Direction


async def run(url: str, alias: str) -> None:
    """Play until the input ends."""
    config = CallConfig(audio=Direction.SENDONLY, video=Direction.SENDONLY, video_codecs=(Codec.VP8,))
    async with (
        read_commands() as reader,
        pexrtc_py.connect(url, alias, display_name="Publisher") as conference,
        conference.call(config) as call,
    ):
        await call.connected()
        senders = [line.sender for line in (call.audio, call.video) if line is not None and line.sender is not None]
        playing = Playing(load(clip()), {sender.config.kind: sender for sender in senders}, 0.0)
        say(joined=True)
        await reader.readline()
        playing.stop()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2]))
