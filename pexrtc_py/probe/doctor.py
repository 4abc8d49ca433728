"""`--join-only`: getting in step by step, each timed, green or red, with the cure.

Name, TCP and TLS are tried apart from joining, so that a failure is told from the node's; then a participant joins,
calls, and waits for the first sound and picture. A step that fails ends the walk; those after it were not reached.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlsplit

from ..errors import (
    DtlsFailed,
    IceFailed,
    NodeError,
    NoMedia,
    PexrtcError,
    RefusedError,
    SessionClosed,
    SessionClosedError,
    SignallingError,
    TransportError,
    UsageError,
)
from ..signalling.finding import is_well
from ..signalling.tls import HttpConfig, make_http_client, make_ssl_context
from ..tasks import first_of
from ..version import __version__
from ..webrtc.transport_statistics import CandidatePairStatistics
from .certificates import days_left, described_certificate
from .cures import cure_of
from .ends import End, EndConfig, Listening, open_end
from .evidence import Evidence
from .result import Cause, ProbeResult, Step, shown_node
from .series import SeriesBook
from .thresholds import Threshold, judge

__all__ = ["NODE_STEPS", "STEPS", "DoctorConfig", "examine"]

STEPS: Final = ("DNS", "TCP", "TLS", "join", "call", "ICE", "DTLS", "media")
"""The steps, in order; over plain HTTP the step TLS says so."""
NODE_STEPS: Final = ("DNS", "TCP", "TLS", "node")
"""The steps when only the node is looked at, without an alias to join."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DoctorConfig:
    """How long each step may take."""

    connect_s: float = 5.0
    """DNS, TCP and TLS, each."""
    media_s: float = 10.0
    """First sound and picture after the call is connected."""
    wants_media: bool = True
    """Whether a call in which nothing comes is ill; alone in a conference nothing may come."""
    joins: bool = True
    """Whether a participant joins; else the walk ends with the node's own word whether it takes calls."""
    thresholds: tuple[Threshold, ...] = ()


class _StepFailed(Exception):
    """Ends the walk."""


class _Walk:
    """The steps so far."""

    def __init__(self, names: tuple[str, ...], *, relayed: bool) -> None:
        self.steps: list[Step] = []
        self.cause = Cause.NONE
        self._names, self._relayed = names, relayed

    @asynccontextmanager
    async def step(self, name: str, timeout_s: float | None = None) -> AsyncIterator[list[str]]:
        """Time a step; details are appended to the list it yields. A foreseen failure is noted and ends the walk."""
        details: list[str] = []
        begin, problem = time.monotonic(), ""
        error: Exception | None = None
        try:
            async with asyncio.timeout(timeout_s):
                yield details
        except TimeoutError:
            problem = f"no answer within {timeout_s:g} s" if timeout_s is not None else "no answer in time"
        except ssl.SSLError as exc:
            problem, error = getattr(exc, "verify_message", "") or exc.reason or "the handshake failed", exc
        except OSError as exc:
            problem = exc.strerror or str(exc)
        except UnicodeError as exc:  # a name of labels that DNS does not have (RFC 1035 section 2.3.4)
            problem = str(exc.__cause__ or exc)
        except UsageError:
            raise  # of what we were given, not of the node
        except PexrtcError as exc:
            problem, error = str(exc), exc
        took = 1000 * (time.monotonic() - begin)
        detail = ", ".join([*details, *([problem] if problem else [])])
        if problem:
            self.fail(name, took, detail, error)
            raise _StepFailed
        self.note(name, took, detail)

    def note(self, name: str, milliseconds: float | None, detail: str) -> None:
        """Add a step that went well."""
        self.steps.append(Step(name=name, passed=True, milliseconds=milliseconds, detail=detail))

    def fail(self, name: str, milliseconds: float | None, detail: str, error: Exception | None = None) -> None:
        """Add a step that failed, with what to do about it."""
        removed = Cause.REMOVED if isinstance(error, SessionClosed) else Cause.UNREACHABLE
        self.cause = Cause.REFUSED if isinstance(error, RefusedError) else removed
        cure = cure_of(name, error, relayed=self._relayed)
        self.steps.append(Step(name=name, passed=False, milliseconds=milliseconds, detail=detail, cure=cure))

    def all(self) -> tuple[Step, ...]:
        """Return all steps, those not reached included."""
        reached = {step.name for step in self.steps}
        return (*self.steps, *(Step(name=name, passed=None) for name in self._names if name not in reached))


async def examine(
    end: EndConfig, config: DoctorConfig | None = None, *, evidence: Evidence | None = None
) -> ProbeResult:
    """Walk all steps of getting into a conference and tell how each went. Cancelling is safe.

    Args:
        end: who.
        config: how long each step may take.
        evidence: collects what a support bundle needs.

    Returns:
        The result; its `error` stays empty, a failed step says all.

    Raises:
        UsageError: the node's URL is none, or something else that was given cannot be used, such as a file.
    """
    config = config or DoctorConfig()
    began, started = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    walk = _Walk(STEPS if config.joins else NODE_STEPS, relayed=end.peer.relay_only)
    book = SeriesBook(end.session.display_name)
    try:
        await _reach(walk, book, end, config)
        if config.joins:
            await _join(walk, book, end, config, began, evidence)
        else:
            await _ask(walk, end, config)
    except _StepFailed:
        pass
    series = book.series()
    return ProbeResult(
        kind="join",
        target=end.session.alias,
        node=shown_node(end.session.node_url),
        started=started,
        duration_s=round(time.monotonic() - began, 3),
        version=__version__,
        series=series,
        steps=walk.all(),
        verdict=judge(config.thresholds, series),
        cause=walk.cause,
    )


async def _reach(walk: _Walk, book: SeriesBook, end: EndConfig, config: DoctorConfig) -> None:
    host, port, secure = _address(end.session.node_url)
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
        writer.transport.abort()  # it is there: how it says goodbye is no part of this, and may take for ever
    book.add("setup.tcp_ms", 0.0, since_begin())
    if not secure:
        walk.note("TLS", None, "not asked for: plain HTTP")
        return
    async with walk.step("TLS", config.connect_s) as details:
        certificate = await _handshake(host, port, end.session.http, details)
        if (days := days_left(certificate, time.time())) is not None:
            book.add("setup.tls_expiry_days", 0.0, days)
            details.append(f"certificate ends in {days:.0f} days")
    book.add("setup.tls_ms", 0.0, since_begin())


def _address(node_url: str) -> tuple[str, int, bool]:
    """Return host, port and whether it is HTTPS."""
    try:
        parts = urlsplit(node_url)
        host, port = parts.hostname, parts.port
    except ValueError:
        parts, host, port = None, None, None
    if parts is None or parts.scheme not in ("http", "https") or not host:
        raise UsageError(f"node {shown_node(node_url)!r}: say https://node.example.com")
    secure = parts.scheme == "https"
    return host, port or (443 if secure else 80), secure


async def _handshake(host: str, port: int, http: HttpConfig, details: list[str]) -> bytes:
    """Return the node's certificate, DER; one that is not trusted is told of, and then is the failure it was."""
    try:
        _, writer = await asyncio.open_connection(host, port, ssl=make_ssl_context(http))
    except ssl.SSLCertVerificationError:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True) or b""
        writer.transport.abort()
        details.append(described_certificate(certificate))
        raise
    tls = writer.get_extra_info("ssl_object")
    details.append(str(tls.version()))
    certificate = tls.getpeercert(binary_form=True) or b""
    writer.transport.abort()
    return bytes(certificate)


async def _ask(walk: _Walk, end: EndConfig, config: DoctorConfig) -> None:
    """Ask the node itself whether it takes calls (guide: status)."""
    async with walk.step("node", config.connect_s) as details, make_http_client(end.session.http) as client:
        if not await is_well(end.session.node_url, client):
            raise NodeError("status", 503, "it takes no calls now, or is no conferencing node")
        details.append("takes calls")


async def _join(
    walk: _Walk, book: SeriesBook, end: EndConfig, config: DoctorConfig, began: float, evidence: Evidence | None
) -> None:
    async with AsyncExitStack() as stack:
        begin = time.monotonic()
        try:
            joined = await stack.enter_async_context(open_end(end))
        except UsageError:
            raise
        except PexrtcError as exc:
            walk.fail(_failed_step(exc), 1000 * (time.monotonic() - begin), str(exc), exc)
            raise _StepFailed from exc
        phases = joined.call.phases
        token = phases.token or begin
        walk.note("join", 1000 * (token - phases.started), f"as {joined.conference.role}")
        walk.note("call", 1000 * (time.monotonic() - token), _lines(joined))
        if evidence is not None:
            await stack.enter_async_context(evidence.follow(joined, began))
        listening = await stack.enter_async_context(Listening(joined, book, began))
        try:
            await _connect(walk, joined)
            await stack.enter_async_context(joined.make_player())
            await _wait_for_media(walk, joined, listening, config)
        finally:
            listening.read_network()
            await listening.finish(time.monotonic())


def _failed_step(error: PexrtcError) -> str:
    """Return which step an error of joining belongs to."""
    match error:
        case IceFailed():
            return "ICE"  # no candidate could be gathered
        case SignallingError(operation="calls" | "participant_calls" | "ack" | "call_ack"):
            return "call"
        case SignallingError() | TransportError():
            return "join"
        case _:
            return "call"


def _lines(end: End) -> str:
    lines = (("audio", end.call.audio), ("video", end.call.video))
    return ", ".join(f"{kind} {line.codec if line and line.codec else 'refused'}" for kind, line in lines)


async def _connect(walk: _Walk, end: End) -> None:
    begin = time.monotonic()
    try:
        await _unless_ended(end, end.call.connected())
    except SessionClosed as exc:
        walk.fail("ICE", 1000 * (time.monotonic() - begin), str(exc), exc)
        raise _StepFailed from exc
    except (IceFailed, DtlsFailed) as exc:
        timings = end.call.peer.timings
        if isinstance(exc, DtlsFailed) or "ice_connected" in timings:
            walk.note("ICE", 1000 * (timings.get("ice_connected", begin) - begin), "")
            walk.fail("DTLS", None, str(exc), exc)
        else:
            walk.fail("ICE", 1000 * (time.monotonic() - begin), str(exc), exc)
        raise _StepFailed from exc
    timings = end.call.peer.timings
    started = timings.get("started", begin)
    ice, dtls = timings["ice_connected"], timings["dtls_connected"]
    walk.note("ICE", 1000 * (ice - started), _pair(end))
    walk.note("DTLS", 1000 * (dtls - ice), "")


def _pair(end: End) -> str:
    """Describe the selected pair by its types."""
    statistics = end.call.peer.statistics(time.monotonic())
    kinds = {item.id: getattr(item, "candidate_type", "") for item in statistics}
    for item in statistics:
        if isinstance(item, CandidatePairStatistics):
            return f"{kinds.get(item.local_candidate_id)} to {kinds.get(item.remote_candidate_id)}"
    return ""


async def _unless_ended(end: End, wait: Coroutine[object, object, None]) -> None:
    """Wait for something while we are in the conference.

    Raises:
        SessionClosedError: the node has ended our part in it, and it is in vain.
        PexrtcError: as what is waited for.
    """
    what, _ = await first_of(wait=wait, closed=end.conference.ended())
    if what == "closed":
        raise SessionClosedError((await end.conference.ended()).reason, by_us=False)


async def _wait_for_media(walk: _Walk, joined: End, listening: Listening, config: DoctorConfig) -> None:
    async with walk.step("media") as details:
        try:
            async with asyncio.timeout(config.media_s):
                await _unless_ended(joined, listening.wait_for_picture_and_sound())
        except TimeoutError:
            if config.wants_media:
                raise NoMedia(f"after {config.media_s:g} s: no {listening.missing}") from None
            details.append(f"no {listening.missing}, as may be when nobody sends")
        else:
            details.append("sound and picture decoded")
