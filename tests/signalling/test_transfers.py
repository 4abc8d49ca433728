"""Following transfers: where the next session is opened, how one comes back, and when it is given up."""

from __future__ import annotations

import asyncio

import pytest

from pexrtc_py.errors import SessionClosedOK, TransportError
from pexrtc_py.protocol.events import Refer
from pexrtc_py.protocol.models import Token
from pexrtc_py.signalling import Session, SessionConfig, Transfers, follow_transfers, open_session
from tests.signalling.joining import config

from .small_node import SmallNode

HOME = SessionConfig(node_url="https://node.example.com", alias="meet.a", pin="1234", display_name="Bot")


def test_goes_with_the_token_and_comes_back_with_the_pin() -> None:
    """A one-time token opens the next conference once; joining that conference anew takes the PIN of the first."""
    transfers = Transfers(HOME)
    assert transfers.here is HOME
    transfers.follow(transfers.here.after(Refer(alias="meet.b", token=Token("once"))))
    assert (transfers.here.alias, transfers.here.one_time_token, transfers.here.pin) == ("meet.b", "once", None)
    transfers.come_back()
    assert (transfers.here.alias, transfers.here.one_time_token, transfers.here.pin) == ("meet.b", None, "1234")
    assert transfers.here.display_name == "Bot"


def test_a_transfer_without_a_token_comes_back_with_the_pin_too() -> None:
    """Who was sent without a token asks without a PIN, and with it when that conference is joined anew."""
    transfers = Transfers(HOME)
    transfers.follow(transfers.here.after(Refer(alias="meet.b")))
    assert (transfers.here.one_time_token, transfers.here.pin) == (None, None)
    transfers.come_back()
    assert transfers.here.pin == "1234"


def test_circles_end() -> None:
    """Twenty transfers are followed, the next is refused."""
    transfers = Transfers(HOME)
    for number in range(20):
        transfers.follow(transfers.here.after(Refer(alias=f"meet.{number % 2}", token=Token("once"))))
    with pytest.raises(TransportError, match="20 transfers"):
        transfers.follow(HOME)


def test_who_stayed_a_while_is_in_no_circle() -> None:
    """In a week one may be sent on more than twenty times."""
    transfers = Transfers(HOME)
    for number in range(50):
        transfers.follow(transfers.here.after(Refer(alias=f"meet.{number % 2}", token=Token("once"))))
        if number % 20 == 19:
            transfers.settle()
    assert transfers.here.alias == "meet.1"


async def test_transfer_is_followed(node: SmallNode) -> None:
    """`refer` closes the session well and leaves the configuration of the next, with the one-time token in its body."""
    async with asyncio.timeout(10):
        async with open_session(config(node, pin="1234")) as session:
            events = session.events()
            await node.connected()
            node.send("refer", {"alias": "meet.bob", "token": "one-time"})
            names = [type(event).__name__ async for event in events]
            assert names[-1] == "Refer"
            assert isinstance(session.closed, SessionClosedOK)
        assert session.transfer is not None
        assert session.transfer.alias == "meet.bob"
        async with open_session(session.transfer) as session:
            await session.wait_for(lambda s: s.roster.synced)
    assert b'"token":"one-time"' in node.asked("request_token")[-1][3]
    assert len(node.released) == 2


async def test_work_follows_transfers(node: SmallNode) -> None:
    """`follow_transfers` works in each conference in turn, and ends when the last is left."""
    visited: list[str] = []

    async def work(session: Session) -> None:
        visited.append(session.client.alias)
        if len(visited) < 3:
            await node.connected()
            node.send("refer", {"alias": f"meet.{len(visited)}", "token": "one-time"})
            await session.wait_closed()

    async with asyncio.timeout(10):
        await follow_transfers(config(node, alias="meet.0"), work)
    assert visited == ["meet.0", "meet.1", "meet.2"]
    assert len(node.released) == 3


async def test_transfers_in_circles(node: SmallNode) -> None:
    """A node that transfers without end is left: after twenty transfers, from the conference the last one led to."""

    async def work(session: Session) -> None:
        await node.connected()
        node.send("refer", {"alias": "meet.again", "token": "one-time"})
        await session.wait_closed()

    with pytest.raises(TransportError, match="transfers in a row"):
        async with asyncio.timeout(30):
            await follow_transfers(config(node), work)
    assert len(node.released) == 21
