"""A node at its edges: files of settings, ports in use, slow readers, and what must never be in a log."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import httpx
import pytest
from aiohttp import web

from pexrtc_py.errors import TransportError, UsageError
from pexrtc_py.node import Node, NodeConfig, load_node_file
from pexrtc_py.protocol.models import TurnServer
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import SessionConfig, open_session

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker


def test_a_file_of_settings(tmp_path: Path) -> None:
    """Conferences come from TOML as they stand there."""
    path = tmp_path / "node.toml"
    path.write_text('version = "35"\n[conferences."meet.alice"]\npin = "1234"\nguest_pin = "5678"\nlayout = "1:7"\n')
    file = load_node_file(path)
    assert file.version == "35"
    assert file.conferences == {"meet.alice": RoomSettings(pin="1234", guest_pin="5678", layout="1:7")}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('[conferences."a"]\npni = "1234"', "pni"),
        ('[conferences."a"]\nguest_pin = "98765"', "guest_pin needs pin"),
        ("verson = 3", "verson"),
        ("[", "node.toml"),
        ('[conferences."a"]\npin = 98765', "conferences"),
    ],
)
def test_a_file_with_mistakes(tmp_path: Path, text: str, named: str) -> None:
    """A mistake is named with its place, and no PIN with it."""
    path = tmp_path / "node.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"node\.toml") as caught:
        load_node_file(path)
    assert named in str(caught.value)
    assert "98765" not in str(caught.value)


async def test_relays_only_is_told() -> None:
    """Who joins learns that media is to be relayed, and by which server; an ordinary node says the contrary."""
    server = TurnServer(urls=["turn:127.0.0.1:3478"], username="u", credential="c")
    for config, wanted in ((NodeConfig(turn=(server,), use_relay_candidates_only=True), True), (NodeConfig(), False)):
        async with (
            Node(config, media=SilentMediaMaker()) as node,
            open_session(SessionConfig(node_url=node.url, alias="meet.alice")) as session,
        ):
            assert session.token_result.use_relay_candidates_only is wanted
            assert [turn.urls for turn in session.token_result.turn or ()] == [server.urls][: int(wanted)]


def test_no_file(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(UsageError, match="nothing"):
        load_node_file(tmp_path / "nothing.toml")


@pytest.mark.parametrize(
    "given", [{"version": "new"}, {"tls_cert": Path("cert.pem")}, {"use_relay_candidates_only": True}]
)
def test_settings_that_cannot_be(given: dict[str, object]) -> None:
    """Half a pair of TLS files, no release, or relays without a server are errors before anything listens."""
    with pytest.raises(UsageError):
        NodeConfig(**given)  # type: ignore[arg-type] # one field of many


async def test_a_port_in_use() -> None:
    """A port that is taken is one clear error, not a group of them."""
    async with Node(media=SilentMediaMaker()) as node:
        port = int(node.url.rpartition(":")[2])
        with pytest.raises(TransportError, match=f"port {port}"):
            async with Node(NodeConfig(listen=("127.0.0.1", port)), media=SilentMediaMaker()):
                raise AssertionError("two nodes on one port")


async def test_pages_beside_the_api() -> None:
    """A page of somebody else's is served by the same node, so that a browser asks no other origin."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async with (
        Node(media=SilentMediaMaker(), add_pages=lambda app, _: app.router.add_get("/page", page)) as node,
        httpx.AsyncClient() as http,
    ):
        assert (await http.get(node.url + "/page")).text == "hello"


async def test_tls_files_that_are_none(tmp_path: Path) -> None:
    """A certificate that cannot be read is named."""
    path = tmp_path / "cert.pem"
    path.write_text("no certificate")
    with pytest.raises(UsageError, match=r"cert\.pem"):
        async with Node(NodeConfig(tls_cert=path, tls_key=path), media=SilentMediaMaker()):
            raise AssertionError("served without a certificate")


async def test_an_error_of_the_body_comes_out_as_it_is() -> None:
    """The node ends, and what was raised inside is not wrapped in a group."""
    node = Node(media=SilentMediaMaker())
    with pytest.raises(ZeroDivisionError):
        async with node:
            raise ZeroDivisionError
    with pytest.raises(RuntimeError):
        _ = node.url


async def test_a_slow_reader_is_cut_off() -> None:
    """A client that does not read its events loses its stream, keeps its place, and does not cost memory for ever."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice, RawClient(node.url) as bob:
        await alice.join("Alice")
        await bob.join("Bob")
        host, _, port = node.url.removeprefix("http://").rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        request = f"GET /api/client/v2/conferences/meet.alice/events HTTP/1.1\r\nHost: x\r\ntoken: {bob.token}\r\n\r\n"
        writer.write(request.encode())
        await reader.readuntil(b"participant_sync_end")
        session = next(s for s in node.state.conferences["meet.alice"].sessions.values() if s.participant == bob.uuid)
        async with asyncio.timeout(20):
            while session.mailbox.is_open:  # more than kernel, server and queue hold
                await alice.post("message", {"payload": "x" * 60_000})
        writer.close()
        assert len(await bob.get("participants")) == 2


async def test_no_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    """With every logger at DEBUG, no token and no PIN of a node's run is in the log, nor a line broken by a path."""
    caplog.set_level(logging.DEBUG)
    settings = {"meet.alice": RoomSettings(pin="987123")}
    async with Node(NodeConfig(conferences=settings), media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        await alice.join(pin="987123")
        secrets = [alice.token, "987123", "556677"]
        async with alice.synced():
            await alice.refused("request_token", {}, headers={"pin": "556677"})
            secrets.append((await alice.post("refresh_token"))["token"])
            await alice.refused("a%0Ab%1Bc")
            await alice.post("release_token")
    ours = [r.getMessage() for r in caplog.records if r.name.startswith("pexrtc_py")]
    assert any("request_token" in line for line in ours)
    assert not [line for line in ours for secret in secrets if secret in line]
    assert not [line for line in ours if "\n" in line or "\x1b" in line]
