"""Following transfers: where the next session is opened, how one comes back, and when it is given up."""

from __future__ import annotations

import pytest

from pexrtc_py.errors import TransportError
from pexrtc_py.protocol.events import Refer
from pexrtc_py.protocol.models import Token
from pexrtc_py.signalling import SessionConfig, Transfers

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
