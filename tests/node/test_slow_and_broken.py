"""Whoever takes its time, goes away or speaks no HTTP holds nothing for long and writes no traceback into the log."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.protocol.operations import OPERATIONS

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

JOIN = b"POST /api/client/v2/conferences/meet.alice/request_token HTTP/1.1\r\nHost: node\r\n"


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node of little patience."""
    async with Node(NodeConfig(idle_s=0.3, body_s=0.3), media=SilentMediaMaker()) as node:
        yield node


async def answer_to(url: str, sent: bytes) -> bytes:
    """Send something and return all that comes until the node closes the connection."""
    address = urlsplit(url)
    assert address.hostname is not None
    reader, writer = await asyncio.open_connection(address.hostname, address.port)
    try:
        writer.write(sent)
        async with asyncio.timeout(5):
            return await reader.read()
    finally:
        writer.close()


@pytest.mark.parametrize(
    ("sent", "begins"),
    [
        (b"", b""),
        (JOIN, b""),
        (JOIN + b"X-A: " + b"a" * 500, b""),
        (JOIN + b"Content-Length: 100\r\n\r\n{", b"HTTP/1.1 408 "),
        (JOIN + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{", b"HTTP/1.1 408 "),
    ],
    ids=["nothing", "line", "headers", "body", "chunks"],
)
async def test_whoever_takes_its_time_is_let_go(node: Node, sent: bytes, begins: bytes) -> None:
    """Half a request held its connection and its task for an hour, half a body for ever."""
    answered = await answer_to(node.url, sent)
    assert answered.startswith(begins)
    assert bool(answered) == bool(begins)


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        JOIN + b"".join(b"a%d: b\r\n" % n for n in range(1000)) + b"\r\n",
        JOIN + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        JOIN + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
        JOIN + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\nzz\r\n",
        JOIN + b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nabcd",
        JOIN
        + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(gzip.compress(b"{}"))
        + gzip.compress(b"{}"),
    ],
    ids=["TLS", "version", "line", "headers", "lengths", "chunk", "second chunk", "no gzip", "gzip"],
)
async def test_what_is_no_request_is_no_error_of_ours(
    node: Node, sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Refused as what it is; each was a traceback in the log, and a body that cannot be unpacked was our error."""
    with caplog.at_level(logging.INFO):
        assert (await answer_to(node.url, sent)).split()[1] == b"400"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


async def test_half_a_body_and_gone(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away in the middle of its body was an error of ours with a traceback."""
    address = urlsplit(node.url)
    with caplog.at_level(logging.INFO):
        for _ in range(5):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            writer.write(JOIN + b"Content-Length: 100\r\n\r\n{")
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.transport.abort()
        await asyncio.sleep(0.5)  # longer than a body may take
        async with RawClient(node.url) as alice:
            await alice.join()
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b""),
        ("multipart/form-data; boundary=", b"--\r\n\r\n"),
        ("multipart/form-data; boundary=x", b""),
        ("multipart/form-data; boundary=x", b"no boundary in it"),
        ("multipart/form-data; boundary=x", b"--x\r\nbroken header\r\n\r\nabc\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="frame"\r\n\r\nabc'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="frame"\r\n\r\nabc\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="frame"\r\nContent-Encoding: gzip\r\n\r\nabc\r\n--x--\r\n',
        ),
        (
            "multipart/form-data; boundary=x",
            b"--x\r\nContent-Disposition: form-data; name=frame\r\nContent-Transfer-Encoding: base64\r\n\r\n\xff",
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="frame"\r\nContent-Length: -5\r\n\r\nabc\r\n--x--\r\n',
        ),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: multipart/mixed\r\n\r\n--y\r\n\r\n--x--\r\n"),
        ("multipart/mixed; boundary=" + "x" * 200, b"abc"),
    ],
)
async def test_forms_that_are_none(
    node: Node, content_type: str, body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever is uploaded as a picture is refused with a reason."""
    async with RawClient(node.url) as alice:
        await alice.join()
        await alice.post(alice.mine("take_floor"), {"jpegs": True})
        headers = {"token": alice.token, "content-type": content_type}
        answered = await alice._http.post(
            alice.base + OPERATIONS["presentation_upload"].path, content=body, headers=headers
        )
    assert answered.status_code == 400, answered.text
    assert answered.json()["status"] == "failed"
    assert [record.getMessage() for record in caplog.records if record.exc_info] == []
