"""Redirects: what never leaves for another host, and what is followed on the same."""

from __future__ import annotations

import json

import httpx
import pytest

from pexrtc_py.errors import TransportError
from pexrtc_py.protocol.models import Message, TokenRequest
from tests.signalling.asking import PIN, TOKEN, client, reply


@pytest.mark.parametrize(
    "location",
    [
        "https://evil.example.com/",
        "http://node.example.com/x",
        "https://node.example.com:8443/x",
        "//evil.example.com/x",
    ],
)
async def test_redirect_to_another_host(location: str) -> None:
    """Token and PIN never follow a redirect to another host, port or scheme; the error names the address."""
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(307, headers={"location": location})

    with pytest.raises(TransportError, match="if you trust it, give that address"):
        await client(answer).request_token(TokenRequest(display_name="A"), pin=PIN)
    assert [request.url.host for request in seen] == ["node.example.com"]


async def test_redirect_on_the_same_host() -> None:
    """A redirect on the same host is followed with body and token; a circle ends; a POST never becomes a GET."""

    def moved(request: httpx.Request) -> httpx.Response:
        if "/v2/" in str(request.url):
            return httpx.Response(308, headers={"location": "/elsewhere"})
        return reply(request.headers["token"] == TOKEN and json.loads(request.content) == {"type": "t", "payload": "x"})

    assert await client(moved).conference_message(Message(type="t", payload="x"))
    with pytest.raises(TransportError, match="circles"):
        await client(lambda _: httpx.Response(307, headers={"location": "/again"})).conference_lock()
    with pytest.raises(TransportError, match="POST"):
        await client(lambda _: httpx.Response(302, headers={"location": "/again"})).conference_lock()
