"""One picture made of many: pictures of participants scaled into tiles, their names under them, encoded once per codec.

One thread does all of it. Every input is decoded in full (pictures depend on each other), but only its newest is drawn,
so a fast camera costs no more than a slow one. A picture is composed at a fixed rate, and only when something has
changed; at least twice a second one is sent all the same. How it is drawn: `compositor_canvas`.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time as clocks
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field

import av

from .compositor_canvas import Canvas, SceneTile
from .decoding import Picture, VideoDecoding
from .encoding import VideoEncoder
from .encoding_transcoder import LEAST_KEY_INTERVAL_S, suitable_bitrate
from .frames import Codec, EncodedFrame, Gap, Tap

__all__ = ["Compositor"]

logger = logging.getLogger(__name__)

# Encoded frames of one input waiting for the thread: one second; beyond, it waits for a key frame.
_BACKLOG = 30
# A still scene is sent this often.
_STILL_S = 0.5
# A picture older than this no longer sets the time of the composed one.
_FRESH_S = 0.5


@dataclass(slots=True, eq=False)
class _Input:
    """One participant's pictures; a tap. Filled in the loop, emptied in the thread."""

    request_key_frame: Callable[[], None]
    items: deque[EncodedFrame | Gap] = field(default_factory=deque)
    decoding: VideoDecoding = field(default_factory=VideoDecoding)
    newest: Picture | None = None
    overflown: bool = False

    def push(self, item: EncodedFrame | Gap) -> None:
        full = len(self.items) >= _BACKLOG
        self.overflown = self.overflown or full
        if self.overflown:
            if full or isinstance(item, Gap) or not item.key:
                self.request_key_frame()
                return
            self.overflown = False
        self.items.append(item)

    def end(self) -> None:
        pass


@dataclass(slots=True)
class _Output:
    tap: Tap
    encoder: VideoEncoder
    wanted_bps: int
    force_key: bool = True
    key_time: float = float("-inf")

    def encode(self, frame: av.VideoFrame, time: float) -> list[EncodedFrame]:
        """Encode the composed picture, a key frame when one is due."""
        force_key = self.force_key and time - self.key_time >= LEAST_KEY_INTERVAL_S
        if force_key:
            self.force_key = False
        encoded = self.encoder.encode(frame, rtp_time=round(time * 90000), time=time, force_key=force_key)
        if any(item.key for item in encoded):
            self.key_time = time
        return encoded


class Compositor:
    """Composes one picture for all who watch it. All methods belong to the event loop.

    Args:
        width: of the picture, pixels.
        height: likewise.
        frame_rate: pictures per second at most.
    """

    def __init__(self, *, width: int = 1280, height: int = 720, frame_rate: float = 25.0) -> None:
        self._canvas = Canvas(width, height)
        self._frame_rate = frame_rate
        self._changes: deque[Callable[[], None]] = deque()
        self._results: deque[tuple[Tap, EncodedFrame]] = deque(maxlen=_BACKLOG)
        self._stop = threading.Event()
        self._done = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="compositor", daemon=True)
        # From here on the thread's own.
        self._inputs: dict[Hashable, _Input] = {}
        self._outputs: dict[Codec, _Output] = {}
        self._scene: tuple[SceneTile, ...] = ()
        self._changed = True
        self._last_time = float("-inf")

    def start(self) -> None:
        """Begin to compose; whoever calls this calls `aclose` too. Idempotent."""
        if self._thread.ident is None:
            self._thread.start()

    def stop(self) -> None:
        """Let the thread end; `aclose` waits for it. Idempotent."""
        self._stop.set()

    @property
    def is_done(self) -> bool:
        """Whether the thread has ended, or never began."""
        return not self._thread.is_alive()

    async def aclose(self) -> None:
        """End the thread. Idempotent; when cancelled the thread ends all the same."""
        self._stop.set()
        if self._thread.is_alive():
            await self._done.wait()
            self._thread.join()

    def set_scene(self, tiles: Sequence[SceneTile]) -> None:
        """Say what is seen and where; later tiles cover earlier ones."""
        scene = tuple(tiles)
        self._changes.append(lambda: self._set_scene(scene))

    def add_input(self, key: Hashable, request_key_frame: Callable[[], None]) -> Tap:
        """Make a tap for somebody's pictures; replaces an earlier one of this key."""
        source = _Input(request_key_frame)
        self._changes.append(lambda: self._inputs.__setitem__(key, source))
        return source

    def remove_input(self, key: Hashable) -> None:
        """Forget somebody's pictures; unknown ones are ignored."""
        self._changes.append(lambda: self._remove_input(key))

    def add_output(self, codec: Codec, tap: Tap, *, bitrate_bps: int | None = None) -> None:
        """Push the composed picture to a tap in this codec, beginning with a key frame; replaces an earlier one."""
        width, height = self._canvas.width, self._canvas.height
        bitrate = bitrate_bps or suitable_bitrate(width, height)
        output = _Output(tap, VideoEncoder(codec, width, height, self._frame_rate, bitrate), bitrate)
        self._changes.append(lambda: self._outputs.__setitem__(codec, output))

    def remove_output(self, codec: Codec) -> None:
        """Make nothing of this codec any more; unknown ones are ignored."""
        self._changes.append(lambda: self._remove_output(codec))

    def set_bitrate(self, codec: Codec, most_bps: int | None) -> None:
        """Make no more than so many bits per second of this codec; None: what its size needs."""
        self._changes.append(lambda: self._limit(codec, most_bps))

    def request_key_frame(self, codec: Codec) -> None:
        """Make the next picture of this codec a key frame, 0.3 s after the last one at the earliest."""
        self._changes.append(lambda: self._force_key(codec))

    # In the thread.

    def _set_scene(self, scene: tuple[SceneTile, ...]) -> None:
        self._scene, self._changed = scene, True

    def _remove_input(self, key: Hashable) -> None:
        self._inputs.pop(key, None)

    def _remove_output(self, codec: Codec) -> None:
        self._outputs.pop(codec, None)

    def _force_key(self, codec: Codec) -> None:
        if output := self._outputs.get(codec):
            output.force_key = True

    def _limit(self, codec: Codec, most_bps: int | None) -> None:
        if output := self._outputs.get(codec):
            output.encoder.set_bitrate(min(output.wanted_bps, most_bps or output.wanted_bps))

    def _run(self) -> None:
        try:
            origin, tick, sent_at = clocks.monotonic(), 0, 0.0
            while not self._stop.wait(max(0.0, origin + tick / self._frame_rate - clocks.monotonic())):
                now = clocks.monotonic()
                # A late tick is skipped, not made up for.
                tick = max(tick + 1, int((now - origin) * self._frame_rate))
                self._take()
                forced = any(output.force_key for output in self._outputs.values())
                if self._outputs and (self._changed or forced or now - sent_at >= _STILL_S):
                    sent_at = now
                    self._compose(now)
        finally:
            # Encoders and pictures are tens of megabytes; they go now, not when the last reference does.
            self._inputs.clear()
            self._outputs.clear()
            self._loop.call_soon_threadsafe(self._done.set)

    def _take(self) -> None:
        while self._changes:
            self._changes.popleft()()
        shown = {tile.source for tile in self._scene}
        for key, source in self._inputs.items():
            while source.items:
                for picture in source.decoding.feed(source.items.popleft()):
                    source.newest = picture
                    self._changed = self._changed or key in shown
            if source.decoding.needs_key:
                self._loop.call_soon_threadsafe(source.request_key_frame)

    def _compose(self, now: float) -> None:
        self._changed = False
        self._canvas.clear()
        for tile in self._scene:
            source = self._inputs.get(tile.source)
            if source is not None and source.newest is not None:
                self._canvas.draw(source.newest.frame, tile)
            self._canvas.write(tile)
        frame = self._canvas.frame()
        # The first tile is the main speaker's: lips are in time with its sound.
        main = self._inputs.get(self._scene[0].source) if self._scene else None
        picture = None if main is None else main.newest
        time = picture.time if picture is not None and abs(now - picture.time) < _FRESH_S else now
        self._last_time = time = max(time, self._last_time + 0.001)
        for output in self._outputs.values():
            self._results += [(output.tap, encoded) for encoded in output.encode(frame, time)]
        self._loop.call_soon_threadsafe(self._deliver)

    # In the event loop again.

    def _deliver(self) -> None:
        while self._results:
            tap, encoded = self._results.popleft()
            tap.push(encoded)
