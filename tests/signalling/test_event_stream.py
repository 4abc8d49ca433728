"""The event stream as bytes: any cut into pieces reads the same, anything else breaks it as documented."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing, suppress
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import NodeError, RemoteProtocolError, SignallingError, TransportError
from pexrtc_py.protocol.events import Event, PresentationFrame, Stage, UnknownEvent
from pexrtc_py.signalling import NodeClient
from pexrtc_py.signalling.event_stream import MAX_EVENT, listen

CONNECT = Path(__file__).parents[1] / "data" / "sse" / "infinity-36-connect.sse"


class Pieces(httpx.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def read(
    pieces: list[bytes], response: dict[str, object] | None = None, *, heard: list[None] | None = None
) -> list[Event]:
    headers = {"content-type": "text/event-stream; charset=utf-8"}
    values = {"status_code": 200, "headers": headers, "stream": Pieces(pieces)} | (response or {})

    def answer(request: httpx.Request) -> httpx.Response:
        assert request.url.query == b""
        assert request.headers["accept"] == "text/event-stream"
        return httpx.Response(**values)  # type: ignore[arg-type]  # a test's keywords

    notes: list[None] = [] if heard is None else heard
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = NodeClient("https://node", "a", http)
        async with aclosing(listen(client, lambda: notes.append(None))) as events:
            return [event async for event, _ in events if event is not None]


async def test_order_on_connect() -> None:
    """The events of a real node's connect are read in their order."""
    names = [type(event).__name__ for event in await read([CONNECT.read_bytes()])]
    assert names == [
        "ParticipantSyncBegin",
        "ParticipantCreate",
        "ParticipantSyncEnd",
        "ConferenceUpdate",
        "Layout",
        "Stage",
        "PresentationStart",
        "PresentationFrame",
    ]


@given(st.lists(st.integers(1, 3000), max_size=20), st.sampled_from([b"\n", b"\r\n"]))
async def test_any_cut(cuts: list[int], newline: bytes) -> None:
    """Wherever the bytes are cut, and whatever ends the lines, the events are the same, and every piece is heard."""
    data = CONNECT.read_bytes().replace(b"\n", newline)
    edges = [0, *sorted({cut % len(data) for cut in cuts}), len(data)]
    pieces = [data[a:b] for a, b in pairwise(edges)]
    heard: list[None] = []
    assert await read(pieces, heard=heard) == await read([CONNECT.read_bytes()])
    assert len(heard) == len(pieces)


async def test_frame_has_its_id() -> None:
    """The id that presentation.jpeg asks for is that of the event."""
    frames = [event for event in await read([CONNECT.read_bytes()]) if isinstance(event, PresentationFrame)]
    assert frames == [PresentationFrame(event_id="MjdfOQ==")]


async def test_a_comment_is_no_event() -> None:
    """A comment that keeps the stream alive was taken for an empty chat message, once there was an id."""
    heard: list[None] = []
    [event] = await read([b"id: 1\nevent: conference_update\ndata: {}\n\n", b": keepalive\n\n"], heard=heard)
    assert type(event).__name__ == "ConferenceUpdate"
    assert len(heard) == 2


async def test_limit() -> None:
    """An event beyond 1 MiB breaks the stream by name, in one piece or in many; comments and many events do not."""
    with pytest.raises(RemoteProtocolError, match="events: an event is longer than 1 MiB"):
        await read([b"data: " + b"x" * MAX_EVENT])
    with pytest.raises(RemoteProtocolError, match="longer than 1 MiB"):
        await read([b"data: x\n"] * (MAX_EVENT // 8 + 2))
    assert len(await read([b"event: e\ndata: " + b"x" * 900_000 + b"\n\n"] * 3)) == 3
    assert await read([b": keep\n\n" * 1000] * 200) == []


@pytest.mark.parametrize(
    ("response", "error"),
    [
        ({"headers": {"content-type": "text/html"}}, NodeError),
        ({"headers": {"content-type": "text/event-stream", "content-encoding": "gzip"}}, RemoteProtocolError),
        ({"status_code": 403}, SignallingError),
        ({"status_code": 503}, NodeError),
        ({"status_code": 307, "headers": {"location": "https://evil/"}}, TransportError),
    ],
)
async def test_no_stream(response: dict[str, object], error: type[Exception]) -> None:
    """What is no event stream is told as such."""
    with pytest.raises(error):
        await read([b""], response)


@given(st.lists(st.binary(max_size=60) | st.sampled_from([b"event: stage\n", b"data: ", b"\n\n", b"id: \x00\n"])))
async def test_any_bytes(pieces: list[bytes]) -> None:
    """Any bytes are events, or break the stream with a documented error."""
    with suppress(RemoteProtocolError, TransportError):
        events = await read(pieces)
        # `stage` is the only event that is known here: whatever else is said is handed on by the name it came with.
        assert {type(event) for event in events} <= {Stage, UnknownEvent}
        assert all(event.name != "stage" for event in events if isinstance(event, UnknownEvent))
