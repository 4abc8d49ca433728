"""Somebody who plays the clip into a conference, without end. Args: node, alias. Says `{"joined": true}`."""

from __future__ import annotations

import sys

import uvloop

import pexrtc_py
from benchmarks._children import read_commands, say
from benchmarks._clip import clip
from pexrtc_py.endpoint.call import CallConfig
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.sender_replay import feed_sender


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
        source = open_file(clip(), accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.VP8,)}, loop=None)
        async with Player(source, {}) as player:
            for sender in senders:
                feed_sender(player, sender)
            say(joined=True)
            await reader.readline()


if __name__ == "__main__":
    uvloop.run(run(sys.argv[1], sys.argv[2]))
