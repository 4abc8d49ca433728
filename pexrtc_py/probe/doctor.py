"""`--join-only`: getting in step by step, each timed, green or red, with the cure.

Name, TCP and TLS are tried apart from joining, so that a failure is told from the node's; then a participant joins,
calls, and waits for the first sound and picture. A step that fails ends the walk; those after it were not reached.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ..errors import DtlsFailed, IceFailed, NoMedia, PexrtcError, RefusedError, TransportError, UsageError
from ..signalling.tls import make_ssl_context
from ..version import __version__
from ..webrtc.transport_statistics import CandidatePairStatistics
from .ends import End, EndConfig, Listening, open_end
from .result import ProbeResult, Step
from .series import SeriesBook
from .thresholds import Threshold, judge

__all__ = ["STEPS", "DoctorConfig", "examine"]

STEPS: Final = ("DNS", "TCP", "TLS", "join", "call", "ICE", "DTLS", "media")
"""The steps, in order; over plain HTTP the step TLS says so."""

_CURES: Final = {
    "DNS": "check the host name, and that this machine's resolver knows the zone of the node",
    "TCP": "check that the node is up, and that firewalls let TCP through to its HTTPS port",
    "TLS": "renew the certificate, or install the intermediate one on the node (Platform > TLS certificates)",
    "join": "check alias, PIN and role; /status of the node tells whether it is in maintenance",
    "call": "check the node's call and participant licences, and its support log of this moment",
    "ICE": "let UDP through between us and the node's media ports (40000-49999 by default), or give a TURN server",
    "DTLS": "UDP passes, the handshake does not: look for a firewall that inspects or drops DTLS, or a small path MTU",
    "media": "connected, and nothing comes: are others in the conference sending, and is our RTP let back through",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorConfig:
    """How long each step may take."""

    connect_s: float = 5.0
    """DNS, TCP and TLS, each."""
    media_s: float = 10.0
    """First sound and picture after the call is connected."""
    wants_media: bool = True
    """Whether a call in which nothing comes is ill; alone in a conference nothing may come."""
    thresholds: tuple[Threshold, ...] = ()


class _StepFailed(Exception):
    """Ends the walk."""


class _Walk:
    """The steps so far."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    @asynccontextmanager
    async def step(self, name: str, timeout_s: float | None = None) -> AsyncIterator[list[str]]:
        """Time a step; details are appended to the list it yields. A foreseen failure is noted and ends the walk."""
        details: list[str] = []
        begin, problem = time.monotonic(), ""
        try:
            async with asyncio.timeout(timeout_s):
                yield details
        except TimeoutError:
            problem = f"no answer within {timeout_s:g} s" if timeout_s is not None else "no answer in time"
        except ssl.SSLError as exc:
            problem = getattr(exc, "verify_message", "") or exc.reason or "the handshake failed"
        except OSError as exc:
            problem = exc.strerror or str(exc)
        except PexrtcError as exc:
            problem = str(exc)
        took = 1000 * (time.monotonic() - begin)
        passed = not problem
        self.note(name, took, ", ".join([*details, *([problem] if problem else [])]), passed=passed)
        if not passed:
            raise _StepFailed

    def note(self, name: str, milliseconds: float | None, detail: str, *, passed: bool) -> None:
        """Add a step."""
        cure = "" if passed else _CURES[name]
        step = Step(name=name, passed=passed, milliseconds=milliseconds, detail=detail, cure=cure)
        self.steps.append(step)

    def all(self) -> tuple[Step, ...]:
        """Return all steps, those not reached included."""
        reached = {step.name for step in self.steps}
        return (*self.steps, *(Step(name=name, passed=None) for name in STEPS if name not in reached))


async def examine(end: EndConfig, config: DoctorConfig | None = None) -> ProbeResult:
    """Walk all steps of getting into a conference and tell how each went. Cancelling is safe.

    Returns:
        The result; its `error` stays empty, a failed step says all.

    Raises:
        UsageError: the node's URL is none.
    """
    config = config or DoctorConfig()
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    walk, book = _Walk(), SeriesBook(end.session.display_name)
    try:
        await _reach(walk, book, end, config)
        await _join(walk, book, end, config, began)
    except _StepFailed:
        pass
    series = book.series()
    return ProbeResult(
        kind="join",
        target=end.session.alias,
        node=end.session.node_url,
        started=started,
        duration_s=round(time.monotonic() - began, 3),
        version=__version__,
        series=series,
        steps=walk.all(),
        verdict=judge(config.thresholds, series),
    )


async def _reach(walk: _Walk, book: SeriesBook, end: EndConfig, config: DoctorConfig) -> None:
    parts = urlsplit(end.session.node_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"node {end.session.node_url!r}: say https://node.example.com")
    host, secure = parts.hostname, parts.scheme == "https"
    port = parts.port or (443 if secure else 80)
    loop = asyncio.get_running_loop()
    begin = time.monotonic()

    def since_begin() -> float:
        return 1000 * (time.monotonic() - begin)

    async with walk.step("DNS", config.connect_s) as details:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        details.append(", ".join(dict.fromkeys(str(info[4][0]) for info in found)))
    book.add("setup.dns_ms", 0.0, since_begin())
    async with walk.step("TCP", config.connect_s) as details:
        _, writer = await asyncio.open_connection(host, port)
        details.append(f"{writer.get_extra_info('peername')[0]} port {port}")
        await _close(writer)
    book.add("setup.tcp_ms", 0.0, since_begin())
    if not secure:
        walk.note("TLS", None, "not asked for: plain HTTP", passed=True)
        return
    async with walk.step("TLS", config.connect_s) as details:
        _, writer = await asyncio.open_connection(host, port, ssl=make_ssl_context(end.session.http))
        details.append(str(writer.get_extra_info("ssl_object").version()))
        # Without verification Python does not parse the certificate, and the dictionary is empty.
        certificate = writer.get_extra_info("peercert") or {}
        await _close(writer)
        if isinstance(expires := certificate.get("notAfter"), str):
            days = (ssl.cert_time_to_seconds(expires) - time.time()) / 86400
            book.add("setup.tls_expiry_days", 0.0, days)
            details.append(f"certificate ends in {days:.0f} days")
    book.add("setup.tls_ms", 0.0, since_begin())


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    try:
        await writer.wait_closed()
    except OSError:
        return  # the other side closed harder than we; the connection is gone either way


async def _join(walk: _Walk, book: SeriesBook, end: EndConfig, config: DoctorConfig, began: float) -> None:
    async with AsyncExitStack() as stack:
        begin = time.monotonic()
        try:
            joined = await stack.enter_async_context(open_end(end))
        except PexrtcError as exc:
            name = "join" if isinstance(exc, RefusedError | TransportError | UsageError) else "call"
            walk.note(name, 1000 * (time.monotonic() - begin), str(exc), passed=False)
            raise _StepFailed from exc
        phases = joined.call.phases
        token = phases.token or begin
        walk.note("join", 1000 * (token - phases.started), f"as {joined.conference.role}", passed=True)
        walk.note("call", 1000 * (time.monotonic() - token), _lines(joined), passed=True)
        listening = await stack.enter_async_context(Listening(joined, book, began))
        try:
            await _connect(walk, joined)
            await stack.enter_async_context(joined.make_player())
            await _wait_for_media(walk, listening, config)
        finally:
            listening.read_network()
            await listening.finish(time.monotonic())


def _lines(end: End) -> str:
    lines = (("audio", end.call.audio), ("video", end.call.video))
    return ", ".join(f"{kind} {line.codec if line and line.codec else 'refused'}" for kind, line in lines)


async def _connect(walk: _Walk, end: End) -> None:
    begin = time.monotonic()
    try:
        await end.call.connected()
    except (IceFailed, DtlsFailed) as exc:
        timings = end.call.peer.timings
        if isinstance(exc, DtlsFailed) or "ice_connected" in timings:
            walk.note("ICE", 1000 * (timings.get("ice_connected", begin) - begin), "", passed=True)
            walk.note("DTLS", None, str(exc), passed=False)
        else:
            walk.note("ICE", 1000 * (time.monotonic() - begin), str(exc), passed=False)
        raise _StepFailed from exc
    timings = end.call.peer.timings
    started = timings.get("started", begin)
    ice, dtls = timings["ice_connected"], timings["dtls_connected"]
    walk.note("ICE", 1000 * (ice - started), _pair(end), passed=True)
    walk.note("DTLS", 1000 * (dtls - ice), "", passed=True)


def _pair(end: End) -> str:
    """Describe the selected pair by its types."""
    statistics = end.call.peer.statistics(time.monotonic())
    kinds = {item.id: getattr(item, "candidate_type", "") for item in statistics}
    for item in statistics:
        if isinstance(item, CandidatePairStatistics):
            return f"{kinds.get(item.local_candidate_id)} to {kinds.get(item.remote_candidate_id)}"
    return ""


async def _wait_for_media(walk: _Walk, listening: Listening, config: DoctorConfig) -> None:
    async with walk.step("media") as details:
        try:
            async with asyncio.timeout(config.media_s):
                await listening.wait_for_picture_and_sound()
        except TimeoutError:
            if config.wants_media:
                raise NoMedia(f"after {config.media_s:g} s: no {listening.missing}") from None
            details.append(f"no {listening.missing}, as may be when nobody sends")
        else:
            details.append("sound and picture decoded")
