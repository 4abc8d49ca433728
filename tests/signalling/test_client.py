"""Every method of the client asks what its row of the table says, and understands an answer of the row's type."""

from __future__ import annotations

import inspect
from typing import Any, get_type_hints

import httpx
import msgspec
import pytest

from pexrtc_py.errors import LocalProtocolError, UsageError
from pexrtc_py.protocol import models
from pexrtc_py.protocol.models import encode_success
from pexrtc_py.protocol.operations import OPERATIONS, Answer, Operation
from pexrtc_py.signalling import NodeClient
from pexrtc_py.signalling.exchange import _SLOW

ROWS = [row for row in OPERATIONS.values() if row.answer is not Answer.EVENTS]

RESULTS: dict[str, object] = {
    "TokenResult": models.TokenResult(token=models.Token("t"), participant_uuid=models.ParticipantUuid("p")),
    "RefreshResult": models.RefreshResult(token=models.Token("t")),
    "ConferenceStatus": models.ConferenceStatus(locked=True),
    "CallResult": models.CallResult(call_uuid=models.CallUuid("c"), sdp="v=0"),
    "BreakoutResult": models.BreakoutResult(breakout_uuid="b"),
}


def sample(kind: Any) -> Any:
    """A value for a parameter or a required field."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind(**{f.name: sample(f.type) for f in msgspec.structs.fields(kind) if f.required})
    if kind is bool:
        return True
    if kind is int:
        return 1
    if kind is bytes:
        return b"\xff\xd8"
    if getattr(kind, "__origin__", None) is list:
        return []
    if isinstance(kind, type) and issubclass(kind, models.ParticipantRole | models.Role | models.CallKind):
        return next(iter(kind))
    return "x" if kind is str or hasattr(kind, "__supertype__") else None


def result_of(row: Operation) -> object:
    """A result of the row's type."""
    name = getattr(row.result, "__name__", "")
    if row.result is bool:
        return True
    if row.result is str or row.name == "call_update":
        return "x"
    if name in RESULTS:
        return RESULTS[name]
    return [] if str(row.result).startswith("list") else {} if str(row.result).startswith("dict") else None


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
async def test_method(row: Operation) -> None:
    """Verb, path, query, body and result are those of the row."""
    seen: list[httpx.Request] = []
    expected = result_of(row)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=encode_success(expected) if row.answer is Answer.JSON else b"\xff\xd8")

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = NodeClient("https://node", "a", http)
        client.set_token("t0")
        method = getattr(client, row.name)
        hints = get_type_hints(method)
        parameters = inspect.signature(method).parameters.values()
        positional = [sample(hints[p.name]) for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        keywords = {p.name: sample(hints[p.name]) for p in parameters if p.kind is p.KEYWORD_ONLY}
        got = await method(*positional, **keywords)
    (request,) = seen
    assert request.method == row.verb
    prefix = "/api/client/v2/conferences/a/"
    assert request.url.path == prefix + row.fill(**dict.fromkeys(row.takes, "x"))
    assert request.headers["token"] == "t0"
    if row.body is not None and request.content:
        assert msgspec.json.decode(request.content, type=row.body, strict=True) is not None
    if row.upload:
        assert f'name="{row.upload}"'.encode() in request.content
    if row.query is not None:
        assert set(dict(request.url.params)) == set(row.query.__struct_fields__)
    if row.answer is not Answer.JSON:
        assert got == b"\xff\xd8"
    elif row.result is type(None):
        assert got is None
    else:
        assert got == expected


def test_slow_operations_exist() -> None:
    """Operations with a longer patience are those of the table."""
    assert set(OPERATIONS) >= _SLOW


async def test_inside_a_breakout() -> None:
    """What has a form inside breakouts is asked below their path, by the token of now; the rest is not asked there."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, content=encode_success(result=True))

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        client = NodeClient("https://node", "a", http)
        inside = client.in_breakout("b/1")
        client.set_token("renewed")
        await inside.conference_lock()
        await inside.participant_mute(models.ParticipantUuid("p"))
        await inside.call_ack(models.ParticipantUuid("p"), models.CallUuid("c"))
        await client.conference_lock()
        paths = [request.url.raw_path.decode().removeprefix("/api/client/v2/conferences/a/") for request in seen]
        assert paths == [
            "breakouts/b%2F1/lock",
            "breakouts/b%2F1/participants/p/mute",
            "breakouts/b%2F1/participants/p/calls/c/ack",
            "lock",
        ]
        assert {request.headers["token"] for request in seen} == {"renewed"}
        for ask in (inside.refresh_token, inside.theme, inside.breakouts_empty):
            with pytest.raises(LocalProtocolError, match="outside of breakouts"):
                await ask()
        with pytest.raises(LocalProtocolError, match="no breakouts inside"):
            inside.in_breakout("c")
        with pytest.raises(UsageError, match="no breakout"):
            client.in_breakout("..")
        assert len(seen) == 4
