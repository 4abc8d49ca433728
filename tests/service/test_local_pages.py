"""Pages for this machine: made when asked for, and for this machine only."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import httpx
import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.service.local_pages import LocalPages, Page, parse_listen


async def test_a_page_is_made_when_it_is_asked_for() -> None:
    """Each time anew; what is not there is not found, and nothing can be written."""
    asked = 0

    def status() -> Page:
        nonlocal asked
        asked += 1
        return Page(body=b"%d" % asked, content_type="application/json")

    async with LocalPages(("127.0.0.1", 0), {"/status": status}) as pages, httpx.AsyncClient() as http:
        assert (await http.get(pages.url + "/status")).text == "1"
        answer = await http.get(pages.url + "/status")
        assert (answer.text, answer.headers["content-type"], answer.headers["cache-control"]) == (
            "2",
            "application/json",
            "no-store",
        )
        assert (await http.get(pages.url + "/")).status_code == 404
        assert (await http.post(pages.url + "/status")).status_code == 405


async def test_another_name_for_loopback_is_not_served() -> None:
    """A web page whose name resolves to this machine reads nothing here."""
    page = Page(body=b"secret", content_type="text/plain")
    async with LocalPages(("127.0.0.1", 0), {"/status": lambda: page}) as pages, httpx.AsyncClient() as http:
        answer = await http.get(pages.url + "/status", headers={"host": "evil.example:80"})
        assert answer.status_code == 421
        assert "secret" not in answer.text
        assert (await http.get(pages.url + "/status", headers={"host": "localhost:1"})).text == "secret"


@pytest.mark.parametrize("host", [b"\xff\xfe", b"127.0.0.1:99999", b"[", b""])
async def test_a_host_that_is_none_is_not_served(host: bytes, caplog: pytest.LogCaptureFixture) -> None:
    """Each such request wrote a traceback into the log of a monitor."""
    page = Page(body=b"secret", content_type="text/plain")
    async with LocalPages(("127.0.0.1", 0), {"/status": lambda: page}) as pages, asyncio.timeout(5):
        reader, writer = await asyncio.open_connection("127.0.0.1", int(pages.url.rpartition(":")[2]))
        writer.write(b"GET /status HTTP/1.1\r\nHost: " + host + b"\r\nConnection: close\r\n\r\n")
        answer = await reader.read()
        writer.close()
    assert answer.startswith(b"HTTP/1.1 4"), answer
    assert not caplog.records


async def test_an_address_that_is_taken() -> None:
    """It is named, and nothing is left open."""
    async with LocalPages(("127.0.0.1", 0), {}) as pages:
        port = int(pages.url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"cannot listen at 127.0.0.1:{port}"):
            async with LocalPages(("127.0.0.1", port), {}):
                pass


async def test_a_request_that_stalls_does_not_hold_the_end() -> None:
    """One whose body never comes once held the end for a minute."""
    async with AsyncExitStack() as stack:
        pages = await stack.enter_async_context(LocalPages(("127.0.0.1", 0), {}))
        reader, writer = await asyncio.open_connection("127.0.0.1", int(pages.url.rpartition(":")[2]))
        writer.write(b"POST /status HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n")
        async with asyncio.timeout(5):
            assert b"404" in await reader.readline()
            await stack.aclose()
        writer.close()


def test_where_to_listen() -> None:
    """Addresses of both families; what is none says what to say."""
    assert parse_listen("127.0.0.1:9090", option="--metrics") == ("127.0.0.1", 9090)
    assert parse_listen("[::1]:0", option="--metrics") == ("::1", 0)
    for text in ("9090", ":9090", "localhost", "127.0.0.1:99999", "127.0.0.1:x"):
        with pytest.raises(UsageError, match="--metrics"):
            parse_listen(text, option="--metrics")
