"""Join links of all generations."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import UsageError
from pexrtc_py.protocol.joinlink import JoinLink, parse_join_link

NODE = "https://node.example.com"


@pytest.mark.parametrize(
    "text",
    [
        f"{NODE}/webapp/?conference=meet.alice&name=Bob&pin=1234&join=1",
        f"{NODE}/webapp/#/?conference=meet.alice&name=Bob&pin=1234",
        f"{NODE}/webapp/conference/meet.alice?name=Bob&pin=1234",
        f"{NODE}/webapp2/conference/meet.alice?name=Bob&pin=1234",
        f"{NODE}/webapp/m/meet.alice?name=Bob&pin=1234",
        f"{NODE}/webapp3/m/meet.alice/step-by-step?name=Bob&pin=1234",
        f"{NODE}/webapp/brand/m/meet.alice/express?name=Bob&pin=1234",
        f"{NODE}/m/meet.alice/?name=Bob&pin=1234",
        f"{NODE}/m/?conference=meet.alice&name=Bob&pin=1234",
        f"  {NODE}/webapp/#/m/meet.alice?name=Bob&pin=1234\n",
        "pexip://meet.alice?host=node.example.com&name=Bob&pin=1234",
    ],
)
def test_links(text: str) -> None:
    """Every form leads to the same node, conference, name and PIN."""
    link = parse_join_link(text)
    assert link == JoinLink(alias="meet.alice", node_url=NODE, pin="1234", display_name="Bob")
    assert "1234" not in repr(link)


@pytest.mark.parametrize(
    "text", ["meet.alice@example.com", "sip:meet.alice@example.com", "pexip://meet.alice@example.com"]
)
def test_alias_with_domain(text: str) -> None:
    """An alias with a domain leaves the node to DNS."""
    assert parse_join_link(text) == JoinLink(alias="meet.alice@example.com", domain="example.com")


def test_port_extension_and_role() -> None:
    """Port, extension and role are kept; aliases are unquoted."""
    link = parse_join_link("http://127.0.0.1:8080/webapp/conference/meet%20%C3%A9%2Fx?extension=bob&role=guest")
    assert link == JoinLink(alias="meet é/x", node_url="http://127.0.0.1:8080", extension="bob", role="guest")
    assert parse_join_link("https://[::1]:8443/m/a").node_url == "https://[::1]:8443"


@pytest.mark.parametrize(
    "text", ["", "meet.alice", "https://node/", "https://node/webapp", "ftp://node/m/a", "pexip://", "https:///m/a",
             "https://[x/m/a", "a b@ c", "@example.com", "https://node:99999/m/a"],
)  # fmt: skip
def test_not_a_link(text: str) -> None:
    """What leads nowhere is refused in one line."""
    with pytest.raises(UsageError) as caught:
        parse_join_link(text)
    assert "\n" not in str(caught.value)


@given(st.text() | st.from_regex(r"(https|pexip|sip)://?[a-z\[\]:@/?#&=%.0-9]{0,40}"))
def test_any_text(text: str) -> None:
    """Any text is a link or a UsageError."""
    with suppress(UsageError):
        assert parse_join_link(text).alias
