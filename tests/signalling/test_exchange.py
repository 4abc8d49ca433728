"""One request and its answer: what goes out, what comes back, and how often it is asked."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import PexrtcError, RemoteProtocolError, TokenExpired, TransportError, UsageError
from pexrtc_py.protocol.models import Message, ParticipantUuid, TokenRequest
from pexrtc_py.protocol.operations import OPERATIONS
from pexrtc_py.signalling import NodeClient
from pexrtc_py.signalling.exchange import MAX_ANSWER
from tests.signalling.asking import NODE, TOKEN, Answers, C, P, client, reply


async def test_what_goes_out() -> None:
    """The token is a header and never in the URL; path values and alias are quoted; the body is the model."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(True)

    node = client(answer, alias="meet/é")
    assert await node.participant_dtmf(ParticipantUuid("a/b"), "12#")
    (request,) = seen
    assert request.url.raw_path == b"/api/client/v2/conferences/meet%2F%C3%A9/participants/a%2Fb/dtmf"
    assert request.headers["token"] == TOKEN
    assert request.headers["content-type"] == "application/json"
    assert json.loads(request.content) == {"digits": "12#"}
    assert TOKEN not in str(request.url)


async def test_without_body() -> None:
    """An operation without a body sends none, and GETs have their query."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(["1:7", {"name": "1:0", "tags": ["x"]}]) if request.method == "GET" else reply(True)

    node = client(answer)
    assert await node.conference_lock()
    layouts = await node.available_layouts(annotate=True)
    assert seen[0].content == b""
    assert "content-type" not in seen[0].headers
    assert seen[1].url.query == b"annotate=true"
    assert layouts[0] == "1:7"
    assert not isinstance(layouts[1], str)
    assert layouts[1].tags == ["x"]


@pytest.mark.parametrize(
    ("result", "said"), [(True, True), (False, False), (None, True)], ids=["true", "false", "null means done"]
)
async def test_booleans(result: object, said: bool) -> None:
    """The node's true and false are passed on; null, which some nodes send, means done."""
    assert await client(lambda _: reply(result)).participant_mute(P) is said


async def test_nothing_where_nothing_is_enough() -> None:
    """ack may be answered by nothing at all; a list may not."""
    node = client(lambda _: httpx.Response(200))
    assert await node.call_ack(P, C)
    with pytest.raises(RemoteProtocolError, match="participants: an empty answer"):
        await node.participants()
    assert await client(lambda _: httpx.Response(204)).theme() is None
    assert await client(lambda _: httpx.Response(200, text="bye")).release_token()


class Dripping(httpx.AsyncByteStream):
    """An answer of which a byte comes now and then, for ever."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b" "


async def test_an_answer_that_never_ends_is_given_up() -> None:
    """Each byte began the waiting anew: who was answered so, joining or leaving, waited for weeks."""
    http = httpx.AsyncClient(
        transport=httpx.MockTransport(lambda _: httpx.Response(200, stream=Dripping())),
        timeout=httpx.Timeout(0.05, connect=0.05),
    )
    node = NodeClient(NODE, "meet.alice", http, slow_answer_s=0.1)
    async with asyncio.timeout(5):
        with pytest.raises(TransportError, match=r"^request_token: no whole answer from node.example.com in 0.3 s$"):
            await node.request_token(TokenRequest(display_name="A"), pin="none")
        with pytest.raises(TransportError, match=r"^participant_dtmf: no whole answer .* in 0.2 s$"):
            await node.participant_dtmf(P, "1")


async def test_too_long_an_answer() -> None:
    """More than 1 MiB is refused by name, whatever the length announced."""
    body = b'{"status":"success","result":"' + b"x" * MAX_ANSWER + b'"}'
    with pytest.raises(
        RemoteProtocolError, match=r"participants: the answer of node\.example\.com is longer than 1 MiB"
    ):
        await client(lambda _: httpx.Response(200, content=body)).participants()


async def test_compressed_answers_are_refused() -> None:
    """A compressed answer, which we ask not to get, could be of any size."""
    squeezed = httpx.Response(200, headers={"content-encoding": "br"}, content=b"x")
    with pytest.raises(RemoteProtocolError, match="compresses"):
        await client(lambda _: squeezed).participants()


async def test_retries_only_what_is_safe() -> None:
    """A lost answer is asked for again when that does no harm; a request that never left always; joining never."""
    counts: dict[str, int] = {}

    def losing(error: type[httpx.TransportError]) -> Answers:
        def answer(request: httpx.Request) -> httpx.Response:
            name = request.url.path.rsplit("/", 1)[1]
            counts[name] = counts.get(name, 0) + 1
            if counts[name] == 1:
                raise error("lost")
            return reply([] if name == "participants" else True)

        return answer

    node = client(losing(httpx.ReadError))
    assert await node.participants() == []
    assert await node.conference_lock()
    with pytest.raises(TransportError):
        await node.conference_message(Message(payload="once"))
    counts.clear()
    node = client(losing(httpx.ConnectError))
    assert await node.conference_message(Message(payload="once"))
    with pytest.raises(TransportError):
        await node.request_token(TokenRequest(display_name="A"))
    assert counts == {"message": 2, "request_token": 1}


@pytest.mark.parametrize("token", ["é", "a\nb", ""])
async def test_a_token_that_cannot_be_sent_is_none(token: str) -> None:
    """It went on to the next request, which failed with a UnicodeEncodeError that nobody expected."""
    result = {"token": token, "expires": "120", "participant_uuid": "u", "display_name": "A", "role": "HOST"}
    result |= {"current_service_type": "conference"}
    node = client(lambda _: reply(result))
    with pytest.raises(RemoteProtocolError, match=r"^request_token: a token that no header can carry$"):
        await node.request_token(TokenRequest(display_name="A"), pin="none")
    with pytest.raises(RemoteProtocolError, match=r"^refresh_token: a token that no header can carry$"):
        await node.refresh_token()


async def test_token_replaced_under_way() -> None:
    """A request refused because the token was refreshed while it was under way is asked again with the new one."""
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers["token"])
        if len(seen) == 1:
            node.set_token("newer")
            return reply("Invalid token", "failed", 403)
        return reply(True)

    node = client(answer)
    assert await node.conference_message(Message(payload="x"))
    assert seen == [TOKEN, "newer"]
    with pytest.raises(TokenExpired):
        await client(lambda _: reply("Invalid token", "failed", 403)).conference_lock()


@pytest.mark.parametrize("url", ["node.example.com", "ftp://node", "https://", "https://user:pw@node", "https://[::1"])
def test_unusable_addresses(url: str) -> None:
    """An address without scheme or host, or with a password, is refused, and the password not repeated."""
    with pytest.raises(UsageError) as caught:
        NodeClient(url, "a", httpx.AsyncClient())
    assert "pw" not in str(caught.value)


async def test_ask_by_name() -> None:
    """Command lines ask by name, with strings that become what the model has."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return reply(True)

    node = client(answer)
    assert await node.ask_by_name("participant_role", participant="p", role="chair")
    assert await node.ask_by_name("set_guests_can_unmute", setting="true")
    assert await node.ask_by_name("transform_layout", transforms='{"layout": "1:7"}')
    assert await node.ask_by_name("participant_send_to_audio_mixes", participant="p", mixes='[{"mix_name": "main"}]')
    assert json.loads(seen[2].content) == {"transforms": {"layout": "1:7"}}
    assert json.loads(seen[0].content) == {"role": "chair"}
    assert json.loads(seen[1].content) == {"setting": True}
    for name, values in {
        "no_such": {},
        "events": {},
        "participant_mute": {},
        "conference_lock": {"x": "1"},
        "set_guests_can_unmute": {"setting": "perhaps"},
        "dial": {"destination": "d"},
        "transform_layout": {"transforms": "{"},
        "breakout_create": {},
    }.items():
        with pytest.raises(UsageError):
            await node.ask_by_name(name, **values)


OPERATION_NAMES = sorted(name for name in OPERATIONS if name != "events")


@given(
    name=st.sampled_from(OPERATION_NAMES),
    code=st.sampled_from([200, 204, 301, 307, 400, 401, 403, 404, 415, 429, 500, 503]),
    body=st.binary(max_size=200)
    | st.from_regex(rb'\{"status":"(success|failed)","result":[\[{"a-z:,0-9}\]]{0,20}\}', fullmatch=True),
)
async def test_any_answer(name: str, code: int, body: bytes) -> None:
    """Any answer to any operation is a result or one of our errors."""
    node = client(lambda _: httpx.Response(code, content=body))
    operation = OPERATIONS[name]
    with suppress(PexrtcError):
        await node.ask(operation, path=dict.fromkeys(operation.takes, "x"))
