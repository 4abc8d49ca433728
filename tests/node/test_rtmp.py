"""RTMP calls: publishers that come in, the conference sent out; both ends of RTMP are children of ours."""

from __future__ import annotations

import asyncio
import secrets
import time as clocks
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from pexrtc_py.errors import MediaError
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.node.media_port import StreamOffer
from pexrtc_py.node.rtmp import NOBODY_CAME, STREAM_ENDED, _free_port
from pexrtc_py.node.rtmp_child import RtmpChild
from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from tests.node.conference_media_clients import (
    Client,
    Heard,
    Seen,
    conference,
    grey_picture,
    luma_of,
    perform,
    strength,
)

ADA, CALL = ParticipantUuid("ada"), CallUuid("50ed679d-c622-4c0e-b251-e217f2aa030b")


class Far:
    """The other end of an RTMP connection: what it received, and whether it is connected."""

    def __init__(self, job: str, url: str, detail: str) -> None:
        self.child = RtmpChild(job, url, detail, on_item=self._take, on_end=self._end)
        self.said: list[str] = []
        self.heard, self.seen = Heard(), Seen()
        self.changed = asyncio.Event()
        self.ended: str | None = None

    def _take(self, item: EncodedFrame | str) -> None:
        if isinstance(item, str):
            self.said.append(item)
        else:
            (self.heard if item.kind is Kind.AUDIO else self.seen).push(item)
        self.changed.set()

    def _end(self, reason: str) -> None:
        self.ended = reason
        self.changed.set()

    async def until(self, word: str) -> None:
        """Wait until it says this."""
        async with asyncio.timeout(20):
            while word not in self.said and self.ended is None:
                self.changed.clear()
                await self.changed.wait()
        assert word in self.said, self.ended


@asynccontextmanager
async def far(job: str, url: str, detail: str) -> AsyncIterator[Far]:
    """Another end, closed at the end."""
    end = Far(job, url, detail)
    await end.child.start()
    try:
        yield end
    finally:
        await end.child.aclose()
        await end.child.aclose()


async def publish(end: Far, seconds: float, *, hertz: float = 700, grey: int = 180) -> None:
    """Publish a tone and a grey in real time."""
    sound, face = AudioEncoder(), VideoEncoder(Codec.VP8, 320, 180, 25, 300_000)
    began = clocks.monotonic()
    for tick in range(round(seconds * 50)):
        await asyncio.sleep(max(0.0, began + tick / 50 - clocks.monotonic()))
        wave = (6000 * np.sin((tick * 960 + np.arange(960)) * 2 * np.pi * hertz / 48000)).astype(np.int16)
        frames = sound.encode(wave, rtp_time=960 * tick, time=tick / 50)
        if tick % 2 == 0:
            frames += face.encode(grey_picture(grey, 320, 180), rtp_time=1800 * tick, time=tick / 50)
        for frame in frames:
            assert end.child.push(frame) or end.ended is not None


@pytest.mark.slow
async def test_a_publisher_is_seen_and_heard_and_its_end_is_told() -> None:
    """Sound and picture of RTMP reach a WebRTC participant; when the publisher leaves the call is lost."""
    ben = Client("ben")
    async with conference(ben) as (media, listener):
        ben.add_main()
        await ben.join(media)
        media.set_admitted(ADA, admitted=True)
        url = await media.listen_stream(StreamOffer(participant=ADA, call=CALL))
        assert url.endswith(f"/pexip/{CALL}")
        async with far("push", url, "audio+video") as publisher:
            await publisher.until("connected")
            await publish(publisher, 3.0)
        assert strength(ben.heard.last(0.5), 700) == pytest.approx(6000, abs=900)
        assert ben.seen.grey == pytest.approx(180, abs=6)
        async with asyncio.timeout(10):
            await listener.has_lost.wait()
        assert listener.lost == [(CALL, STREAM_ENDED)]
        await media.remove_call(CALL)


@pytest.mark.slow
async def test_a_publisher_of_another_stream_is_turned_away() -> None:
    """The name of the stream is the secret; FFmpeg's server takes any."""
    async with conference() as (media, listener):
        media.set_admitted(ADA, admitted=True)
        url = await media.listen_stream(StreamOffer(participant=ADA, call=CALL, host="127.0.0.1"))
        async with far("push", url.replace(CALL, "guessed"), "audio+video") as publisher:
            await publisher.until("connected")
            await publish(publisher, 1.0)
            async with asyncio.timeout(20):
                await listener.has_lost.wait()
        assert listener.lost == [(CALL, NOBODY_CAME)]


@pytest.mark.slow
async def test_the_conference_is_sent_to_a_server_until_that_hangs_up() -> None:
    """The server gets the mix and the main picture in 720p; when it goes the call is lost."""
    ada = Client("ada", hertz=400, grey=90)
    port = _free_port("127.0.0.1", None)
    url = f"rtmp://127.0.0.1:{port}/live/{CALL}"
    stream = ParticipantUuid("stream")
    async with conference(ada) as (media, listener), far("listen", url, "20") as server:
        ada.add_main()
        await ada.join(media)
        await server.until("listening")
        await asyncio.sleep(0.2)
        media.set_admitted(stream, admitted=True)
        await media.push_stream(StreamOffer(participant=stream, call=CALL, url=url))
        await perform([ada], 3.0)
        assert strength(server.heard.last(0.3), 400) == pytest.approx(6000, abs=900)
        frame = server.seen.pictures[-1][1]
        assert (frame.width, frame.height) == (1280, 720)
        assert [luma_of(frame), luma_of(frame, 0.02)] == pytest.approx([90, 16], abs=6)
        await server.child.aclose()
        await perform([ada], 0.5)
        async with asyncio.timeout(10):
            await listener.has_lost.wait()
        assert listener.lost == [(CALL, STREAM_ENDED)]


async def test_a_server_that_is_not_there_fails_the_call() -> None:
    """The child says why, and nothing is left."""
    async with conference() as (media, listener):
        url = f"rtmp://127.0.0.1:{_free_port('127.0.0.1', None)}/live/x"
        with pytest.raises(MediaError, match="refused"):
            await media.push_stream(StreamOffer(participant=ADA, call=CALL, url=url))
        with pytest.raises(MediaError, match="no RTMP address"):
            await media.push_stream(StreamOffer(participant=ADA, call=CALL, url="file:///etc/passwd"))
        assert listener.lost == []


async def test_the_key_of_a_stream_is_for_the_child_alone() -> None:
    """It once stood in the command line, which everybody on the machine can read, and in what is said of a failure."""
    key = secrets.token_hex(16)
    url = f"rtmp://127.0.0.1:{_free_port('127.0.0.1', None)}/live/{key}"
    async with far("listen", url, "20") as server:
        await server.until("listening")
        lines = await asyncio.to_thread(_command_lines)
        assert any("pexrtc_py.media.rtmp_child" in line for line in lines)
        assert not any(key in line for line in lines)
    async with conference() as (media, _):
        with pytest.raises(MediaError, match="refused") as error:
            await media.push_stream(StreamOffer(participant=ADA, call=CALL, url=url))
        assert key not in str(error.value)


async def test_a_url_is_no_more_than_that() -> None:
    """A line end in one, which a client may dial, is a part of it and begins no message to the child."""
    async with conference() as (media, _):
        with pytest.raises(MediaError, match="no RTMP address"):
            await media.push_stream(StreamOffer(participant=ADA, call=CALL, url="file://x\nrtmp://127.0.0.1:1/live/x"))


def _command_lines() -> list[str]:
    lines: list[str] = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended meanwhile
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return lines
