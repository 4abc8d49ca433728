"""Pictures of one codec turned into another, once for all who want them, in a thread of its own.

Times are kept: what comes out has the RTP time and the time of what went in. The size follows the source. A transcoder
that falls behind drops up to the next key frame, so it never adds delay for longer than its backlog.
"""

from __future__ import annotations

from collections.abc import Callable

from .decoding import Picture, VideoDecoding
from .decoding_worker import DecodingThread, VideoBacklog
from .encoding import VideoEncoder
from .frames import Codec, EncodedFrame, Gap, Tap

__all__ = ["LEAST_KEY_INTERVAL_S", "VideoTranscoder", "suitable_bitrate"]

# Pictures a second the bits are planned for; fewer come out when fewer go in.
_FRAME_RATE = 30.0
# Bits per pixel and second at 30 pictures a second that look good in motion: 1.5 Mbit/s at 720p.
_BITS_PER_PIXEL = 1.63
LEAST_KEY_INTERVAL_S = 0.3
"""Between key frames that watchers ask for: each needs one, and many who lose packets at once need only one."""


class VideoTranscoder(DecodingThread[EncodedFrame]):
    """A tap that decodes pictures and encodes them again.

    Args:
        codec: what to make.
        output: takes the result, in the event loop.
        request_key_frame: asks the source for a key frame, in the event loop.
        bitrate_bps: bits per second of the result; None: by its size.
    """

    def __init__(
        self,
        codec: Codec,
        output: Tap,
        *,
        request_key_frame: Callable[[], None],
        bitrate_bps: int | None = None,
    ) -> None:
        super().__init__("video-transcoder")
        self._codec = codec
        self._output = output
        self._ask = request_key_frame
        self._bitrate_bps = bitrate_bps
        self._most_bps: int | None = None
        self._backlog = VideoBacklog()
        self._decoding = VideoDecoding()
        self._encoder: VideoEncoder | None = None
        self._force_key = False
        self._key_time = float("-inf")

    def request_key_frame(self) -> None:
        """Make the next picture a key frame, 0.3 s after the last one at the earliest."""
        self._force_key = True

    def set_bitrate(self, most_bps: int | None) -> None:
        """Make no more than so many bits per second from the next picture on; None: what its size needs."""
        self._most_bps = most_bps

    def _admit(self, item: EncodedFrame | Gap) -> bool:
        admitted, ask = self._backlog.admit(self._inbox, item)
        if ask:
            self._ask()
        return admitted

    def _work(self, item: EncodedFrame | Gap) -> list[EncodedFrame]:
        pictures = self._decoding.feed(item)
        if self._decoding.needs_key:
            self._loop.call_soon_threadsafe(self._ask)
        return [frame for picture in pictures for frame in self._encode(picture)]

    def _encode(self, picture: Picture) -> list[EncodedFrame]:
        frame = picture.frame
        size = (frame.width & ~1, frame.height & ~1)
        bitrate_bps = self._bitrate_bps or suitable_bitrate(*size)
        bitrate_bps = min(bitrate_bps, self._most_bps or bitrate_bps)
        if self._encoder is not None and self._encoder.bitrate_bps != bitrate_bps:
            self._encoder.set_bitrate(bitrate_bps)
        if self._encoder is None or (self._encoder.width, self._encoder.height) != size:
            self._encoder = VideoEncoder(self._codec, *size, _FRAME_RATE, bitrate_bps)
        force_key = self._force_key and picture.time - self._key_time >= LEAST_KEY_INTERVAL_S
        if force_key:
            self._force_key = False
        encoded = self._encoder.encode(frame, rtp_time=picture.rtp_time, time=picture.time, force_key=force_key)
        if any(frame.key for frame in encoded):
            self._key_time = picture.time
        return encoded

    def _deliver(self, result: EncodedFrame) -> None:
        self._output.push(result)

    def _finish(self) -> None:
        self._encoder = None
        self._output.end()
        super()._finish()


def suitable_bitrate(width: int, height: int) -> int:
    """Return bits per second that look good for a moving picture of this size."""
    return max(150_000, round(width * height * _BITS_PER_PIXEL))
