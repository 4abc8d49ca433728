"""Key frames out of prepared media: the group so far is sent again, all at once, to whoever asks.

An encoder makes a key frame. Prepared media has one a second or fewer, and who joins in between would see nothing until
the next; so each sender of it has a `GroupReplay` of its own before it: only the far side that asked gets the burst.
"""

from __future__ import annotations

from functools import partial

from msgspec.structs import replace

from ..media.frames import EncodedFrame, Gap, Kind, Tap
from ..media.player import Player
from ..media.player_ahead import Ahead, AheadTap
from .sender import Sender

__all__ = ["GroupReplay", "feed_sender"]

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
        self._able = tap if isinstance(tap, AheadTap) else None
        self._frame_ticks = frame_ticks
        self._group: list[EncodedFrame] = []
        self._bytes = 0

    def push(self, item: EncodedFrame | Gap) -> None:
        """See `Tap.push`."""
        if isinstance(item, EncodedFrame):
            self._keep(item)
        self._tap.push(item)

    def push_ahead(self, item: EncodedFrame, ahead: Ahead) -> bool:
        """See `AheadTap.push_ahead`."""
        if self._able is None or not self._able.push_ahead(item, ahead):
            return False
        ahead.on_undo(partial(self._undo, self._group, len(self._group), self._bytes))
        self._keep(item)
        return True

    def _keep(self, frame: EncodedFrame) -> None:
        if frame.key:
            self._group = []
            self._bytes = 0
        if frame.key or self._group:
            self._bytes += len(frame.data)
            if self._bytes > _MOST_BYTES:
                self._group = []
            else:
                self._group.append(frame)

    def _undo(self, group: list[EncodedFrame], count: int, size: int) -> None:
        del group[count:]
        self._group, self._bytes = group, size

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


def feed_sender(player: Player, sender: Sender) -> Tap:
    """Have a player feed a sender from now on, and answer what its far side asks for.

    A source that encodes makes key frames and keeps to the rate, so it is for one sender; of prepared media any number
    may be fed, and each far side that asks for a key frame gets its group again.

    Returns:
        What the player pushes to, for `Player.remove_tap`.
    """
    kind = sender.config.kind
    tap: Tap = sender
    if kind is Kind.VIDEO and player.encodes:
        sender.on_key_frame_request = player.request_key_frame
        sender.on_bitrate = player.set_bitrate
    elif kind is Kind.VIDEO:
        tap = replay = GroupReplay(sender)
        sender.on_key_frame_request = replay.replay
    player.add_tap(kind, tap)
    return tap
