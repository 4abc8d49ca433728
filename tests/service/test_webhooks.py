"""Webhooks: signed so that a receiver can check them, tried again, and never in anybody's way."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine, Sequence

import httpx
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.service.webhooks import WebhookConfig, Webhooks, sign, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = 1_700_000_000.0


class Receiver:
    """A receiver that answers what it is told to, and keeps what came."""

    def __init__(self, *answers: int | Exception, headers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self._answers = list(answers)
        self._headers = headers
        self.requests: list[httpx.Request] = []
        self._changed = asyncio.Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self._changed.set()
        answer = self._answers.pop(0) if self._answers else 204
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer, headers=list(self._headers))

    async def wait(self, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.requests) < count:
                self._changed.clear()
                await self._changed.wait()


Answering = Callable[[httpx.Request], httpx.Response] | Callable[[httpx.Request], Coroutine[None, None, httpx.Response]]


def webhooks(receiver: Answering, **how: object) -> Webhooks:
    """Webhooks to it, that do not wait long."""
    how = {"first_delay_s": 0.001, **how}
    config = WebhookConfig(url="https://hooks.example/secret-path", secret=SECRET, **how)  # type: ignore[arg-type]
    return Webhooks(config, transport=httpx.MockTransport(receiver), wall_clock=lambda: NOW, dice=lambda: 0.0)


def test_the_signature_is_that_of_the_specification() -> None:
    """The example of Standard Webhooks' own libraries comes out as there."""
    body = b'{"test": 2432232314}'
    expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert sign(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == expected
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    again = hmac.new(key, b"msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330." + body, hashlib.sha256).digest()
    assert expected == "v1," + base64.b64encode(again).decode()


async def test_a_message_arrives_and_can_be_checked() -> None:
    """Its type, its time and its data are in the body; a changed body, another secret or a late hour do not pass."""
    receiver = Receiver()
    async with webhooks(receiver) as hooks:
        hooks.post("job.start", {"job": "record:a"})
        await receiver.wait(1)
    [request] = receiver.requests
    headers, body = dict(request.headers), request.content
    assert json.loads(body) == {
        "type": "job.start",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {"job": "record:a"},
    }
    assert verify(SECRET, headers, body, now=NOW + 299)
    assert not verify(SECRET, headers, body, now=NOW + 301)
    assert not verify(SECRET, headers, body.replace(b"record:a", b"record:b"), now=NOW)
    assert not verify("another secret of length", headers, body, now=NOW)
    assert not verify(SECRET, headers | {"webhook-id": "msg_other"}, body, now=NOW)
    assert not verify(SECRET, {}, body, now=NOW)
    assert hooks.delivered == 1


async def test_tried_again_with_the_same_id() -> None:
    """No answer, 5xx and 429 are tried again; what follows waits, so that the order stays."""
    receiver = Receiver(httpx.ConnectError("no"), 503, 429, 200)
    async with webhooks(receiver) as hooks:
        hooks.post("job.start", {})
        hooks.post("job.stop", {})
        await receiver.wait(5)
    types = [json.loads(request.content)["type"] for request in receiver.requests]
    assert types == ["job.start"] * 4 + ["job.stop"]
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert len(set(ids[:4])) == 1
    assert ids[4] != ids[0]
    assert (hooks.delivered, hooks.failed) == (2, 0)


async def test_given_up() -> None:
    """410 and a redirect end it at once, silence after so many tries; the next message has its own chance."""
    receiver = Receiver(410, 302, 500, 500, 500, 200)
    async with webhooks(receiver, attempts=3) as hooks:
        for event in ("a", "b", "c", "d"):
            hooks.post(event, {})
        await receiver.wait(6)
    assert (hooks.delivered, hooks.failed, hooks.dropped) == (1, 3, 0)


async def test_the_queue_has_an_end() -> None:
    """A receiver that is away costs the oldest messages, counted, and the end of the program a moment only."""
    receiver = Receiver(*[500] * 1000)
    async with webhooks(receiver, queue=3, close_s=0.05, first_delay_s=30.0) as hooks:
        for number in range(5):
            hooks.post("job.start", {"number": number})
        await receiver.wait(1)
        assert hooks.dropped == 2
    assert (hooks.delivered, hooks.dropped) == (0, 5)


async def test_only_what_is_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    """Other events are not posted; a receiver's path, which is a secret of many, is in no log."""
    caplog.set_level("DEBUG", logger="pexrtc_py")
    receiver = Receiver(404)
    async with webhooks(receiver, events=frozenset({"job.error"})) as hooks:
        hooks.post("job.start", {})
        hooks.post("job.error", {})
        await receiver.wait(1)
    assert len(receiver.requests) == 1
    assert "https://hooks.example" in caplog.text
    assert "secret-path" not in caplog.text
    assert SECRET not in caplog.text + repr(hooks.config)


@pytest.mark.parametrize("after", [b"\xb2", b"-1", b"nan", b"Wed, 21 Oct 2015 07:28:00 GMT", b""])
async def test_a_wait_that_is_no_number(after: bytes) -> None:
    """A superscript two as `Retry-After`, which isdigit() takes, once ended the program; now it is tried again."""
    receiver = Receiver(503, headers=[(b"retry-after", after)])
    async with webhooks(receiver) as hooks:
        hooks.post("job.start", {})
        await receiver.wait(2)
    assert hooks.delivered == 1


async def test_what_nobody_expected(caplog: pytest.LogCaptureFixture) -> None:
    """Any exception costs its own message only, and the log has where it came from but not what it says."""
    receiver = Receiver(ZeroDivisionError("https://hooks.example/secret-path"), 204)
    async with webhooks(receiver) as hooks:
        hooks.post("job.start", {})
        hooks.post("job.stop", {})
        await receiver.wait(2)
    assert (hooks.delivered, hooks.failed) == (1, 1)
    assert "ZeroDivisionError" in caplog.text
    assert "webhooks.py" in caplog.text
    assert "secret-path" not in caplog.text


async def test_a_message_under_way_is_not_dropped() -> None:
    """It once was taken for the oldest that waits, and counted as dropped though it arrived."""
    receiver, answer = Receiver(), asyncio.Event()

    async def slowly(request: httpx.Request) -> httpx.Response:
        response = receiver(request)
        await answer.wait()
        return response

    async with webhooks(slowly, queue=1) as hooks:
        hooks.post("job.start", {})
        await receiver.wait(1)
        hooks.post("job.stop", {})
        answer.set()
        await receiver.wait(2)
    assert (hooks.delivered, hooks.dropped) == (2, 0)


async def test_a_try_has_an_end() -> None:
    """A receiver that sends a header byte by byte once held a try for as long as it liked."""
    tries = 0
    again = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal tries
        tries += 1
        if tries == 2:
            again.set()
        with contextlib.suppress(ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 204 ok\r\nX: ")
            while not writer.is_closing():
                writer.write(b"a")
                await writer.drain()
                await asyncio.sleep(0.02)

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        config = WebhookConfig(
            url=f"http://127.0.0.1:{port}/", secret=SECRET, timeout_s=0.1, first_delay_s=0.001, close_s=0.0
        )
        async with Webhooks(config) as hooks:
            hooks.post("job.start", {})
            async with asyncio.timeout(5):
                await again.wait()
    assert (hooks.delivered, hooks.dropped) == (0, 1)


@pytest.mark.parametrize(
    "change",
    [{"webhook-timestamp": "\u00b2"}, {"webhook-signature": "v1,\udcff"}, {"webhook-id": "\udcff"}],
    ids=["time", "signature", "id"],
)
def test_headers_that_nobody_writes(change: dict[str, str]) -> None:
    """A receiver that checks them is told no, and gets no exception."""
    headers = {
        "webhook-id": "a",
        "webhook-timestamp": str(int(NOW)),
        "webhook-signature": sign(SECRET, "a", int(NOW), b""),
    }
    assert verify(SECRET, headers, b"", now=NOW)
    assert not verify(SECRET, headers | change, b"", now=NOW)


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("ftp://x", SECRET),
        ("nonsense", SECRET),
        ("https://x\x00y/", SECRET),
        ("https://x", "15 bytes, no 16"),
        ("https://x", "whsec_!!!"),
    ],
)
def test_what_cannot_be_used(url: str, secret: str) -> None:
    """It is a usage error that does not repeat the secret."""
    with pytest.raises(UsageError) as error:
        WebhookConfig(url=url, secret=secret)
    assert secret not in str(error.value)
