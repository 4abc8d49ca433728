"""Decoders as taps: frames are pushed in the event loop, decoded in a thread, and read by any number of consumers.

Nothing waits for anybody. A decoder that falls behind drops what is queued: sound its oldest packets (which are
concealed), video everything up to the next key frame, which it asks for. A consumer that falls behind loses its oldest
pictures or sounds, and no other consumer notices. Each decoder has one thread, which ends with `aclose()`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType
from typing import Generic, Literal, Self, TypeVar, cast

import av
import numpy as np
from numpy.typing import NDArray

from .decoding import AudioDecoding, Picture, Sound, VideoDecoding
from .frames import EncodedFrame, Gap

__all__ = ["AudioDecoder", "VideoDecoder"]

logger = logging.getLogger(__name__)

# Encoded frames waiting to be decoded: one second of video at 30 pictures, of sound in 20 ms packets.
_VIDEO_BACKLOG, _AUDIO_BACKLOG = 30, 50
# Decoded ones waiting for a consumer: pictures are large (1.4 MB at 720p), sound is small.
_PICTURES, _SOUNDS = 8, 100

_Decoded = TypeVar("_Decoded", Picture, Sound)


class _Decoder(Generic[_Decoded]):
    """The thread, its queue, and the consumers; what to drop is the subclass's matter."""

    def __init__(self, *, backlog: int, ahead: int, thread_name: str) -> None:
        self._backlog = backlog
        self._ahead = ahead
        self._inbox: deque[EncodedFrame | Gap | None] = deque()
        self._filled = threading.Condition()
        self._consumers: set[asyncio.Queue[_Decoded | None]] = set()
        self._ended = False
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name=thread_name, daemon=True)

    async def __aenter__(self) -> Self:
        self._thread.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def push(self, item: EncodedFrame | Gap) -> None:
        """Queue the next frame or gap; dropped by the rule of this module when decoding cannot keep up."""
        with self._filled:
            if self._admit(item):
                self._inbox.append(item)
                self._filled.notify()

    def end(self) -> None:
        """Let the thread decode what is queued and end, and the consumers after it. Idempotent."""
        with self._filled:
            self._inbox.append(None)
            self._filled.notify()

    async def aclose(self) -> None:
        """Drop what is queued and end thread and consumers. Idempotent; when cancelled the thread ends all the same."""
        with self._filled:
            self._inbox.clear()
        self.end()
        if self._thread.is_alive():
            await self._done.wait()
            self._thread.join()

    async def _decoded(self) -> AsyncIterator[_Decoded]:
        """Yield what is decoded from the first step on, until the end."""
        if self._ended:
            return
        queue: asyncio.Queue[_Decoded | None] = asyncio.Queue(self._ahead)
        self._consumers.add(queue)
        try:
            while (decoded := await queue.get()) is not None:
                yield decoded
        finally:
            self._consumers.discard(queue)

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        """Make room for an item, or refuse it; called with the lock held, in the event loop."""
        raise NotImplementedError

    def _decode(self, item: EncodedFrame | Gap) -> list[_Decoded]:
        """Decode in the thread."""
        raise NotImplementedError

    def _run(self) -> None:
        try:
            while (item := self._next()) is not None:
                for decoded in self._decode(item):
                    self._loop.call_soon_threadsafe(self._deliver, decoded)
        finally:
            self._loop.call_soon_threadsafe(self._finish)

    def _next(self) -> EncodedFrame | Gap | None:
        with self._filled:
            while not self._inbox:
                self._filled.wait()
            return self._inbox.popleft()

    def _deliver(self, decoded: _Decoded | None) -> None:
        for queue in self._consumers:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(decoded)

    def _finish(self) -> None:
        self._ended = True
        self._deliver(None)
        self._done.set()


class VideoDecoder(_Decoder[Picture]):
    """A tap that decodes pictures.

    Args:
        request_key_frame: called in the event loop when nothing can be decoded without one.
    """

    def __init__(self, *, request_key_frame: Callable[[], None] | None = None) -> None:
        super().__init__(backlog=_VIDEO_BACKLOG, ahead=_PICTURES, thread_name="video-decoder")
        self._request_key_frame = request_key_frame
        self._decoding = VideoDecoding()
        self._awaits_key = False

    def pictures(self) -> AsyncIterator[Picture]:
        """Yield pictures from the first step on; a consumer more than eight behind loses its oldest."""
        return self._decoded()

    async def frames(self) -> AsyncIterator[av.VideoFrame]:
        """Yield PyAV frames; pts is the RTP time in 1/90000 s."""
        async for picture in self._decoded():
            yield picture.frame

    async def arrays(
        self, pixel_format: Literal["rgb24", "bgr24", "gray8"] = "rgb24"
    ) -> AsyncIterator[NDArray[np.uint8]]:
        """Yield arrays of bytes shaped (height, width, 3), or (height, width) for gray8."""
        async for picture in self._decoded():
            yield cast(NDArray[np.uint8], picture.frame.to_ndarray(format=pixel_format))

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        key = isinstance(item, EncodedFrame) and item.key
        if len(self._inbox) >= self._backlog:
            logger.debug("! video decoder is %d pictures behind, waits for a key frame", len(self._inbox))
            self._inbox.clear()
            self._inbox.append(Gap(codec=item.codec, rtp_time=item.rtp_time, time=item.time, duration=0, packets=0))
            self._awaits_key = True
            if not key:
                self._ask()
        if key:
            self._awaits_key = False
        return not self._awaits_key

    def _decode(self, item: EncodedFrame | Gap) -> list[Picture]:
        pictures = self._decoding.feed(item)
        if self._decoding.needs_key:
            self._loop.call_soon_threadsafe(self._ask)
        return pictures

    def _ask(self) -> None:
        if self._request_key_frame is not None:
            self._request_key_frame()


class AudioDecoder(_Decoder[Sound]):
    """A tap that decodes sound to 48 kHz.

    Args:
        channels: 1 or 2 in what comes out.
    """

    def __init__(self, *, channels: int = 1) -> None:
        super().__init__(backlog=_AUDIO_BACKLOG, ahead=_SOUNDS, thread_name="audio-decoder")
        self._decoding = AudioDecoding(channels=channels)

    def sounds(self) -> AsyncIterator[Sound]:
        """Yield sounds from the first step on; a consumer more than a hundred behind loses its oldest."""
        return self._decoded()

    async def frames(self) -> AsyncIterator[av.AudioFrame]:
        """Yield PyAV frames, packed s16 at 48 kHz."""
        async for sound in self._decoded():
            yield sound.frame()

    async def arrays(self) -> AsyncIterator[NDArray[np.int16]]:
        """Yield arrays shaped (samples, channels)."""
        async for sound in self._decoded():
            yield sound.samples

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        if len(self._inbox) >= self._backlog:
            self._inbox.popleft()
        return True

    def _decode(self, item: EncodedFrame | Gap) -> list[Sound]:
        return self._decoding.feed(item)
