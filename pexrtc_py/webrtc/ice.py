"""The path to the peer, by aioice's machinery (RFC 8445): what differs from stock, and our ear for silence.

Here and in `ice_relay` stand the private names of aioice, and nowhere else; those of aiortc stand in `dtls`. Nothing is
ever set on its modules or classes: what differs is in subclasses, and only our own instances are touched. Everything
used here exists under the same name in aioice 0.12 and 0.13; `tests/webrtc/test_ice.py` touches each, so that a new
release fails there first. What is different from stock: a connection

- gathers by its own rules (`gathering`), and hands SRTP to a callback before STUN is looked at;
- takes DTLS from addresses that have shown that they know the password, and from no others;
- checks consent as often as silence demands, and says when it hears nothing;
- sends through a relay in its own way (`ice_relay`);
- can be lite: it sends no checks, and takes the path that the peer has checked and chosen.
"""

from __future__ import annotations

import asyncio
import logging
import random
import struct
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any, cast

from aioice import Candidate as IceCandidate
from aioice import Connection, TransportPolicy
from aioice.ice import CandidatePair, StunProtocol, get_host_addresses
from aioice.stun import Class, Message, TransactionError
from aioice.turn import TurnTransport

from .burst import Magazine, Sent
from .ice_relay import abandon_relays, send_relayed
from .udp import UdpTransport

__all__ = ["IceCandidate", "IceConnection", "MediaProtocol", "host_addresses"]

logger = logging.getLogger(__name__)

# RFC 7675 section 5.1: consent is checked each 5 s, give or take a fifth, and expires after 30 s.
_CONSENT_INTERVAL_S = 5.0
_CONSENT_EXPIRY_S = 30.0
# Silence is asked about, once a second, when it is longer than this; nothing is asked while media arrives.
_PROBE_AFTER_S = 2.0
_PROBE_INTERVAL_S = 1.0
# Datagrams that are neither media nor STUN wait here for the handshake; more of them are no handshake.
_MAX_WAITING = 64
# Addresses that one peer may check from: each of its interfaces, behind each of its NATs, by IPv4 and IPv6.
_MOST_ADDRESSES = 256
# Deleting an allocation is a courtesy: the server ends it by itself (RFC 8656 section 3.2).
_RELAY_GOODBYE_S = 1.0
_UNCHECKED = (CandidatePair.State.WAITING, CandidatePair.State.FROZEN)


class MediaProtocol(StunProtocol):
    """Datagrams of one local address: SRTP and SRTCP go to `on_media` at once, all else the way of aioice."""

    def __init__(self, connection: IceConnection) -> None:
        super().__init__(connection)
        self._connection = connection
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
        if packet and 19 < packet[0] < 64:
            # Anyone can send a handshake; one of a stranger, come before the peer's, would be the one we answer.
            if self._connection.is_verified(addr[:2]):
                self._connection.data_received(packet, self.local_candidate.component)
            return
        if not packet or packet[0] > 3:
            return
        try:
            super().datagram_received(packet, addr)
        except (struct.error, LookupError, ValueError) as exc:
            # aioice lets some malformed attributes of STUN through as errors of its own; anyone can send those.
            logger.debug("x malformed STUN message from %s: %s", addr, exc)

    def send_stun(self, message: Message, addr: tuple[str, int]) -> None:
        """Follow aioice. Whose check is answered by a success knows the password."""
        if message.message_class is Class.RESPONSE:
            self._connection.note_verified(addr)
        super().send_stun(message, addr)


class IceConnection(Connection):
    """ICE with its candidates gathered elsewhere, media taken out early, and an ear for silence.

    Attributes:
        lite: whether we only answer (RFC 8445 section 2.5): no checks of ours, the peer checks and chooses.
        on_media: takes each SRTP or SRTCP datagram and its arrival on `time.monotonic`.
        on_silence: told, after each look, for how many seconds nothing was heard.
        clock: by which consent is checked; as `time.monotonic`, whose seconds those of `last_heard` are.
        sleep: waits for so many seconds of it.
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
        lite: bool = False,
        ufrag: str,
        password: str,
    ) -> None:
        super().__init__(
            # An answerer's checks may overtake its answer: whoever has not answered yet has offered, and controls.
            # Taken for a conflict of roles they would turn both sides over, and nobody would choose a path.
            # Who is lite never controls a full peer (RFC 8445 section 6.1.1).
            ice_controlling=not lite,
            local_username=ufrag,
            local_password=password,
            transport_policy=TransportPolicy.RELAY if relay_only else TransportPolicy.ALL,
        )
        if lite:
            # Wins each conflict of roles for the controlled one: a peer that claims to be that learns that it is not.
            self._tie_breaker = 0
        self.lite = lite
        self.on_media = on_media
        self.on_silence = on_silence
        self.clock: Callable[[], float] = time.monotonic
        self.sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
        self.last_heard = 0.0
        self.selected: CandidatePair | None = None
        self.round_trip_s: float | None = None
        self.total_round_trip_s = 0.0
        self.consent_requests = 0
        self.consent_responses = 0
        self._route: tuple[Callable[[bytes, tuple[str, int]], None], tuple[str, int]] | None = None
        self._socket: UdpTransport | None = None
        self._gather = gather
        self._overflowed_before = 0
        self._verified: set[tuple[str, int]] = set()

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
        now = sum(transport.overflowed for transport in transports if isinstance(transport, UdpTransport))
        return self._overflowed_before + now

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

    def send_burst(self, packets: Sequence[bytes], protect: Callable[[Any, Any], int]) -> Sent | None:
        """Encrypt packets (see `burst`) and send them to the peer at once; None when this path cannot do that."""
        if self._socket is None or self._route is None:
            return None
        return self._socket.send_burst(packets, protect, self._route[1])

    @property
    def can_hold(self) -> bool:
        """Whether `send_held` may be used on this path."""
        return self._socket is not None

    def send_held(self, magazine: Magazine, first: int, count: int) -> None:
        """Send packets that were encrypted ahead, over whichever path there is now."""
        if self._route is None:
            magazine.drop(count)
            return
        send, addr = self._route
        if self._socket is not None:
            self._socket.send_held(magazine, first, count, addr)
            return
        packets = magazine.packets(first, count)
        magazine.drop(count)
        for packet in packets:
            send(packet, addr)

    def relax(self) -> None:
        """Let all that arrives be read some milliseconds late."""
        for protocol in self._protocols:
            if isinstance(protocol.transport, UdpTransport) and isinstance(protocol, MediaProtocol):
                protocol.transport.relax(protocol.media_received)

    def note_verified(self, addr: tuple[str, int]) -> None:
        """Note that a check or an answer with the right password came from an address."""
        if len(self._verified) < _MOST_ADDRESSES:
            self._verified.add(addr)

    def is_verified(self, addr: tuple[str, int]) -> bool:
        """Whether that has come from an address."""
        return addr in self._verified

    def check_complete(self, pair: CandidatePair) -> None:
        """Follow aioice, and remember which pair carries the media."""
        self.note_verified(pair.remote_addr)
        super().check_complete(pair)
        selected = self._nominated.get(1)
        if selected is not None and selected is not self.selected:
            self.selected = selected
            transport = selected.protocol.transport
            send = partial(send_relayed, transport) if isinstance(transport, TurnTransport) else transport.sendto
            self._route = send, selected.remote_addr
            self._socket = transport if isinstance(transport, UdpTransport) and transport.can_burst else None

    def _check_periodic(self) -> bool:
        """Follow aioice, but end its loop, which sleeps 20 ms a turn, when there is nothing more to be started.

        Pairs that are formed later, by trickled candidates, are started by `_pair_remote_candidate`.
        """
        return bool(super()._check_periodic()) and (not self._check_list or bool(self._unchecked()))

    def _pair_remote_candidate(self, remote_candidate: IceCandidate) -> None:
        if self.lite:
            return
        super()._pair_remote_candidate(remote_candidate)
        if self._early_checks_done and not self._check_list_done:
            for pair in self._unchecked():
                self.check_start_task(pair)

    def check_start_task(self, pair: CandidatePair) -> None:
        """Follow aioice; who is lite takes the peer's own check for enough (RFC 8445 section 7.3.2)."""
        if self.lite:
            self.check_state(pair, CandidatePair.State.SUCCEEDED)
        else:
            super().check_start_task(pair)

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
        overflowed = self.overflowed
        timer = asyncio.get_running_loop().call_later(_RELAY_GOODBYE_S, abandon_relays, relays)
        try:
            await super().close()
        finally:
            timer.cancel()
            if not self._protocols:
                self._overflowed_before = overflowed

    def data_received(self, data: bytes, component: int) -> None:
        """Queue DTLS, and nothing that only began like STUN. No memory is filled with it."""
        if 19 < data[0] < 64 and self._queue.qsize() < _MAX_WAITING:
            super().data_received(data, component)

    async def query_consent(self) -> None:
        """Check consent (RFC 7675) each 5 s, and each second while nothing is heard; end the connection after 30 s.

        Who is lite only listens: for media, and for the checks of the peer, which are as frequent.
        """
        now = self.last_heard = self.clock()
        regular = now + _CONSENT_INTERVAL_S
        probe = 0.0
        while True:
            await self.sleep(max(0.05, min(regular, max(self.last_heard + _PROBE_AFTER_S, probe)) - now))
            now = self.clock()
            if now >= regular or now >= max(self.last_heard + _PROBE_AFTER_S, probe):
                await self._check_consent()
                regular = now + _CONSENT_INTERVAL_S * random.uniform(0.8, 1.2)
                probe = now + _PROBE_INTERVAL_S
                now = self.clock()
            silence = now - self.last_heard
            self.on_silence(silence)
            if silence >= _CONSENT_EXPIRY_S:
                logger.info("x consent to send expired after %.0f s of silence", silence)
                self._query_consent_task = None
                await self.close()
                return

    async def _check_consent(self) -> None:
        pair = self.selected
        if pair is None or self.lite:
            return
        sent = self.clock()
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
        self.last_heard = self.clock()
        self.round_trip_s = self.last_heard - sent
        self.total_round_trip_s += self.round_trip_s
        self.consent_responses += 1


def host_addresses() -> list[str]:
    """Addresses of this host, loopback excepted."""
    return list(get_host_addresses(use_ipv4=True, use_ipv6=True))
