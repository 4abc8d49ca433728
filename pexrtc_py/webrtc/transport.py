"""One encrypted path for all media of a call: ICE, DTLS and SRTP (RFC 8445, RFC 5764, RFC 3711).

aioice finds the path and aiortc shakes hands; after that neither sees a media packet. What arrives is decrypted in the
datagram callback itself and handed on as plain RTP or RTCP: no queue, no task, no coroutine per packet. Sending is as
direct. Packets that come between the peer's last handshake message and our keys are kept, so that the first frame of a
video is not lost to the order of two callbacks.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import string
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from ..errors import DtlsFailed, IceFailed, LocalProtocolError, MediaError
from ..protocol.negotiation import TransportParameters
from ..protocol.sdp import Candidate, Fingerprint, Setup
from .gathering import GatheringConfig, gather
from .impaired import ImpairedProtocol
from .impairment import Impairment
from .internals import (
    Certificate,
    DtlsTransport,
    IceCandidate,
    IceConnection,
    SrtpError,
    SrtpSession,
)
from .transport_statistics import (
    TRANSPORT_ID,
    CandidatePairStatistics,
    PathStatistics,
    TransportStatistics,
    candidate_statistics,
)

__all__ = ["MediaTransport", "TransportConfig", "TransportHandlers", "TransportState"]

logger = logging.getLogger(__name__)

_ICE_CHARS = string.ascii_letters + string.digits
# The peer's first flight of media while our last handshake message is being read: a key frame and some sound.
_MAX_EARLY = 128


class TransportState(StrEnum):
    """Where a transport stands."""

    NEW = "new"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    """Nothing was heard for a while; it may come back."""
    FAILED = "failed"
    CLOSED = "closed"


_FINAL = (TransportState.FAILED, TransportState.CLOSED)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportConfig(GatheringConfig):
    """How a transport is made."""

    silence_s: float = 4.0
    """Seconds without media, RTCP or an answer to a connectivity check until the state is `disconnected`."""
    trickle_timeout_s: float = 10.0
    """Seconds to wait for candidates of a peer that trickles and never says that it has no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportHandlers:
    """Whom a transport calls; in the event loop, and never after `aclose` has returned."""

    on_rtp: Callable[[bytes, float], None]
    """A decrypted RTP packet and its arrival on `time.monotonic`."""
    on_rtcp: Callable[[bytes, float], None]
    """A decrypted compound RTCP packet and its arrival."""
    on_state: Callable[[TransportState], None]
    """The state has changed."""


class MediaTransport:
    """ICE, DTLS and SRTP of one peer.

    Driven by: `gather`, `start`, `add_candidate`, `aclose`; datagrams; timers of ICE, DTLS and consent.

    Attributes:
        timings: `time.monotonic` of `gathered`, `started`, `ice_connected`, `dtls_connected`.
        error: why it failed.
    """

    def __init__(
        self, config: TransportConfig, handlers: TransportHandlers, timings: dict[str, float] | None = None
    ) -> None:
        self._config = config
        self._handlers = handlers
        self._state = TransportState.NEW
        self._settled = asyncio.Event()
        self._on_rtp = handlers.on_rtp
        self._on_rtcp = handlers.on_rtcp
        self._task: asyncio.Task[None] | None = None
        self._early: deque[bytes] | None = deque(maxlen=_MAX_EARLY)
        self._receiving: SrtpSession | None = None
        self._sending: SrtpSession | None = None
        self._remote_ended = False
        self._certificate = Certificate.generateCertificate()
        self._ice = IceConnection(
            on_media=self._receive,
            on_silence=self._follow_silence,
            gather=lambda connection: gather(connection, config),
            relay_only=config.relay_only,
            ufrag=_random(8),
            password=_random(24),
        )
        self._dtls = DtlsTransport(self._ice, self._certificate, self._follow_dtls)
        self.timings = timings if timings is not None else {}
        self.error: MediaError | None = None
        self.packets_received = 0
        self.bytes_received = 0
        self.packets_sent = 0
        self.bytes_sent = 0
        self.packets_discarded = 0

    @property
    def state(self) -> TransportState:
        """Where the transport stands."""
        return self._state

    async def gather(self) -> None:
        """Find local candidates, once. Cancelling leaves a transport that can only be closed.

        Raises:
            IceFailed: no local address can be used, or relay only and no relay answered.
        """
        await self._ice.gather_candidates()
        self.timings.setdefault("gathered", time.monotonic())

    def local_parameters(self, setup: Setup) -> TransportParameters:
        """Our side of the transport, for a description."""
        algorithm, value = self._certificate.fingerprint
        return TransportParameters(
            ufrag=self._ice.local_username,
            password=self._ice.local_password,
            fingerprints=(Fingerprint(algorithm=algorithm, value=value),),
            setup=setup,
            candidates=tuple(_from_ice(candidate) for candidate in self._ice.local_candidates),
            end_of_candidates=True,
        )

    def start(self, remote: TransportParameters, *, controlling: bool, client: bool) -> None:
        """Begin to connect, in a task that `aclose` ends.

        Args:
            remote: the peer's side.
            controlling: whether we choose the path; the offerer does, and whoever faces an ICE-lite peer.
            client: whether we open the DTLS handshake.
        """
        if self._state is not TransportState.NEW:
            raise LocalProtocolError(f"a transport that is {self._state} cannot be started")
        self._ice.ice_controlling = controlling or remote.ice_lite
        self._ice.remote_is_lite = remote.ice_lite
        self._ice.remote_username = remote.ufrag
        self._ice.remote_password = remote.password
        self.timings["started"] = time.monotonic()
        self._set_state(TransportState.CONNECTING)
        # Not a TaskGroup: a peer may be made in one task (an HTTP request) and closed in another. The task has an
        # owner all the same: it reports its end as the state, and aclose() waits for it.
        loop = asyncio.get_running_loop()
        self._task = loop.create_task(self._connect(remote, client=client), name="pexrtc transport")

    async def add_candidate(self, candidate: Candidate | None) -> None:
        """Take a trickled candidate; None: there are no more. What cannot be used, and what comes late, is ignored."""
        if self._remote_ended:
            return
        if candidate is None:
            # Without any candidate aioice would give up at once, though the peer's own checks may still tell us one.
            if self._ice.remote_candidates:
                self._remote_ended = True
                await self._ice.add_remote_candidate(None)
        elif candidate.component == 1 and candidate.transport.lower() == "udp":
            await self._ice.add_remote_candidate(_to_ice(candidate))

    async def connected(self) -> None:
        """Wait until media can flow; the deadline is the caller's. Cancelling is safe.

        Raises:
            IceFailed: no path was found, or the transport was closed meanwhile.
            DtlsFailed: the handshake failed.
        """
        await self._settled.wait()
        if self.error is not None:
            raise self.error

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt a packet and send it now; before the handshake and after the end it is dropped."""
        session = self._sending
        if session is not None:
            self._send(session.protect, packet)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt a compound RTCP packet and send it now; dropped likewise."""
        session = self._sending
        if session is not None:
            self._send(session.protect_rtcp, packet)

    def impair(self, impairment: Impairment) -> None:
        """Make the network another one, of a transport that was configured with an impairment."""
        for protocol in self._ice.protocols:
            if isinstance(protocol, ImpairedProtocol):
                protocol.change(impairment)

    def statistics(self, now: float) -> list[PathStatistics]:
        """Describe the path: the transport, the selected pair and the candidates of both sides."""
        ice = self._ice
        local = [_from_ice(candidate) for candidate in ice.local_candidates]
        remote = [_from_ice(candidate) for candidate in ice.remote_candidates]
        pair = ice.selected
        found: list[PathStatistics] = [
            TransportStatistics(
                id=TRANSPORT_ID,
                timestamp=now * 1000,
                packets_sent=self.packets_sent,
                packets_received=self.packets_received,
                bytes_sent=self.bytes_sent,
                bytes_received=self.bytes_received,
                ice_role=ice.role,
                ice_local_username_fragment=ice.local_username,
                dtls_state=self._dtls.state,
                dtls_role=self._dtls.role,
                selected_candidate_pair_id=None if pair is None else "candidate-pair",
                packets_discarded=self.packets_discarded,
                **self._dtls.ciphers,
            )
        ]
        found += [candidate_statistics(item, number, now, local=True) for number, item in enumerate(local)]
        found += [candidate_statistics(item, number, now, local=False) for number, item in enumerate(remote)]
        if pair is not None and _from_ice(pair.local_candidate) in local and _from_ice(pair.remote_candidate) in remote:
            found.append(
                CandidatePairStatistics(
                    id="candidate-pair",
                    timestamp=now * 1000,
                    transport_id=TRANSPORT_ID,
                    local_candidate_id=f"local-candidate-{local.index(_from_ice(pair.local_candidate))}",
                    remote_candidate_id=f"remote-candidate-{remote.index(_from_ice(pair.remote_candidate))}",
                    state="succeeded",
                    nominated=True,
                    packets_sent=self.packets_sent,
                    packets_received=self.packets_received,
                    bytes_sent=self.bytes_sent,
                    bytes_received=self.bytes_received,
                    last_packet_received_timestamp=ice.last_heard * 1000 if ice.last_heard else None,
                    current_round_trip_time=ice.round_trip_s,
                    total_round_trip_time=ice.total_round_trip_s,
                    responses_received=ice.consent_responses,
                    consent_requests_sent=ice.consent_requests,
                )
            )
        return found

    async def aclose(self) -> None:
        """Say goodbye to the peer (close_notify) and release sockets and tasks. Idempotent; not to be cancelled."""
        if self._state is TransportState.CLOSED:
            return
        self._sending = self._receiving = self._early = None
        if self.error is None and not self._settled.is_set():
            self.error = IceFailed("the transport was closed before it was connected")
        self._set_state(TransportState.CLOSED)
        task = self._task
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        await self._dtls.aclose()
        await self._ice.close()

    async def _connect(self, remote: TransportParameters, *, client: bool) -> None:
        named = [candidate for candidate in remote.candidates if candidate.host.endswith(".local")]
        for candidate in remote.candidates:
            if candidate not in named:
                await self.add_candidate(candidate)
        if not named and (remote.end_of_candidates or not remote.trickle):
            await self.add_candidate(None)
        async with asyncio.TaskGroup() as group:
            adding = group.create_task(self._add_late(named, trickle=remote.trickle and not remote.end_of_candidates))
            found = await self._find_path()
            adding.cancel()
        if not found:
            self._fail(IceFailed("no path to the peer was found"))
            return
        self.timings["ice_connected"] = time.monotonic()
        fingerprints = [(item.algorithm, item.value) for item in remote.fingerprints]
        if not await self._dtls.shake_hands(fingerprints, client=client):
            reason = "the certificate is not the announced one" if self._dtls.mismatch else "no agreement"
            self._fail(DtlsFailed(f"the DTLS handshake failed: {reason}"))
            return
        self.timings["dtls_connected"] = time.monotonic()
        self._sending, self._receiving = self._dtls.sending, self._dtls.receiving
        early, self._early = self._early, None
        self._set_state(TransportState.CONNECTED)
        for packet in early or ():
            self._receive(packet)

    async def _find_path(self) -> bool:
        try:
            await self._ice.connect()
        except ConnectionError:
            return False
        return True

    async def _add_late(self, named: list[Candidate], *, trickle: bool) -> None:
        """Resolve names of candidates, which may take a second each, and end the waiting for more in good time."""
        async with asyncio.TaskGroup() as group:
            for candidate in named:
                group.create_task(self.add_candidate(candidate))
        if trickle or not self._ice.remote_candidates:
            await asyncio.sleep(self._config.trickle_timeout_s)
        await self.add_candidate(None)

    def _receive(self, packet: bytes) -> None:
        session = self._receiving
        if session is None:
            if self._early is not None:
                self._early.append(packet)
            return
        arrival = time.monotonic()
        try:
            # RFC 5761 section 4: these payload types are RTCP's on a port that carries both.
            is_rtcp = 192 <= packet[1] <= 223
            plain = session.unprotect_rtcp(packet) if is_rtcp else session.unprotect(packet)
        except (SrtpError, ValueError, IndexError):
            self.packets_discarded += 1
            return
        self.packets_received += 1
        self.bytes_received += len(packet)
        self._ice.last_heard = arrival
        if is_rtcp:
            self._on_rtcp(plain, arrival)
        else:
            self._on_rtp(plain, arrival)

    def _send(self, protect: Callable[[bytes], bytes], packet: bytes) -> None:
        try:
            data = protect(packet)
        except (SrtpError, ValueError):  # longer than libsrtp's buffer, or no RTP at all
            self.packets_discarded += 1
            return
        self.packets_sent += 1
        self.bytes_sent += len(data)
        self._ice.send_media(data)

    def _follow_silence(self, silence_s: float) -> None:
        heard = silence_s < self._config.silence_s
        if heard and self._state is TransportState.DISCONNECTED:
            self._set_state(TransportState.CONNECTED)
        elif not heard and self._state is TransportState.CONNECTED:
            self._set_state(TransportState.DISCONNECTED)

    def _follow_dtls(self, state: str) -> None:
        if state == "closed" and self._state in (TransportState.CONNECTED, TransportState.DISCONNECTED):
            silent = self._state is TransportState.DISCONNECTED
            self._fail(IceFailed("the peer fell silent" if silent else "the peer ended the transport"))

    def _fail(self, error: MediaError) -> None:
        if self._state not in _FINAL:
            self.error = error
            self._sending = None
            self._set_state(TransportState.FAILED)

    def _set_state(self, state: TransportState) -> None:
        logger.debug("= %s -> %s", self._state, state)
        self._state = state
        if state is TransportState.CONNECTED or state in _FINAL:
            self._settled.set()
        self._handlers.on_state(state)


def _random(length: int) -> str:
    return "".join(secrets.choice(_ICE_CHARS) for _ in range(length))


def _from_ice(candidate: IceCandidate) -> Candidate:
    return Candidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.transport,
        priority=candidate.priority,
        host=candidate.host,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )


def _to_ice(candidate: Candidate) -> IceCandidate:
    return IceCandidate(
        foundation=candidate.foundation,
        component=candidate.component,
        transport=candidate.transport,
        priority=candidate.priority,
        host=candidate.host,
        port=candidate.port,
        type=candidate.type,
        related_address=candidate.related_address,
        related_port=candidate.related_port,
    )
