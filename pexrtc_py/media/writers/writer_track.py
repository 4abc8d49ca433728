"""A writer's track: the Tap that frames are pushed into, and the rules of what is kept.

Runs in the event loop and only queues. Kept is what a decoder can use: video begins with a key frame, and begins again
with one after a loss, so that a player holds the last good picture instead of showing a broken one. When the disk does
not keep up, whole rests of groups of pictures go first; sound goes only when `HARD_LIMIT` times the bound is reached.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from ..frames import EncodedFrame, Gap, Kind
from .tracks import HOLE_S, TrackSpec

__all__ = ["Backlog", "WriterTrack"]

HARD_LIMIT = 2


class Backlog:
    """Frames between the event loop and the writer thread, of all tracks of a writer in the order they came.

    Each counter has one writing thread, so no lock is needed; what the other side reads may be a moment old.
    """

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.frames: deque[tuple[WriterTrack, EncodedFrame, bool]] = deque()
        self.put_bytes = 0
        self.taken_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes that wait to be written, those in the hands of the disk included."""
        return self.put_bytes - self.taken_bytes

    def put(self, track: WriterTrack, frame: EncodedFrame, *, follows_loss: bool) -> None:
        """Queue a frame; from the event loop."""
        self.put_bytes += len(frame.data)
        self.frames.append((track, frame, follows_loss))


class WriterTrack:
    """One track of a writer, a `Tap`.

    Attributes:
        spec: as it was declared.
        gaps: times that media was lost on its way to us.
        lost_packets: RTP packets that these gaps were.
        dropped: frames not kept because the disk did not keep up.
        undecodable: video frames not kept because a loss, or the start, left them without their key frame.
        unfit: frames not kept because they have another codec than the track.
        misses: whether what was sent since the last frame kept is missing, so that a hole here is none of the sender's.
        on_key_frame_needed: called when the track waits for a key frame, at its first frame and once a second after.
    """

    def __init__(self, spec: TrackSpec, index: int, backlog: Backlog) -> None:
        self.spec = spec
        self.index = index
        self.gaps = 0
        self.lost_packets = 0
        self.dropped = 0
        self.undecodable = 0
        self.unfit = 0
        self.misses = False
        self.on_key_frame_needed: Callable[[], None] | None = None
        self.ended = False
        self._backlog = backlog
        self._is_video = spec.kind is Kind.VIDEO
        self._waits_for_key = self._is_video
        self._congested = False
        self._disk_is_late = False
        self._asked_at = float("-inf")
        self._lost_s = 0.0

    def push(self, item: EncodedFrame | Gap) -> None:
        """Queue a frame to be written, or learn that some are missing."""
        if isinstance(item, Gap):
            self.gaps += 1
            self.lost_packets += item.packets
            # Of sound a gap says how much it is: a packet lost in a minute of mute is no minute that was lost.
            self._lost_s += item.duration / item.codec.clock_rate
            self.misses |= self._is_video or self._lost_s > HOLE_S[Kind.AUDIO]
            self.interrupt()
            return
        if item.codec is not self.spec.codec:
            self.unfit += 1
        elif self.ended:
            return
        elif self._is_video:
            if self._keeps_video(item):
                self._keep(item)
            else:
                self.misses = True
        elif self._backlog.pending_bytes < HARD_LIMIT * self._backlog.limit_bytes:
            self._keep(item)
        else:
            self.dropped += 1
            self.misses = True

    def end(self) -> None:
        """Take no more frames. The file stays open for the other tracks."""
        self.ended = True

    def interrupt(self) -> None:
        """Learn that what comes next does not follow on what came: pictures go on with a key frame."""
        self._waits_for_key = self._is_video

    def note_loss(self) -> None:
        """Learn that what was sent since the last frame did not come to us at all: the call, or its path, was gone."""
        self.misses = True

    def _keep(self, frame: EncodedFrame) -> None:
        self._backlog.put(self, frame, follows_loss=self.misses)
        self.misses, self._lost_s = False, 0.0

    def _keeps_video(self, frame: EncodedFrame) -> bool:
        pending = self._backlog.pending_bytes
        limit = self._backlog.limit_bytes
        if self._congested:
            # Not before half of it is gone: a group of pictures begun should also be ended.
            if pending > limit // 2:
                self.dropped += 1
                return False
            self._congested = False
        elif pending + len(frame.data) > limit:
            self._congested = self._waits_for_key = self._disk_is_late = True
            self.dropped += 1
            return False
        if self._waits_for_key and not frame.key:
            if self._disk_is_late:
                self.dropped += 1
            else:
                self.undecodable += 1
            if frame.time >= self._asked_at + 1.0:
                self._asked_at = frame.time
                if self.on_key_frame_needed is not None:
                    self.on_key_frame_needed()
            return False
        self._waits_for_key = self._disk_is_late = False
        return True
