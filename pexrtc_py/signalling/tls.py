"""How a node's certificate is checked, and how nodes are reached: trust, proxies, limits of time.

The system's own trust store decides (not a bundle shipped with a library), so that what the administrator trusts is
trusted. Checking is switched off only when asked for by name.
"""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import httpx

from ..errors import UsageError
from .wire_capture import WireCapture

__all__ = ["HttpConfig", "make_http_client", "make_ssl_context"]

logger = logging.getLogger(__name__)

# A dead peer behind a silent event stream is found by the kernel within a minute, without asking the node.
_KEEPALIVE = [(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1), (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)]
for _name, _value in (("TCP_KEEPIDLE", 30), ("TCP_KEEPINTVL", 10), ("TCP_KEEPCNT", 3)):
    if hasattr(socket, _name):  # not on every system
        _KEEPALIVE.append((socket.IPPROTO_TCP, getattr(socket, _name), _value))


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpConfig:
    """How to reach a node over HTTP."""

    ca_file: Path | None = None
    """Certificates to trust instead of the system's, in PEM."""
    insecure: bool = False
    """Take any certificate: only for a node on one's own desk."""
    proxy: str | None = field(default=None, repr=False)
    """URL of a proxy; None takes HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY from the environment."""
    connect_s: float = 5.0
    """Longest wait for a connection."""
    answer_s: float = 15.0
    """Longest wait for bytes of an ordinary answer; all of it must be there in three times that."""
    slow_answer_s: float = 60.0
    """The same where a node may take its time: request_token, calls, update, ack; real clients wait as long."""
    capture: WireCapture | None = field(default=None, repr=False, compare=False)
    """Keeps all that passes, to tell others how a node answers; None keeps nothing."""


def make_ssl_context(config: HttpConfig) -> ssl.SSLContext:
    """Return what checks certificates: read again only when the trusted ones have changed on disk.

    Reading the system's takes some 30 ms, in which nothing else of a process with many calls would go on.

    Raises:
        UsageError: the file of trusted certificates cannot be used.
    """
    if config.insecure:
        logger.warning("! certificates are not checked (insecure)")
    system = ssl.get_default_verify_paths()
    trusted = (config.ca_file,) if config.ca_file is not None else (system.cafile, system.capath)
    try:
        changed = tuple(Path(path).stat().st_mtime_ns for path in trusted if path)
        return _read_ssl_context(config.ca_file, config.insecure, changed)
    except (OSError, ssl.SSLError) as exc:
        raise UsageError(f"trusted certificates {config.ca_file}: {exc.strerror or exc}") from exc


@lru_cache(maxsize=8)
def _read_ssl_context(ca_file: Path | None, insecure: bool, _changed: tuple[int, ...]) -> ssl.SSLContext:  # noqa: FBT001 - a key
    context = ssl.create_default_context(cafile=ca_file)
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def make_http_client(config: HttpConfig) -> httpx.AsyncClient:
    """Make the HTTP client of one session. It follows no redirects: `exchange` does, and never to another host.

    Raises:
        UsageError: trusted certificates or proxy cannot be used.
    """
    context = make_ssl_context(config)
    timeout = httpx.Timeout(config.answer_s, connect=config.connect_s)
    # Compressed answers would make a limit on their size meaningless.
    headers = {"accept-encoding": "identity", "user-agent": "pexrtc_py"}
    hooks = {"response": [config.capture.on_response]} if config.capture is not None else {}
    try:
        if config.proxy is not None:
            return httpx.AsyncClient(
                verify=context, proxy=config.proxy, timeout=timeout, headers=headers, event_hooks=hooks
            )
        direct = httpx.AsyncHTTPTransport(verify=context, socket_options=_KEEPALIVE)
        # Proxies of the environment take precedence over "all://", and a node on this machine is never behind one.
        mounts = {f"all://{host}": direct for host in ("", "localhost", "127.0.0.1", "[::1]")}
        return httpx.AsyncClient(verify=context, mounts=mounts, timeout=timeout, headers=headers, event_hooks=hooks)
    except (ValueError, ImportError, httpx.InvalidURL) as exc:
        raise UsageError("proxy: not a URL that can be used (http:// or https://)") from exc
