"""Trust: the system's, a custom one, none when asked; and proxies."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from pexrtc_py.errors import TransportError, UsageError
from pexrtc_py.signalling import HttpConfig, SessionConfig, open_session
from pexrtc_py.signalling.tls import make_ssl_context

from .certificates import make_certificate
from .small_node import SmallNode, run_small_node


@asynccontextmanager
async def tls_node(certificate: Path, key: Path) -> AsyncIterator[SmallNode]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with run_small_node(context) as node:
        yield node


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path, "localhost")


async def join(node_url: str, http: HttpConfig) -> None:
    async with asyncio.timeout(10), open_session(SessionConfig(node_url=node_url, alias="a", http=http)):
        pass


async def test_untrusted_certificate_names_the_cure(certificate: tuple[Path, Path]) -> None:
    """A self-signed certificate is refused in one line that says what to do; nothing was asked of the node."""
    async with tls_node(*certificate) as node:
        with pytest.raises(TransportError, match=r"is not trusted .*trust store.*CA file") as caught:
            await join(node.url, HttpConfig())
        assert "\n" not in str(caught.value)
        assert node.requests == []


async def test_custom_ca(certificate: tuple[Path, Path]) -> None:
    """A CA file given is trusted, for the name in the certificate and no other."""
    async with tls_node(*certificate) as node:
        http = HttpConfig(ca_file=certificate[0])
        await join(node.url.replace("127.0.0.1", "localhost"), http)
        assert len(node.released) == 1
        with pytest.raises(TransportError, match="not trusted"):
            await join(node.url, http)


async def test_insecure_only_when_asked(certificate: tuple[Path, Path]) -> None:
    """`insecure` takes any certificate."""
    async with tls_node(*certificate) as node:
        await join(node.url, HttpConfig(insecure=True))
        assert len(node.released) == 1


async def test_plain_http_behind_an_https_address() -> None:
    """TLS with a server that speaks none is told as such."""
    async with run_small_node() as node:
        with pytest.raises(TransportError, match="no TLS with"):
            await join(node.url.replace("http:", "https:"), HttpConfig())


def test_checking_is_the_default(tmp_path: Path) -> None:
    """Certificates and names are checked unless asked otherwise; a CA file that is none is a usage error."""
    context = make_ssl_context(HttpConfig())
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    for path in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(UsageError, match="trusted certificates"):
            make_ssl_context(HttpConfig(ca_file=path))


@asynccontextmanager
async def http_proxy() -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy that answers every request itself and notes the address asked for."""
    asked: list[str] = []

    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(f"{request.method} {request.raw_path}")
        return web.json_response({"status": "failed", "result": "by the proxy"}, status=404)

    runner = web.ServerRunner(web.Server(serve, access_log=None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2]), asked
    finally:
        await runner.cleanup()


async def test_proxy_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy given is used; for https it is asked for a tunnel, and its refusal is told."""
    async with http_proxy() as (url, asked):
        with pytest.raises(Exception, match="by the proxy"):
            await join("http://node.invalid", HttpConfig(proxy=url))
        with pytest.raises(TransportError, match="proxy did not let us through"):
            await join("https://node.invalid", HttpConfig(proxy=url))
        assert asked[0].startswith("POST http://node.invalid/api/client/v2/")
        assert asked[1] == "CONNECT node.invalid:443"


async def test_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment's proxy is used for nodes elsewhere, and never for one on this machine."""
    async with http_proxy() as (url, asked), run_small_node() as node:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, url)
        with pytest.raises(Exception, match="by the proxy"):
            await join("http://node.invalid", HttpConfig())
        count = len(asked)
        await join(node.url, HttpConfig())
        assert len(asked) == count
        assert len(node.released) == 1


async def test_proxy_that_is_none() -> None:
    """A proxy of an unknown kind is a usage error, and its password is not shown."""
    with pytest.raises(UsageError, match="proxy") as caught:
        await join("http://node.invalid", HttpConfig(proxy="gopher://user:s3cret@x"))
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in repr(HttpConfig(proxy="http://user:s3cret@x"))


def test_trusted_certificates_are_read_once_until_they_change(tmp_path: Path) -> None:
    """Sessions share what checks certificates; a CA file that has changed is read again."""
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    first, second = (make_certificate(folder, folder.name) for folder in folders)
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(first[0].read_bytes())
    before = make_ssl_context(HttpConfig(ca_file=trusted))
    assert make_ssl_context(HttpConfig(ca_file=trusted)) is before
    trusted.write_bytes(second[0].read_bytes())
    os.utime(trusted, ns=(0, trusted.stat().st_mtime_ns + 1))
    after = make_ssl_context(HttpConfig(ca_file=trusted))
    assert after.get_ca_certs() != before.get_ca_certs()
