"""The private names of aioice that we use: a release that renames one fails here first."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import aioice
import aioice.ice
import aioice.turn
from aiortc import rtcdtlstransport

from pexrtc_py.webrtc.ice import IceCandidate, IceConnection, MediaProtocol


async def _gather(connection: IceConnection) -> list[IceCandidate]:
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
        "_tie_breaker",
    ):
        assert hasattr(connection, name), name
    for method in (
        "_check_periodic",
        "_pair_remote_candidate",
        "build_request",
        "check_complete",
        "check_incoming",
        "check_start_task",
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
        "check_start_task": aioice.Connection.check_incoming,
        "_pair_remote_candidate": aioice.Connection._add_remote_candidate,
        "data_received": aioice.ice.StunProtocol.datagram_received,
        "send_stun": aioice.Connection.request_received,
    }
    for name, caller in called_from.items():
        assert f".{name}(" in inspect.getsource(caller), name


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


async def test_strangers_cannot_fill_memory() -> None:
    """What is neither media nor STUN waits for the handshake in a queue with a bound."""
    connection = make_connection()
    protocol = MediaProtocol(connection)
    protocol.local_candidate = IceCandidate("1", 1, "udp", 1, "127.0.0.1", 1, "host")
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
