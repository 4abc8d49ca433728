"""Key frames out of prepared media that has few: the group so far is sent again, all at once."""

from __future__ import annotations

from dataclasses import replace

from ..media.frames import EncodedFrame, Gap, Tap

__all__ = ["GroupReplay"]

_MOST_BYTES = 2_000_000  # what a burst may hold; 10 s at 1.6 Mb/s. Longer groups wait for their next key frame
_SHORTEST_STEP = 1  # tick between frames of a burst


class GroupReplay:
    """A tap before a `Sender` that can begin again at the last key frame.

    Frames pass through at once. `replay`, given as the sender's `on_key_frame_request`, sends everything since the last
    key frame once more, with timestamps squeezed in behind the last frame sent: a decoder runs through them and shows
    the present picture. An encoder needs none of this: it makes a key frame.

    Args:
        tap: the sender.
        frame_ticks: RTP ticks to the next frame; the burst's timestamps stay within them.
    """

    def __init__(self, tap: Tap, *, frame_ticks: int = 1500) -> None:
        self._tap = tap
        self._frame_ticks = frame_ticks
        self._group: list[EncodedFrame] = []
        self._bytes = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        """See `Tap.push`."""
        if isinstance(item, EncodedFrame):
            if item.key:
                self._group = []
                self._bytes = 0
            if item.key or self._group:
                self._bytes += len(item.data)
                if self._bytes > _MOST_BYTES:
                    self._group = []
                else:
                    self._group.append(item)
        self._tap.push(item)

    def end(self) -> None:
        """See `Tap.end`."""
        self._group = []
        self._tap.end()

    def replay(self) -> None:
        """Send the group again; nothing when there is none, or it has grown too long."""
        group = self._group
        if not group:
            return
        last = group[-1]
        step = max(_SHORTEST_STEP, self._frame_ticks // (len(group) + 1))
        for number, frame in enumerate(group, start=1):
            ticks = step * number
            time = last.time + ticks / frame.codec.clock_rate
            self._tap.push(replace(frame, rtp_time=last.rtp_time + ticks, time=time))
