"""What the queue's HTTP door opens: the queues of one announcer or of several, one for each conference."""

from __future__ import annotations

from collections.abc import Sequence

from ..errors import UsageError
from ..media.sources.live import shown
from ..media.sources.text import Way, parse_source
from ..service.queue_door import QueuedAnnouncement, QueueRequest, QueueStatus
from .announcer import Announcer
from .dialling import parse_dialling
from .queue import QueueItem

__all__ = ["QueueAccess"]


class QueueAccess:
    """Adds to, and tells of, the queues of announcers; a `QueueHandler`.

    Args:
        announcers: with the name of the conference, or conferences, of each.
    """

    def __init__(self, announcers: Sequence[tuple[str, Announcer]]) -> None:
        self._announcers = list(announcers)

    def add(self, request: QueueRequest) -> list[str]:
        """Queue it everywhere where something is still played, or, when one queue is full, nowhere.

        Raises:
            UsageError: it makes no sense, a queue is full, or no conference is left.
        """
        if parse_source(request.source).way is Way.STDIN:
            raise UsageError("standard input belongs to the command line")
        if request.digits:
            parse_dialling(request.digits)
        ids: list[str] = []
        there = [announcer for _, announcer in self._announcers if not announcer.is_over]
        if not there:
            raise UsageError("nothing is played any more: no conference is left")
        try:
            for announcer in there:
                ids.append(
                    announcer.add(
                        request.source, why="api", urgent=request.urgent, chat=request.chat, digits=request.digits
                    )
                )
        except UsageError:
            for item_id in ids:
                self.remove(item_id)
            raise
        return ids

    def remove(self, item_id: str) -> bool:
        """Take it out of the queue that has it."""
        return any(announcer.queue.remove(item_id) for _, announcer in self._announcers)

    def status(self) -> QueueStatus:
        """Tell of all queues."""
        return QueueStatus(
            playing=[_told(announcer.playing, name) for name, announcer in self._announcers if announcer.playing],
            waiting=[_told(item, name) for name, announcer in self._announcers for item in announcer.queue],
        )

    def skip(self) -> bool:
        """Skip in all conferences."""
        skipped = [announcer.skip() for _, announcer in self._announcers]
        return any(skipped)

    def stop(self) -> None:
        """Stop in all conferences."""
        for _, announcer in self._announcers:
            announcer.stop()


def _told(item: QueueItem | None, conference: str) -> QueuedAnnouncement:
    if item is None:
        raise AssertionError("nothing is told of nothing")
    return QueuedAnnouncement(id=item.id, source=shown(item.source), why=item.why, conference=conference)
