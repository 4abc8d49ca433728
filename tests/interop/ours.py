"""One of our endpoints in interop tests: it plays a known signal and knows at any time what it hears and sees."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import av
import numpy as np
from numpy.typing import NDArray

import pexrtc_py
from pexrtc_py import (
    AudioDecoder,
    Call,
    CallConfig,
    Codec,
    Conference,
    Direction,
    Kind,
    PeerConfig,
    Player,
    Present,
    VideoDecoder,
)
from pexrtc_py.media.player import PlayerConfig
from pexrtc_py.tasks import TaskOwner, task_owner
from pexrtc_py.webrtc.line import Line
from tests.interop.signals import levels, mark_reader, signal

__all__ = ["Ear", "Eye", "Ours", "our_endpoint", "our_presentation"]

HEARD_DB, SILENT_DB = -35.0, -60.0
"""The tones are -18 dB each."""


class _Sense:
    """Something decoded that a test waits for."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds; the deadline is the caller's."""
        while not condition():
            self._changed.clear()
            await self._changed.wait()


class Ear(_Sense):
    """The last fifth of a second of sound."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: deque[NDArray[np.int16]] = deque(maxlen=10)
        self.decoded = 0
        """Pieces of sound that were received and decoded."""

    async def follow(self, decoder: AudioDecoder) -> None:
        """Listen until the end."""
        async for sound in decoder.sounds():
            self._pieces.append(sound.samples[:, 0])
            self.decoded += not sound.concealed
            self._changed.set()

    def levels(self, *frequencies: int) -> list[float]:
        """Return how loud these frequencies are now, decibels."""
        return levels(np.concatenate(self._pieces), *frequencies) if len(self._pieces) == 10 else [-200.0]

    async def hears(self, *frequencies: int) -> None:
        """Wait until all these tones are heard."""
        await self.until(lambda: min(self.levels(*frequencies)) > HEARD_DB)

    async def hears_no(self, *frequencies: int) -> None:
        """Wait until none of these tones is heard."""
        await self.until(lambda: -200.0 < max(self.levels(*frequencies)) < SILENT_DB)


class Eye(_Sense):
    """The last picture, and the numbers of those that carried a mark."""

    def __init__(self) -> None:
        super().__init__()
        self._reader = mark_reader()
        self.marks: list[int] = []
        self.decoded = 0
        """Pictures that were decoded."""
        self.colour = (0.0, 0.0, 0.0)
        """Mean red, green and blue of the last picture."""
        self.size = (0, 0)

    @property
    def is_green(self) -> bool:
        """Whether the last picture is a slide of the browsers: RGB 0, 160, 0 with some white."""
        red, green, blue = self.colour
        return green > 130 and red < 60 and blue < 60

    async def follow(self, decoder: VideoDecoder) -> None:
        """Look until the end."""
        async for frame in decoder.frames():
            await asyncio.to_thread(self._look_at, frame)  # a search for a mark takes as long as some pictures last
            self.decoded += 1
            self._changed.set()

    def _look_at(self, frame: av.VideoFrame) -> None:
        small = frame.reformat(width=64, height=36, format="rgb24").to_ndarray()
        red, green, blue = small.reshape(-1, 3).mean(axis=0)
        self.colour, self.size = (float(red), float(green), float(blue)), (frame.width, frame.height)
        found = self._reader.read(frame.to_ndarray(format="gray8").astype(np.uint8))
        if found is not None:
            self.marks.append(found.mark.frame_id)

    async def sees(self, numbers: range, count: int = 5) -> None:
        """Wait until so many different pictures of these numbers have been seen from now on."""
        begin = len(self.marks)
        await self.until(lambda: len({n for n in self.marks[begin:] if n in numbers}) >= count)


class Ours:
    """One of our endpoints in a call."""

    def __init__(self, conference: Conference, call: Call, tasks: TaskOwner, stack: AsyncExitStack) -> None:
        self.conference = conference
        self.call = call
        self.ear = Ear()
        self.eye = Eye()
        self.slides = Eye()
        self._tasks = tasks
        self._stack = stack

    async def look(self, line: Line | None, eye: Eye) -> None:
        """Decode what a line receives."""
        assert line is not None
        assert line.receiver is not None
        decoder = VideoDecoder(request_key_frame=line.receiver.request_key_frame)
        await self._stack.enter_async_context(decoder)
        line.receiver.add_tap(decoder)
        self._tasks.start(eye.follow(decoder), name="eye")

    async def listen(self) -> None:
        """Decode the sound of the call."""
        assert self.call.audio is not None
        assert self.call.audio.receiver is not None
        decoder = await self._stack.enter_async_context(AudioDecoder())
        self.call.audio.receiver.add_tap(decoder)
        self._tasks.start(self.ear.follow(decoder), name="ear")

    async def watch_presentation(self) -> None:
        """Turn the presentation line on, as clients of today do, and decode it."""
        await self.call.set_slides(Direction.RECVONLY)
        await self.look(self.call.slides, self.slides)

    async def roster_has(self, *names: str) -> None:
        """Wait until exactly these are in the conference."""
        await self.conference.session.wait_for(
            lambda s: sorted(p.display_name for p in s.roster.participants.values()) == sorted(names)
        )


async def _play(call: Call, stack: AsyncExitStack, hz: int | None, first_id: int) -> None:
    senders = {
        kind: line.sender
        for kind, line in ((Kind.AUDIO, call.audio), (Kind.VIDEO, call.video))
        if line is not None and line.sender is not None
    }
    accept: dict[Kind, list[Codec]] = {kind: [sender.config.codec] for kind, sender in senders.items()}
    source = signal(hz, first_id, accept)
    taps = {kind: [sender] for kind, sender in senders.items()}
    # What was read ahead is encoded: a key frame that is asked for comes after it.
    player = await stack.enter_async_context(Player(source, taps, config=PlayerConfig(read_ahead_s=0.2)))
    senders[Kind.VIDEO].on_key_frame_request = player.request_key_frame


@asynccontextmanager
async def our_endpoint(
    node_url: str,
    alias: str,
    *,
    pin: str | None = None,
    name: str = "Ours",
    hz: int,
    first_id: int,
    peer: PeerConfig | None = None,
) -> AsyncIterator[Ours]:
    """Join, call, play a tone and marked pictures, and decode what comes."""
    config = CallConfig(slides=Direction.INACTIVE, peer=peer or PeerConfig())
    async with pexrtc_py.connect(node_url, alias, display_name=name, pin=pin) as conference, AsyncExitStack() as stack:
        call = await stack.enter_async_context(conference.call(config))
        tasks = await stack.enter_async_context(task_owner())
        ours = Ours(conference, call, tasks, stack)
        await ours.listen()
        await ours.look(call.video, ours.eye)
        await call.connected()
        await _play(call, stack, hz, first_id)
        yield ours


@asynccontextmanager
async def our_presentation(ours: Ours, *, first_id: int) -> AsyncIterator[Call]:
    """Present marked pictures in a call of their own, as the guide has it."""
    config = CallConfig(audio=Direction.INACTIVE, video=Direction.SENDONLY, present=Present.SEND)
    async with ours.conference.call(config) as call, AsyncExitStack() as stack:
        await call.connected()
        await _play(call, stack, None, first_id)
        yield call
