"""What programs reach through the door: queues of announcers, as they come and go."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.announcer.announcer import Announcer, AnnouncerConfig
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.queue import QueueItem
from pexrtc_py.announcer.queue_access import QueueAccess
from pexrtc_py.errors import UsageError
from pexrtc_py.service.queue_door import QueueRequest

BELL = QueueRequest(source="tone:440")


async def nothing(item: QueueItem) -> Announcement:
    raise AssertionError(f"{item} is never played")


async def test_a_conference_that_is_over_holds_nobody_up() -> None:
    """What was queued for one that had ended waited for ever, and after a hundred no other took anything either."""
    over, alive = (Announcer([], AnnouncerConfig(), nothing) for _ in range(2))
    access = QueueAccess([("meet.a", over), ("meet.b", alive)])
    assert len(access.add(BELL)) == 2
    await over.run()  # it is nowhere, so it ends
    for _ in range(99):
        assert len(access.add(BELL)) == 1
    assert {item.conference for item in access.status().waiting} == {"meet.b"}
    with pytest.raises(UsageError, match="the queue is full"):
        access.add(BELL)


async def test_a_playlist_of_something_else_is_a_source_that_cannot_be_read(tmp_path: Path) -> None:
    """Its NULs, of a text in UTF-16 for example, ended an announcer that stayed."""
    (tmp_path / "list.m3u").write_text("a.mkv\n", encoding="utf-16")
    with pytest.raises(UsageError, match=r"list\.m3u: an entry of a playlist cannot have a NUL in it"):
        await announcement_of_sources([str(tmp_path / "list.m3u")])


async def test_nothing_is_promised_that_nobody_plays() -> None:
    """After the end, and after a stop, a program was told that its announcement waited."""
    announcer = Announcer([], AnnouncerConfig(), nothing)
    access = QueueAccess([("meet.a", announcer)])
    announcer.stop()
    with pytest.raises(UsageError, match="nothing is played here any more"):
        access.add(BELL)
    await announcer.run()
    with pytest.raises(UsageError, match="no conference is left"):
        access.add(BELL)
