"""Event streams: bounded, numbered, a few at once."""

from __future__ import annotations

import asyncio
import base64

from pexrtc_py.node.streams import EventStream, Mailbox
from pexrtc_py.protocol import events as ev


async def test_chunks_come_in_order_then_the_end() -> None:
    """What was queued before the end is still sent."""
    stream = EventStream([b"a"])
    stream.push(b"b")
    stream.end()
    stream.push(b"too late")
    assert await stream.pull() == b"ab"
    assert await stream.pull() is None


async def test_pull_waits() -> None:
    """A reader waits for the next event, and is woken by it."""
    stream = EventStream([])
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(stream.pull())
        await asyncio.sleep(0)
        stream.push(b"a")
    assert reading.result() == b"a"


async def test_a_slow_reader_is_dropped() -> None:
    """A reader that takes nothing is given up when its queue is full, however long the list it began with."""
    stream = EventStream([b"first"] * 10, limit=3)
    for _ in range(3):
        stream.push(b"x")
    assert not stream.broken.is_set()
    stream.push(b"x")
    assert stream.broken.is_set()
    assert await stream.pull() is None


async def test_ids_count_over_all_streams() -> None:
    """Ids are base64 of prefix and counter and go on in the next stream; every event has a data line."""
    mailbox = Mailbox("27")
    first = mailbox.open([ev.ParticipantSyncBegin()])
    second = mailbox.open([ev.ParticipantSyncBegin()])
    mailbox.push("bye", "")
    ids = []
    for stream in (first, second):
        text = (await stream.pull() or b"").decode()
        events = [event.split("\n") for event in text.strip().split("\n\n")]
        assert [event[1:] for event in events] == [
            ["event: participant_sync_begin", "data: null"],
            ["event: bye", "data: null"],
        ]
        ids.append([base64.b64decode(event[0].removeprefix("id: ")) for event in events])
    assert ids == [[b"27_1", b"27_3"], [b"27_2", b"27_3"]]


async def test_the_oldest_stream_gives_way() -> None:
    """A participant has a few streams at once; one more ends the oldest."""
    mailbox = Mailbox("1")
    streams = [mailbox.open([]) for _ in range(4)]
    assert await streams[0].pull() is None
    mailbox.push("bye", "null")
    assert await streams[3].pull()
    mailbox.close(streams[3])
    mailbox.close(streams[3])
    mailbox.end()
    assert await streams[1].pull()
    assert await streams[1].pull() is None


async def test_pictures_are_kept_for_a_while() -> None:
    """A picture is found by the id of its event until newer ones have come."""
    mailbox = Mailbox("1")
    mailbox.push("presentation_frame", "{}", frame=b"lost: nobody listens")
    stream = mailbox.open([])
    ids = []
    for number in range(6):
        mailbox.push("presentation_frame", "{}", frame=bytes([number]))
        ids.append((await stream.pull() or b"").split(b"\n")[0].removeprefix(b"id: ").decode())
    assert [mailbox.frame(event_id) for event_id in ids] == [None, None, b"\x02", b"\x03", b"\x04", b"\x05"]
