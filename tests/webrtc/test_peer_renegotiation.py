"""Lines that begin, change and end in a call that is up."""

from __future__ import annotations

import pytest

from pexrtc_py.errors import SdpError
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Content, Direction
from pexrtc_py.webrtc.line_media import sender_config
from pexrtc_py.webrtc.peer import Peer
from tests.support.peers import LOOPBACK, POLICY, call, listen, negotiate, push, video
from tests.support.taps import Collector


async def test_slides_begin_and_end_by_renegotiation() -> None:
    """A presentation is sent after its line was made active, goes to no other line, and stops with it."""
    async with call() as (client, node):
        main = listen(node, 1)
        push(client, 1, video(0))
        await main.until(lambda: main.frames)
        client.lines[2].wanted = Direction.SENDONLY
        await negotiate(client, node)
        assert node.lines[2].direction is Direction.RECVONLY
        assert node.lines[2].content is Content.SLIDES
        slides = listen(node, 2)
        push(client, 2, video(0), video(1))
        await slides.until(lambda: len(slides.frames) == 2)
        client.lines[2].wanted = Direction.INACTIVE
        await negotiate(client, node)
        push(client, 2, video(2))
        push(client, 1, video(1))
        await main.until(lambda: len(main.frames) == 2)
        assert len(slides.frames) == 2


async def test_a_sender_keeps_its_codec_through_a_renegotiation() -> None:
    """The peer's first codec came back: what was being sent in another froze until its next key frame."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP8, Codec.H264])
        await negotiate(client, node)
        (line,) = node.lines
        assert line.sender is not None
        assert line.negotiated is not None
        assert line.sender.config.codec is Codec.VP8
        config = sender_config(line.negotiated, line.sources, before=line.sender.config, codec=Codec.H264)
        line.sender.reconfigure(config)
        await negotiate(client, node)
        assert line.sender.config == config
        assert config.codec is Codec.H264


async def test_a_line_added_later_carries_media() -> None:
    """A line that was not in the first offer joins the same transport."""
    async with call() as (client, node):
        line = client.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8], content=Content.SLIDES)
        await negotiate(client, node)
        assert node.lines[line.index].mid == line.mid == "3"
        tap = listen(node, line.index)
        push(client, line.index, video(0))
        await tap.until(lambda: tap.frames)


async def test_a_place_may_be_used_again() -> None:
    """A rejected line that comes back with another mid and kind is a new line; fewer lines are an error."""
    async with Peer(LOOPBACK) as client, Peer(LOOPBACK) as node:
        client.add_line(Kind.AUDIO, direction=Direction.SENDRECV, codecs=[Codec.OPUS])
        client.add_line(Kind.VIDEO, direction=Direction.SENDRECV, codecs=[Codec.VP8])
        offer = await client.create_offer()
        await client.accept_answer(await node.answer_offer(offer, POLICY))
        old = node.lines[1].receiver
        assert old is not None
        ended = Collector()
        old.add_tap(ended)
        audio_line, video_line = offer.split("m=")[1:]
        again = offer.split("m=")[0].replace("BUNDLE 0 1", "BUNDLE 0 x") + "m=" + audio_line
        again += "m=" + audio_line.replace("a=mid:0", "a=mid:x").replace("a=ssrc:", "a=x-ssrc:")
        await node.answer_offer(again, POLICY)
        assert [(line.kind, line.mid) for line in node.lines] == [(Kind.AUDIO, "0"), (Kind.AUDIO, "x")]
        assert ended.ended
        with pytest.raises(SdpError):
            await node.answer_offer(offer[: -len("m=" + video_line)], POLICY)
