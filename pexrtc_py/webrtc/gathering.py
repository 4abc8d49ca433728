"""Where media may reach us: addresses, ports, STUN and TURN servers, and how long to ask them.

Host addresses are there at once. All servers are asked at the same time, and whoever has not answered within the budget
is left out: aioice would wait 5 s for a server that is silent. With `relay_only` nothing but a relay counts, so its
budget is longer and its failure is an error that names the servers.
"""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import re
import socket
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field

from aioice import stun, turn
from aioice.candidate import candidate_foundation, candidate_priority

from ..errors import IceFailed, UsageError
from .ice import IceCandidate, IceConnection, MediaProtocol, host_addresses
from .ice_relay import keep_channels
from .impaired import ImpairedProtocol, ImpairedTransport
from .impairment import Impairment, TwoWayImpairment
from .udp import UdpTransport, bind_udp

__all__ = ["GatheringConfig", "IceServer", "ServerAddress", "gather", "parse_ice_url"]

logger = logging.getLogger(__name__)

# RFC 7064 section 3.1 and RFC 7065 section 3.1, IPv6 literals in brackets included.
_URL = re.compile(
    r"(?P<scheme>stuns?|turns?):(?P<host>\[[0-9a-fA-F:.]+\]|[^?:\[\]]+)(:(?P<port>[0-9]{1,5}))?"
    r"(\?transport=(?P<transport>udp|tcp))?"
)

# Each server that is asked takes a socket. Nodes name one to three; one that named thousands would have us run out of
# them, and with us all other calls of the process.
_MOST_SERVERS = 16

# What comes of servers that do not answer, answer without what was asked for, or have names that are none.
_UNANSWERED = (OSError, EOFError, LookupError, ValueError, stun.TransactionError)


@dataclass(frozen=True, slots=True, kw_only=True)
class IceServer:
    """A STUN or TURN server."""

    urls: tuple[str, ...]
    """`stun:`, `turn:` and `turns:` URLs."""
    username: str = ""
    """For TURN."""
    credential: str = field(default="", repr=False)
    """For TURN; a secret."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatheringConfig:
    """How candidates are gathered."""

    ice_servers: tuple[IceServer, ...] = ()
    """Servers to ask, of their URLs the first 16; none by default, also no public one."""
    relay_only: bool = False
    """Send and receive through TURN only."""
    addresses: tuple[str, ...] = ()
    """Local addresses to use; empty: all of the host, loopback excepted. `127.0.0.1` and `::1` are taken when named."""
    ports: tuple[int, int] | None = None
    """First and last local UDP port; None leaves it to the kernel."""
    gather_timeout_s: float = 0.5
    """How long servers may take."""
    relay_gather_timeout_s: float = 2.0
    """How long TURN may take when nothing else counts."""
    ice_lite: bool = False
    """Only answer the peer's checks, send none, and let it choose the path (RFC 8445 section 2.5): for an end that
    everybody can reach, as nodes are. Host addresses only, and the peer must not be lite itself."""
    impairment: Impairment | TwoWayImpairment | None = None
    """A bad network, for tests and demonstrations: one `Impairment` for each direction, or both of a
    `TwoWayImpairment`; `Impairment()` is a good one to change later."""

    def __post_init__(self) -> None:
        if self.ice_lite and (self.relay_only or self.ice_servers):
            what = "relay_only" if self.relay_only else "ice_servers"
            raise UsageError(f"ice_lite uses host addresses only (RFC 8445 section 5.2), so it goes not with {what}")
        if self.relay_only and self.impairment is not None:
            raise UsageError("impairment is of our own addresses, so it goes not with relay_only")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerAddress:
    """One URL of a server, taken apart."""

    scheme: str
    """`stun`, `stuns`, `turn` or `turns`."""
    host: str
    """Name or address."""
    port: int
    """Port, 3478 and 5349 (TLS) by default."""
    transport: str
    """`udp` or `tcp`."""


def parse_ice_url(url: str) -> ServerAddress:
    """Take the URL of a STUN or TURN server apart.

    Raises:
        UsageError: it is none.
    """
    match = _URL.fullmatch(url)
    if match is None or int(match["port"] or 0) > 0xFFFF:
        raise UsageError(f"not the URL of a STUN or TURN server: {url[:100]!r}")
    secure = match["scheme"].endswith("s")
    return ServerAddress(
        scheme=match["scheme"],
        host=match["host"].strip("[]"),
        port=int(match["port"] or (5349 if secure else 3478)),
        transport=match["transport"] or ("tcp" if secure else "udp"),
    )


async def gather(connection: IceConnection, config: GatheringConfig) -> list[IceCandidate]:
    """Bind local addresses, ask the servers, and give the connection what was found.

    Cancelling is safe: sockets bound so far belong to the connection, which closes them.

    Raises:
        IceFailed: no address can be used, or relay only and no relay answered in time.
    """
    stun_servers, turn_servers = _servers(config.ice_servers)
    hosts = [] if config.relay_only else _bind(connection, config)
    candidates = [protocol.local_candidate for protocol in hosts]
    questions = [
        _ask_relay(connection, server, address, relay_only=config.relay_only) for server, address in turn_servers
    ]
    if not config.relay_only:
        questions += [
            _ask_reflexive(protocol, address)
            for address in stun_servers
            for protocol in hosts
            if ipaddress.ip_address(protocol.local_candidate.host).version == 4
        ]
    budget = config.relay_gather_timeout_s if config.relay_only else config.gather_timeout_s
    answers: list[IceCandidate] = []

    async def ask(question: Coroutine[None, None, IceCandidate | None]) -> None:
        candidate = await question
        if candidate is not None:
            answers.append(candidate)

    try:
        async with asyncio.timeout(budget), asyncio.TaskGroup() as group:
            for question in questions:
                group.create_task(ask(question))
    except TimeoutError:
        logger.info("- not all STUN and TURN servers answered within %.1f s", budget)
    for answer in answers:
        if all((known.host, known.port) != (answer.host, answer.port) for known in candidates):
            candidates.append(answer)
    if not candidates:
        if config.relay_only:
            names = ", ".join(f"{a.host}:{a.port}/{a.transport}" for _, a in turn_servers) or "none given"
            raise IceFailed(f"relay only, and no TURN server gave a relay within {budget:g} s ({names})")
        raise IceFailed("no local address can be used for media")
    return candidates


def _servers(servers: Sequence[IceServer]) -> tuple[list[ServerAddress], list[tuple[IceServer, ServerAddress]]]:
    addresses = [(server, parse_ice_url(url)) for server in servers for url in server.urls]
    if len(addresses) > _MOST_SERVERS:
        logger.warning("! of %d STUN and TURN servers only the first %d are asked", len(addresses), _MOST_SERVERS)
        del addresses[_MOST_SERVERS:]
    # STUN over TLS has no use for a UDP candidate; TURN is asked over UDP, TCP and TLS, but never DTLS.
    stun_servers = [address for _, address in addresses if address.scheme == "stun"]
    relays = [(s, a) for s, a in addresses if a.scheme == "turn" or (a.scheme == "turns" and a.transport == "tcp")]
    return stun_servers, relays


def _bind(connection: IceConnection, config: GatheringConfig) -> list[MediaProtocol]:
    protocols: list[MediaProtocol] = []
    for place, address in enumerate(config.addresses or tuple(host_addresses())):
        try:
            sock = bind_udp(address, config.ports)
        except OSError as exc:
            logger.info("x cannot use %s for media: %s", address, exc)
            continue
        bad = None if config.impairment is None else TwoWayImpairment.of(config.impairment)
        protocol = MediaProtocol(connection) if bad is None else ImpairedProtocol(connection, bad.receive)
        host, port = sock.getsockname()[:2]
        protocol.local_candidate = IceCandidate(
            foundation=candidate_foundation("host", "udp", host),
            component=1,
            transport="udp",
            # RFC 8445 section 5.1.2.1: candidates of one type differ in their local preference.
            priority=candidate_priority(1, "host", 65535 - place),
            host=host,
            port=port,
            type="host",
        )
        if bad is None:
            UdpTransport(sock, protocol)
        else:
            ImpairedTransport(sock, protocol, bad.send)
        connection.add_protocol(protocol)
        protocols.append(protocol)
    return protocols


async def _ask_reflexive(protocol: MediaProtocol, server: ServerAddress) -> IceCandidate | None:
    """Ask a STUN server how it sees one of our IPv4 addresses."""
    loop = asyncio.get_running_loop()
    request = stun.Message(message_method=stun.Method.BINDING, message_class=stun.Class.REQUEST)
    try:
        found = await loop.getaddrinfo(server.host, server.port, family=socket.AF_INET, type=socket.SOCK_DGRAM)
        response, _ = await protocol.request(request, (str(found[0][4][0]), server.port))
        host, port = response.attributes["XOR-MAPPED-ADDRESS"]
    except _UNANSWERED as exc:
        logger.info("x STUN server %s:%d: %s", server.host, server.port, exc)
        return None
    local = protocol.local_candidate
    return IceCandidate(
        foundation=candidate_foundation("srflx", "udp", local.host),
        component=1,
        transport="udp",
        priority=candidate_priority(1, "srflx"),
        host=host,
        port=port,
        type="srflx",
        related_address=local.host,
        related_port=local.port,
    )


async def _ask_relay(
    connection: IceConnection, credentials: IceServer, server: ServerAddress, *, relay_only: bool
) -> IceCandidate | None:
    """Ask a TURN server for a relay."""
    try:
        transport, protocol = await turn.create_turn_endpoint(
            lambda: MediaProtocol(connection),
            server_addr=(server.host, server.port),
            username=credentials.username,
            password=credentials.credential,
            ssl=True if server.scheme == "turns" else None,
            transport=server.transport,
        )
    except _UNANSWERED as exc:
        logger.info("x TURN server %s:%d/%s: %s", server.host, server.port, server.transport, exc)
        return None
    keep_channels(transport)
    host, port = transport.get_extra_info("sockname")
    # With relays only, the address behind one stays hidden (RFC 9429 section 3.5.3, RFC 8839 section 5.1).
    hidden = ("::" if ":" in host else "0.0.0.0", 9)  # noqa: S104 (a placeholder, nothing is bound to it)
    related = hidden if relay_only else transport.get_extra_info("related_address")
    protocol.local_candidate = IceCandidate(
        foundation=candidate_foundation("relay", server.transport, host),
        component=1,
        transport="udp",
        priority=candidate_priority(1, "relay"),
        host=host,
        port=port,
        type="relay",
        related_address=related[0],
        related_port=related[1],
    )
    connection.add_protocol(protocol)
    return protocol.local_candidate
