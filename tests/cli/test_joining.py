"""What users have in hand, and the nodes and PINs that come of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.joining import RECORDER_TAG, WayIn, find_session, peer_config
from pexrtc_py.endpoint.conference import BOT_TAG
from pexrtc_py.errors import UsageError
from pexrtc_py.node import Node, NodeConfig, pages
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import SessionConfig, open_session
from pexrtc_py.signalling.finding import ServiceRecord

from ..support.commands import start

RECORDS = (
    ServiceRecord(priority=20, weight=1, port=8443, target="b.example.com"),
    ServiceRecord(priority=10, weight=1, port=443, target="a.example.com"),
)


@pytest.fixture(autouse=True)
def no_pin(monkeypatch: pytest.MonkeyPatch) -> None:
    """No PIN of the environment."""
    monkeypatch.delenv("PEXRTC_PIN", raising=False)


async def resolve(name: str) -> Sequence[ServiceRecord]:
    """DNS as it shall be."""
    return RECORDS if name == "_pexapp._tcp.example.com" else ()


async def find(alias: str, node: str | None = None, **way: object) -> SessionConfig:
    """Find a session as a command does."""
    return await find_session(alias, WayIn(node=node, **way), name="Probe", resolve=resolve)  # type: ignore[arg-type] # by name


async def test_node_and_alias() -> None:
    """A node by address and any alias, even one that looks like an address."""
    config = await find("meet.alice", "https://node.example.com:8443/")
    assert (config.node_url, config.alias) == ("https://node.example.com:8443/", "meet.alice")
    config = await find("alice@example.com", "http://127.0.0.1:80")
    assert (config.node_url, config.alias, config.fallback_urls) == ("http://127.0.0.1:80", "alice@example.com", ())


async def test_alias_with_domain_asks_dns() -> None:
    """Nodes of the domain come in the order of their records, the others stand by."""
    config = await find("alice@example.com")
    assert config.node_url == "https://a.example.com"
    assert config.fallback_urls == ("https://b.example.com:8443",)
    assert (await find("alice@elsewhere.example")).node_url == "https://elsewhere.example"


@pytest.mark.parametrize(
    "link",
    [
        "https://node.example.com/webapp/?conference=meet.alice&pin=1234",
        "https://node.example.com/webapp/#/?conference=meet.alice&pin=1234",
        "https://node.example.com/webapp/m/meet.alice/step-by-step?pin=1234",
    ],
)
async def test_join_links(link: str) -> None:
    """Links of old and new web apps name node, alias and PIN, whatever node the environment names."""
    for node in (None, "https://other.example.com"):
        config = await find(link, node)
        assert (config.node_url, config.alias, config.pin) == ("https://node.example.com", "meet.alice", "1234")
    as_node = await find("meet.alice", link)
    assert (as_node.node_url, as_node.alias, as_node.pin) == ("https://node.example.com", "meet.alice", "1234")


async def test_link_of_another_conference_gives_its_node_only() -> None:
    """The PIN of one conference is not tried at another."""
    config = await find("meet.bob", "https://node.example.com/webapp/m/meet.alice?pin=1234&extension=x")
    assert (config.node_url, config.pin, config.conference_extension) == ("https://node.example.com", None, None)


async def test_options_win(tmp_path: Path) -> None:
    """What is given by option wins over the link; proxies and certificates reach the HTTP client."""
    (tmp_path / "pin").write_text("5678\n")
    config = await find(
        "https://node.example.com/webapp/m/reception?pin=1234&extension=room-1",
        pin_file=tmp_path / "pin",
        extension="room-2",
        ca_file=tmp_path / "ca.pem",
        proxy="http://proxy.example.com:3128",
        insecure=True,
    )
    assert (config.pin, config.conference_extension) == ("5678", "room-2")
    assert (config.http.ca_file, config.http.proxy, config.http.insecure) == (
        tmp_path / "ca.pem",
        "http://proxy.example.com:3128",
        True,
    )
    assert "1234" not in repr(config)
    assert "5678" not in repr(config)


@pytest.mark.parametrize(
    ("alias", "node", "told"),
    [
        ("meet.alice", None, "no node known for 'meet.alice'"),
        ("meet.alice", "node.example.com", "say https://node.example.com"),
        ("meet.alice", "ftp://node.example.com", "say https://node.example.com"),
        ("meet.alice", "https://[", "say https://node.example.com"),
        ("meet.alice", "https://node.example.com/webapp/?pin=1234", "no conference in it"),
        ("meet.alice", "pexip://meet.alice@example.com", "names no node"),
        ("https://node.example.com/", None, "no conference in it"),
    ],
)
async def test_what_leads_nowhere(alias: str, node: str | None, told: str) -> None:
    """Each is refused in a line that says what to give, and never a PIN."""
    with pytest.raises(UsageError, match="(?s)" + told.replace("[", r"\\[")) as caught:
        await find(alias, node)
    assert "1234" not in str(caught.value)


def test_media_ports() -> None:
    """A range of ports reaches the transport; what is none is told."""
    assert peer_config(None, "40000-40099").ports == (40000, 40099)
    assert peer_config(["10.0.0.1"]).ports is None
    for text in ("40000", "5-", "a-b", "80-90", "2000-1000", "40000-70000"):
        with pytest.raises(UsageError, match="say FIRST-LAST"):
            peer_config(None, text)


async def test_a_recorder_comes_by_a_link_and_says_what_it_is(tmp_path: Path) -> None:
    """A join link is enough to record; its PIN stands nowhere, and the roster tells who keeps what is said."""
    assert pages.RECORDER_TAG == RECORDER_TAG
    assert RECORDER_TAG.startswith(BOT_TAG)
    settings = {"meet.pin": RoomSettings(pin="123456")}
    async with Node(NodeConfig(conferences=settings, open=False)) as node:
        session = SessionConfig(node_url=node.url, alias="meet.pin", display_name="Host", pin="123456")
        async with open_session(session) as host:
            link = f"{node.url}/webapp/m/meet.pin?pin=123456"
            process = await start("record", link, "-o", f"{tmp_path}/{{alias}}.mkv", PEXRTC_NODE="http://127.0.0.1:9")
            await host.wait_for(lambda s: any(p.call_tag == RECORDER_TAG for p in s.roster.participants.values()))
            process.terminate()
            out, err = await process.communicate()
    assert process.returncode == ExitCode.DONE, err
    assert b"123456" not in out + err
    assert not [path for path in tmp_path.iterdir() if "123456" in path.name]
