"""Event streams: bounded, numbered, a few at once."""

from __future__ import annotations

import asyncio
import base64

from aiohttp import web

from pexrtc_py.node.event_route import _write
from pexrtc_py.node.streams import MISSED_LIMIT, EventStream, Mailbox
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


class Stuck(web.StreamResponse):
    """A response whose client never reads: its buffers are full."""

    async def write(self, data: bytes | bytearray | memoryview) -> None:
        """Wait for room, which never comes."""
        await asyncio.Event().wait()


async def test_a_client_that_stops_reading_is_cut() -> None:
    """A write that finds no room for too long breaks the stream off; nothing waits for ever."""
    stream = EventStream([b"first"])
    async with asyncio.timeout(5):
        await _write(Stuck(), stream, write_s=0.05)
    assert stream.broken.is_set()


async def test_what_happens_once_waits_for_a_listener() -> None:
    """The end of a call, before anybody listens or between two streams, is told after the next list; states are not."""
    mailbox = Mailbox("1")
    mailbox.push("call_disconnected", '{"call_uuid":"a"}')
    mailbox.push("participant_update", '{"uuid":"b"}')
    stream = mailbox.open([ev.ParticipantSyncBegin(), ev.ParticipantSyncEnd()])
    text = (await stream.pull() or b"").decode()
    assert [line for line in text.splitlines() if line.startswith("event:")] == [
        "event: participant_sync_begin",
        "event: participant_sync_end",
        "event: call_disconnected",
    ]
    mailbox.close(stream)
    again = mailbox.open([])
    mailbox.push("call_disconnected", "{}")
    assert (await again.pull() or b"").count(b"event:") == 1, "once only"


async def test_what_is_kept_is_bounded() -> None:
    """Whoever never listens costs no more than the limit: the oldest goes first."""
    mailbox = Mailbox("1")
    for number in range(100):
        mailbox.push("message_received", f'"{number} {"x" * 10_000}"')
    text = (await mailbox.open([]).pull() or b"").decode()
    assert len(text) < MISSED_LIMIT * 1.1
    assert '"99 ' in text
    assert '"1 ' not in text
