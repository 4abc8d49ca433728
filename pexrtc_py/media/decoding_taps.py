"""Decoders as taps: frames are pushed in the event loop, decoded in a thread, and read by any number of consumers.

Nothing waits for anybody. A decoder that falls behind drops what is queued: sound its oldest packets (which are
concealed), video everything up to the next key frame, which it asks for. A consumer that falls behind loses its oldest
pictures or sounds, and no other consumer notices. Each decoder has one thread, which ends with `aclose()`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Literal, TypeVar, cast

import av
import numpy as np
from numpy.typing import NDArray

from .decoding import AudioDecoding, Picture, Sound, VideoDecoding
from .decoding_worker import DecodingThread, VideoBacklog
from .frames import EncodedFrame, Gap

__all__ = ["AudioDecoder", "VideoDecoder"]

# Packets of sound waiting to be decoded: one second.
_AUDIO_BACKLOG = 50
# Decoded ones waiting for a consumer: pictures are large (1.4 MB at 720p), sound is small.
_PICTURES, _SOUNDS = 8, 100

_Decoded = TypeVar("_Decoded", Picture, Sound)


class _Decoder(DecodingThread[_Decoded]):
    """What both decoders share: their consumers."""

    def __init__(self, *, ahead: int, thread_name: str) -> None:
        super().__init__(thread_name)
        self._ahead = ahead
        self._consumers: set[asyncio.Queue[_Decoded | None]] = set()

    async def _decoded(self) -> AsyncIterator[_Decoded]:
        """Yield what is decoded from the first step on, until the end."""
        if self._ended:
            return
        queue: asyncio.Queue[_Decoded | None] = asyncio.Queue(self._ahead + 1)  # and the end
        self._consumers.add(queue)
        try:
            while (decoded := await queue.get()) is not None:
                yield decoded
        finally:
            self._consumers.discard(queue)

    def _deliver(self, result: _Decoded | None) -> None:
        for queue in self._consumers:
            if result is not None and queue.qsize() >= self._ahead:
                queue.get_nowait()
            queue.put_nowait(result)

    def _finish(self) -> None:
        self._deliver(None)
        super()._finish()


class VideoDecoder(_Decoder[Picture]):
    """A tap that decodes pictures.

    Args:
        request_key_frame: called in the event loop when nothing can be decoded without one.
    """

    def __init__(self, *, request_key_frame: Callable[[], None] | None = None) -> None:
        super().__init__(ahead=_PICTURES, thread_name="video-decoder")
        self._request_key_frame = request_key_frame
        self._decoding = VideoDecoding()
        self._backlog = VideoBacklog()

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
        admitted, ask = self._backlog.admit(self._inbox, item)
        if ask:
            self._ask()
        return admitted

    def _work(self, item: EncodedFrame | Gap) -> list[Picture]:
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
        super().__init__(ahead=_SOUNDS, thread_name="audio-decoder")
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
        if len(self._inbox) >= _AUDIO_BACKLOG:
            self._inbox.popleft()
        return True

    def _work(self, item: EncodedFrame | Gap) -> list[Sound]:
        return self._decoding.feed(item)
