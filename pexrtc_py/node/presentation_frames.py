"""Still pictures of the running presentation, as `presentation.jpeg` serves them.

Clients without video ask for these; one a second is what slides need and what a thread does beside its other work. A
tap that decodes everything (slides come at a few pictures a second, and pictures depend on each other) and makes a JPEG
of the newest at most once a second.
"""

from __future__ import annotations

import io
import time as clocks
from collections.abc import Callable

from PIL import Image

from ..media.decoding import VideoDecoding
from ..media.decoding_worker import DecodingThread, VideoBacklog
from ..media.frames import EncodedFrame, Gap

__all__ = ["PresentationFrames"]

_INTERVAL_S = 1.0
_QUALITY = 80


class PresentationFrames(DecodingThread[bytes]):
    """A tap that makes JPEG pictures.

    Args:
        on_frame: takes a JPEG, in the event loop, at most once a second.
        request_key_frame: asks the presenter for a key frame, in the event loop.
    """

    def __init__(self, on_frame: Callable[[bytes], None], request_key_frame: Callable[[], None]) -> None:
        super().__init__("presentation-frames")
        self._on_frame = on_frame
        self._ask = request_key_frame
        self._backlog = VideoBacklog()
        self._decoding = VideoDecoding()
        self._next_at = 0.0

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        admitted, ask = self._backlog.admit(self._inbox, item)
        if ask:
            self._ask()
        return admitted

    def _work(self, item: EncodedFrame | Gap) -> list[bytes]:
        pictures = self._decoding.feed(item)
        if self._decoding.needs_key:
            self._loop.call_soon_threadsafe(self._ask)
        now = clocks.monotonic()
        if not pictures or now < self._next_at:
            return []
        self._next_at = now + _INTERVAL_S
        jpeg = io.BytesIO()
        Image.fromarray(pictures[-1].frame.to_ndarray(format="rgb24")).save(jpeg, "JPEG", quality=_QUALITY)
        return [jpeg.getvalue()]

    def _deliver(self, result: bytes) -> None:
        self._on_frame(result)
