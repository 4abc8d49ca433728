"""The one place with private names of aiortc, aioice and pylibsrtp.

Nothing is ever set on their modules or classes: what differs is in subclasses, and only our own instances are touched.
Everything used here exists under the same name in aiortc 1.16 and aioice 0.12 and 0.13;
`tests/webrtc/test_internals.py` touches each, so that a new release fails there first. What is different from stock:

- `IceConnection` gathers by its own rules (`gathering.py`), hands SRTP to a callback before STUN is looked at, checks
  consent as often as silence demands, and says when it hears nothing.
- `DtlsTransport` reports its states by a callback and shows its SRTP sessions.
- `Certificate` lets a DTLS server have an RSA key (GStreamer, older gateways): stock aiortc offers ECDSA suites only.
"""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from aioice import Candidate as IceCandidate
from aioice import Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol, get_host_addresses
from aioice.stun import Message, TransactionError
from aioice.turn import TurnClientProtocol, TurnTransport
from aiortc.rtcdtlstransport import (
    RTCCertificate,
    RTCDtlsFingerprint,
    RTCDtlsParameters,
    RTCDtlsTransport,
    SRTPProtectionProfile,
    State,
)
from OpenSSL import SSL
from pylibsrtp import Error as SrtpError
from pylibsrtp import Session as SrtpSession
from pylibsrtp._binding import lib as libsrtp

from .burst import Sent
from .udp import UdpTransport

if TYPE_CHECKING:
    from aiortc import RTCIceTransport

__all__ = [
    "Certificate",
    "DtlsTransport",
    "IceCandidate",
    "IceConnection",
    "MediaProtocol",
    "SrtpError",
    "SrtpSession",
    "host_addresses",
]

logger = logging.getLogger(__name__)

# RFC 7675 section 5.1: consent is checked each 5 s, give or take a fifth, and expires after 30 s.
_CONSENT_INTERVAL_S = 5.0
_CONSENT_EXPIRY_S = 30.0
# Silence is asked about, once a second, when it is longer than this; nothing is asked while media arrives.
_PROBE_AFTER_S = 2.0
_PROBE_INTERVAL_S = 1.0
# Datagrams that are neither media nor STUN wait here for the handshake; more of them are no handshake.
_MAX_WAITING = 64
# TURN over TCP queues in the process; media older than what these bytes take is too late.
_MAX_RELAY_BUFFER = 256 * 1024

# Deleting an allocation is a courtesy: the server ends it by itself (RFC 8656 section 3.2).
_RELAY_GOODBYE_S = 1.0
_UNCHECKED = (CandidatePair.State.WAITING, CandidatePair.State.FROZEN)

_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305:"
    b"ECDHE-ECDSA-AES128-SHA:ECDHE-RSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA:ECDHE-RSA-AES256-SHA"
)


class Certificate(RTCCertificate):
    """A certificate of one's own (ECDSA P-256) that shakes hands with ECDSA and RSA peers."""

    def _create_ssl_context(self, srtp_profiles: list[SRTPProtectionProfile]) -> SSL.Context:
        context = super()._create_ssl_context(srtp_profiles)
        context.set_cipher_list(_CIPHERS)
        return context

    @property
    def fingerprint(self) -> tuple[str, str]:
        """Algorithm and value for `a=fingerprint`; SHA-256 is what everybody knows (RFC 8122 section 5)."""
        return next((f.algorithm, f.value) for f in self.getFingerprints() if f.algorithm == "sha-256")


class MediaProtocol(StunProtocol):
    """Datagrams of one local address: SRTP and SRTCP go to `on_media` at once, all else the way of aioice."""

    def __init__(self, connection: IceConnection) -> None:
        super().__init__(connection)
        self._on_media = connection.on_media

    def media_received(self, packet: bytes, arrival: float) -> None:
        """Take SRTP or SRTCP that was read late, with the moment it arrived."""
        self._on_media(packet, arrival)

    def datagram_received(self, data: bytes | str, addr: tuple[str, int]) -> None:
        """Take a datagram. The first byte tells what it is (RFC 7983 section 7)."""
        packet = cast(bytes, data)
        if packet and 127 < packet[0] < 192:
            self._on_media(packet, time.monotonic())
            return
        try:
            super().datagram_received(packet, addr)
        except (struct.error, LookupError, ValueError) as exc:
            # aioice lets some malformed attributes of STUN through as errors of its own; anyone can send those.
            logger.debug("x malformed STUN message from %s: %s", addr, exc)


class IceConnection(Connection):
    """ICE with its candidates gathered elsewhere, media taken out early, and an ear for silence.

    Attributes:
        on_media: takes each SRTP or SRTCP datagram and its arrival on `time.monotonic`.
        on_silence: told, after each look, for how many seconds nothing was heard.
        last_heard: `time.monotonic` when the peer last showed life; the owner sets it when media is authentic.
        selected: the pair of candidates that carries the media, None before there is one.
        round_trip_s: of the last answered consent check, None before one.
        total_round_trip_s: sum over all of them.
        consent_requests: consent checks sent.
        consent_responses: those answered.
    """

    def __init__(
        self,
        *,
        on_media: Callable[[bytes, float], None],
        on_silence: Callable[[float], None],
        gather: Callable[[IceConnection], Awaitable[list[IceCandidate]]],
        relay_only: bool,
        ufrag: str,
        password: str,
    ) -> None:
        super().__init__(
            # An answerer's checks may overtake its answer: whoever has not answered yet has offered, and controls.
            # Taken for a conflict of roles they would turn both sides over, and nobody would choose a path.
            ice_controlling=True,
            local_username=ufrag,
            local_password=password,
            transport_policy=TransportPolicy.RELAY if relay_only else TransportPolicy.ALL,
        )
        self.on_media = on_media
        self.on_silence = on_silence
        self.last_heard = 0.0
        self.selected: CandidatePair | None = None
        self.round_trip_s: float | None = None
        self.total_round_trip_s = 0.0
        self.consent_requests = 0
        self.consent_responses = 0
        self._route: tuple[Callable[[bytes, tuple[str, int]], None], tuple[str, int]] | None = None
        self._socket: UdpTransport | None = None
        self._gather = gather

    @property
    def role(self) -> str:
        """`controlling` or `controlled`."""
        return "controlling" if self.ice_controlling else "controlled"

    @property
    def protocols(self) -> tuple[StunProtocol, ...]:
        """The local addresses in use."""
        return tuple(self._protocols)

    @property
    def overflowed(self) -> int:
        """Datagrams that came and found no room in our sockets."""
        transports: list[object] = [protocol.transport for protocol in self._protocols]
        return sum(transport.overflowed for transport in transports if isinstance(transport, UdpTransport))

    def add_protocol(self, protocol: MediaProtocol) -> None:
        """Use a local address; its `local_candidate` is set."""
        self._protocols.append(protocol)

    async def gather_candidates(self) -> None:
        """Gather once, by our own rules."""
        if not self._local_candidates_start:
            self._local_candidates_start = True
            self._local_candidates += await self._gather(self)
            self._local_candidates_end = True

    def send_media(self, data: bytes) -> None:
        """Send to the peer now; dropped while no path is known."""
        if self._route is not None:
            send, addr = self._route
            send(data, addr)

    def send_burst(self, packets: Sequence[bytes], session: SrtpSession) -> Sent | None:
        """Encrypt packets and send them to the peer at once; None when that is not possible on this path."""
        if self._socket is None or self._route is None:
            return None
        return self._socket.send_burst(packets, partial(libsrtp.srtp_protect, session._srtp[0]), self._route[1])

    def relax(self) -> None:
        """Let all that arrives be read some milliseconds late."""
        for protocol in self._protocols:
            if isinstance(protocol.transport, UdpTransport) and isinstance(protocol, MediaProtocol):
                protocol.transport.relax(protocol.media_received)

    def check_complete(self, pair: CandidatePair) -> None:
        """Follow aioice, and remember which pair carries the media."""
        super().check_complete(pair)
        selected = self._nominated.get(1)
        if selected is not None and selected is not self.selected:
            self.selected = selected
            transport = selected.protocol.transport
            send = partial(_send_relayed, transport) if isinstance(transport, TurnTransport) else transport.sendto
            self._route = send, selected.remote_addr
            self._socket = transport if isinstance(transport, UdpTransport) and transport.can_burst else None

    def _check_periodic(self) -> bool:
        """Follow aioice, but end its loop, which sleeps 20 ms a turn, when there is nothing more to be started.

        Pairs that are formed later, by trickled candidates, are started by `_pair_remote_candidate`.
        """
        return bool(super()._check_periodic()) and (not self._check_list or bool(self._unchecked()))

    def _pair_remote_candidate(self, remote_candidate: IceCandidate) -> None:
        super()._pair_remote_candidate(remote_candidate)
        if self._early_checks_done and not self._check_list_done:
            for pair in self._unchecked():
                self.check_start_task(pair)

    def _unchecked(self) -> list[CandidatePair]:
        return [pair for pair in self._check_list if pair.task is None and pair.state in _UNCHECKED]

    def check_incoming(self, message: Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Follow aioice; only checks with the right password come here, so each is a sign of life."""
        self.last_heard = time.monotonic()
        super().check_incoming(message, addr, protocol)

    async def close(self) -> None:
        """Follow aioice, but give TURN servers only a moment to answer; a dead one would hold us for a minute."""
        transports: list[object] = [protocol.transport for protocol in self._protocols]
        relays = [transport for transport in transports if isinstance(transport, TurnTransport)]
        timer = asyncio.get_running_loop().call_later(_RELAY_GOODBYE_S, _abandon, relays)
        try:
            await super().close()
        finally:
            timer.cancel()

    def data_received(self, data: bytes, component: int) -> None:
        """Queue what is no media and no STUN: DTLS. Strangers can fill no memory with it."""
        if self._queue.qsize() < _MAX_WAITING:
            super().data_received(data, component)

    async def query_consent(self) -> None:
        """Check consent (RFC 7675) each 5 s, and each second while nothing is heard; end the connection after 30 s."""
        now = self.last_heard = time.monotonic()
        regular = now + _CONSENT_INTERVAL_S
        probe = 0.0
        while True:
            await asyncio.sleep(max(0.05, min(regular, max(self.last_heard + _PROBE_AFTER_S, probe)) - now))
            now = time.monotonic()
            if now >= regular or now >= max(self.last_heard + _PROBE_AFTER_S, probe):
                await self._check_consent()
                regular = now + _CONSENT_INTERVAL_S * random.uniform(0.8, 1.2)
                probe = now + _PROBE_INTERVAL_S
                now = time.monotonic()
            silence = now - self.last_heard
            self.on_silence(silence)
            if silence >= _CONSENT_EXPIRY_S:
                logger.info("x consent to send expired after %.0f s of silence", silence)
                self._query_consent_task = None
                await self.close()
                return

    async def _check_consent(self) -> None:
        pair = self.selected
        if pair is None:
            return
        sent = time.monotonic()
        self.consent_requests += 1
        try:
            await pair.protocol.request(
                self.build_request(pair, nominate=False),
                pair.remote_addr,
                integrity_key=(self.remote_password or "").encode(),
                retransmissions=0,
            )
        except TransactionError:
            return
        self.last_heard = time.monotonic()
        self.round_trip_s = self.last_heard - sent
        self.total_round_trip_s += self.round_trip_s
        self.consent_responses += 1


class _IcePath:
    """What a DTLS transport asks of the ICE transport below it, over whichever connection is the current one."""

    def __init__(self, connection: IceConnection) -> None:
        self.connection = connection

    @property
    def role(self) -> str:
        return self.connection.role

    async def _recv(self) -> bytes:
        while True:
            connection = self.connection
            try:
                return await connection.recv()
            except ConnectionError:
                if connection is self.connection:
                    raise

    async def _send(self, data: bytes) -> None:
        await self.connection.send(data)


class DtlsTransport(RTCDtlsTransport):
    """The DTLS handshake and its SRTP keys; media never passes through it.

    Attributes:
        receiving: SRTP session for what arrives, None before the handshake.
        sending: SRTP session for what is sent, likewise.
    """

    def __init__(
        self, connection: IceConnection, certificate: Certificate, on_state: Callable[[DtlsTransport, str], None]
    ) -> None:
        self._path = _IcePath(connection)
        # The path is all of an RTCIceTransport that RTCDtlsTransport uses.
        super().__init__(cast("RTCIceTransport", self._path), [certificate])
        self._on_state = on_state
        self._mismatch = False

    @property
    def receiving(self) -> SrtpSession | None:
        return self._rx_srtp

    @property
    def sending(self) -> SrtpSession | None:
        return self._tx_srtp

    @property
    def is_over(self) -> bool:
        """Whether the association has ended or failed, and another one is needed."""
        return self._state in (State.CLOSED, State.FAILED)

    @property
    def role(self) -> str:
        """`client`, `server`, or `auto` before the handshake."""
        return self._role

    @property
    def ciphers(self) -> dict[str, str]:
        """Names of what was agreed: `tls_version`, `dtls_cipher`, `srtp_cipher`; empty before the handshake."""
        if self._ssl is None or not self.encrypted:
            return {}
        return {
            "tls_version": self._ssl.get_protocol_version_name(),
            "dtls_cipher": self._ssl.get_cipher_name() or "",
            "srtp_cipher": self._ssl.get_selected_srtp_profile().decode(),
        }

    async def shake_hands(self, fingerprints: list[tuple[str, str]], *, client: bool) -> str | None:
        """Run the handshake with a peer that must show a certificate of these fingerprints; return why it failed."""
        self._set_role("client" if client else "server")
        prints = [RTCDtlsFingerprint(algorithm=algorithm, value=value) for algorithm, value in fingerprints]
        try:
            await self.start(RTCDtlsParameters(fingerprints=prints))
        except (SSL.Error, ValueError, SrtpError) as exc:  # a certificate or keys that cannot be read
            self._set_state(State.FAILED)
            return f"{exc}"
        if self._mismatch:
            return "the certificate is not the announced one"
        return None if self._state is State.CONNECTED else "no agreement"

    def move(self, connection: IceConnection) -> None:
        """Go on over another connection, which has found its path, before the old one is closed (ICE restart)."""
        self._path.connection = connection

    async def aclose(self, *, notify: bool = True) -> None:
        """Wait until the task of this transport has ended; the peer is told by close_notify."""
        task = self._task
        if notify:
            await self.stop()
        elif task is not None:
            task.cancel()
        if task is not None:
            await asyncio.wait([task])
        self.remove_all_listeners()

    def _validate_peer_identity(self, remoteParameters: RTCDtlsParameters) -> None:  # noqa: N803 (aiortc's name)
        super()._validate_peer_identity(remoteParameters)
        self._mismatch = self._state is State.FAILED

    def _set_state(self, state: State) -> None:
        super()._set_state(state)
        self._on_state(self, self.state)


def host_addresses() -> list[str]:
    """Addresses of this host, loopback excepted."""
    return list(get_host_addresses(use_ipv4=True, use_ipv6=True))


def _abandon(relays: list[TurnTransport]) -> None:
    for relay in relays:
        task: asyncio.Task[None] | None = relay._TurnTransport__close_task  # type: ignore[attr-defined]  # mangled name
        if task is not None:
            task.cancel()


def _send_relayed(transport: TurnTransport, data: bytes, addr: tuple[str, int]) -> None:
    """Send through a TURN relay without a task per packet, once the channel to the peer is bound."""
    inner: TurnClientProtocol = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]  # mangled name
    channel = inner.peer_to_channel.get(addr)
    if channel is None or time.time() > inner.channel_refresh_at[channel]:
        transport.sendto(data, addr)
        return
    below = inner.transport
    if isinstance(below, asyncio.WriteTransport) and below.get_write_buffer_size() > _MAX_RELAY_BUFFER:
        return
    inner._send(struct.pack("!HH", channel, len(data)) + data)
