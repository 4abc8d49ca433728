"""The private names of aiortc, aioice and pylibsrtp that we use: a release that renames one fails here first."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import aioice
import aioice.ice
import aioice.turn
import pylibsrtp
from aiortc import rtcdtlstransport
from OpenSSL import SSL

from pexrtc_py.webrtc import internals
from pexrtc_py.webrtc.internals import Certificate, DtlsTransport, IceConnection, MediaProtocol


async def _gather(connection: IceConnection) -> list[internals.IceCandidate]:
    return []


def make_connection() -> IceConnection:
    """A connection that gathers nothing."""
    return IceConnection(
        on_media=lambda packet, arrival: None,
        on_silence=lambda _: None,
        gather=_gather,
        relay_only=False,
        ufrag="ufrag",
        password="passwordOf24Characters24",
    )


async def test_names_of_the_ice_connection_are_there() -> None:
    """Attributes that aioice sets, and methods that it calls and we replace."""
    connection = make_connection()
    for name in (
        "_check_list",
        "_check_list_done",
        "_early_checks_done",
        "_local_candidates",
        "_local_candidates_end",
        "_local_candidates_start",
        "_nominated",
        "_protocols",
        "_query_consent_task",
        "_queue",
    ):
        assert hasattr(connection, name), name
    for method in (
        "_check_periodic",
        "_pair_remote_candidate",
        "build_request",
        "check_complete",
        "check_incoming",
        "close",
        "data_received",
        "gather_candidates",
        "query_consent",
    ):
        theirs = inspect.signature(getattr(aioice.Connection, method))
        assert theirs.parameters.keys() == inspect.signature(getattr(IceConnection, method)).parameters.keys(), method
    await connection.gather_candidates()
    assert connection.local_candidates == []
    await connection.close()


async def test_stock_aioice_calls_what_we_replace() -> None:
    """The overridden methods are called by name from where we expect it."""
    called_from: dict[str, Callable[..., object]] = {
        "query_consent": aioice.Connection.connect,
        "_check_periodic": aioice.Connection.connect,
        "check_complete": aioice.Connection.check_start,
        "check_incoming": aioice.Connection.request_received,
        "_pair_remote_candidate": aioice.Connection._add_remote_candidate,
        "data_received": aioice.ice.StunProtocol.datagram_received,
    }
    for name, caller in called_from.items():
        assert f".{name}(" in inspect.getsource(caller), name


async def test_names_of_the_dtls_transport_are_there() -> None:
    """Attributes and methods of aiortc's DTLS transport that ours touches."""
    connection = make_connection()
    dtls = DtlsTransport(connection, Certificate.generateCertificate(), lambda *_: None)
    for name in ("_role", "_rx_srtp", "_ssl", "_state", "_task", "_tx_srtp", "encrypted"):
        assert hasattr(dtls, name), name
    for method in ("_set_role", "_set_state", "_validate_peer_identity", "start", "stop"):
        assert callable(getattr(rtcdtlstransport.RTCDtlsTransport, method)), method
    source = inspect.getsource(rtcdtlstransport.RTCDtlsTransport)
    uses = {word.partition("(")[0] for word in source.split() if word.startswith("self.transport.")}
    assert uses <= {"self.transport._recv", "self.transport._send", "self.transport.role"}
    assert (dtls.state, dtls.role, dtls.ciphers, dtls.is_over) == ("new", "auto", {}, False)
    await dtls.aclose()
    await connection.close()


def test_names_of_the_turn_transport_are_there() -> None:
    """The relay fast path uses what aioice uses for a bound channel."""
    transport = aioice.turn.TurnTransport(
        aioice.turn.TurnClientUdpProtocol(
            ("127.0.0.1", 1), username=None, password=None, lifetime=1, channel_refresh_time=1
        )
    )
    inner = transport._TurnTransport__inner_protocol  # type: ignore[attr-defined]  # what is being tested
    assert transport._TurnTransport__close_task is None  # type: ignore[attr-defined]
    assert inner.peer_to_channel == inner.channel_refresh_at == {}
    assert callable(inner._send)


def test_srtp_sessions_have_what_we_call() -> None:
    """Encrypting and decrypting of RTP and RTCP, and the error they raise."""
    for method in ("protect", "protect_rtcp", "unprotect", "unprotect_rtcp"):
        assert callable(getattr(internals.SrtpSession, method))
    assert internals.SrtpSession is pylibsrtp.Session
    assert issubclass(internals.SrtpError, Exception)


def test_our_certificates_take_rsa_peers() -> None:
    """The suites of our context include ECDHE-RSA ones, and those of stock aiortc are as they were."""
    ours = Certificate.generateCertificate()
    context = ours._create_ssl_context(rtcdtlstransport.SRTP_PROFILES)
    names = SSL.Connection(context).get_cipher_list()
    assert any(name.startswith("ECDHE-RSA-") for name in names)
    stock = rtcdtlstransport.RTCCertificate.generateCertificate()._create_ssl_context(rtcdtlstransport.SRTP_PROFILES)
    assert not any(name.startswith("ECDHE-RSA-") for name in SSL.Connection(stock).get_cipher_list())
    assert ours.fingerprint[0] == "sha-256"


async def test_strangers_cannot_fill_memory() -> None:
    """What is neither media nor STUN waits for the handshake in a queue with a bound."""
    connection = make_connection()
    protocol = MediaProtocol(connection)
    protocol.local_candidate = internals.IceCandidate("1", 1, "udp", 1, "127.0.0.1", 1, "host")
    for _ in range(1000):
        protocol.datagram_received(b"\x16" + bytes(50), ("192.0.2.1", 5))
    assert connection._queue.qsize() < 100
    await connection.close()


def test_nothing_foreign_was_changed() -> None:
    """Importing our package leaves the classes of aiortc and aioice as their modules define them."""
    for cls in (aioice.Connection, aioice.ice.StunProtocol, rtcdtlstransport.RTCDtlsTransport):
        for name, value in vars(cls).items():
            if inspect.isfunction(value):
                assert value.__module__ == cls.__module__, name
    assert aioice.ice.get_host_addresses.__module__ == "aioice.ice"
