"""Faults on request: rules that count, and the door by which they are asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec
import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.fault_injection import FaultInjection
from pexrtc_py.node.faults import FaultKind, FaultRule, Faults

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker


def test_a_rule_counts() -> None:
    """The first `skip` requests pass, the next `times` are struck, the rest pass."""
    faults = Faults()
    faults.add(FaultRule(kind=FaultKind.DROP, operation="refresh_token", skip=1, times=2))
    struck = [faults.pull("refresh_token", "meet.alice") is not None for _ in range(5)]
    assert struck == [False, True, True, False, False]


def test_a_rule_names_its_requests() -> None:
    """Operation, alias and participant all have to fit; the first rule that strikes wins."""
    faults = Faults()
    faults.add(FaultRule(kind=FaultKind.DROP, participant="Alice", times=None))
    faults.add(FaultRule(kind=FaultKind.STATUS, alias="meet.bob", times=None))
    assert faults.pull("events", "meet.alice", ("id", "Bob")) is None
    by_name = faults.pull("events", "meet.bob", ("id", "Alice"))
    assert by_name is not None
    assert by_name.kind is FaultKind.DROP
    by_alias = faults.pull("events", "meet.bob")
    assert by_alias is not None
    assert by_alias.kind is FaultKind.STATUS
    faults.clear()
    assert faults.pull("events", "meet.bob") is None


@pytest.mark.parametrize("field", ["status = 200", "delay_s = -1.0", "times = 0", "skip = -1", "sometimes = true"])
def test_a_rule_that_makes_no_sense_is_refused(field: str) -> None:
    """A rule that could never do what it says is an error at once."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.toml.decode(f'kind = "status"\n{field}', type=FaultRule)


class Door:
    """The door of a node's faults, as an outsider opens it."""

    def __init__(self, faults: FaultInjection, http: httpx.AsyncClient) -> None:
        self._faults = faults
        self._http = http

    async def ask(self, verb: str, path: str, body: object = None) -> object:
        response = await self._http.request(
            verb, f"{self._faults.url}/{path}", json=body, headers={"token": self._faults.token}
        )
        assert response.status_code == 200, response.text
        result: object = response.json()["result"]
        return result


@asynccontextmanager
async def open_node() -> AsyncIterator[tuple[Node, RawClient, Door]]:
    async with (
        Node(NodeConfig(faults=True), media=SilentMediaMaker()) as node,
        RawClient(node.url) as alice,
        httpx.AsyncClient() as http,
    ):
        assert node.faults is not None
        await alice.join("Alice")
        yield node, alice, Door(node.faults, http)


async def test_the_door_wants_its_token() -> None:
    """Nobody adds a fault without the token of the door; a node without faults has no door."""
    async with open_node() as (node, _, _), httpx.AsyncClient() as http:
        assert node.faults is not None
        assert node.faults.url.startswith("http://127.0.0.1:")
        response = await http.post(node.faults.url + "/faults", json={"kind": "drop"})
        assert (response.status_code, response.json()["status"]) == (403, "failed")
    async with Node(media=SilentMediaMaker()) as node:
        assert node.faults is None


async def test_requests_go_wrong_in_every_way() -> None:
    """Each kind of fault looks to the client like what it is named after, once, and then all is well."""
    async with open_node() as (_, alice, door):
        await door.ask("POST", "faults", {"kind": "status", "status": 504, "operation": "conference_lock"})
        assert (await alice.refused("lock"))[0] == 504
        await alice.post("lock")

        await door.ask("POST", "faults", {"kind": "drop", "operation": "conference_unlock"})
        with pytest.raises(httpx.TransportError):
            await alice.post("unlock")
        assert (await alice.get("conference_status"))["locked"] is True

        await door.ask("POST", "faults", {"kind": "lose_answer", "operation": "conference_unlock"})
        with pytest.raises(httpx.TransportError):
            await alice.post("unlock")
        assert (await alice.get("conference_status"))["locked"] is False

        await door.ask("POST", "faults", {"kind": "nonsense", "participant": "Alice"})
        response = await alice.request("GET", "participants")
        assert response.headers["content-type"].startswith("text/html")

        await door.ask("POST", "faults", {"kind": "delay", "delay_s": 0.01})
        await alice.get("participants")
        rules = await door.ask("GET", "faults")
        assert isinstance(rules, list)
        assert len(rules) == 5
        await door.ask("DELETE", "faults")
        assert await door.ask("GET", "faults") == []


async def test_a_cut_stream_comes_back_with_everything() -> None:
    """A stream that breaks leaves its participant where it is; the next one begins anew, ids going on."""
    async with open_node() as (_, alice, door):
        async with alice.synced() as events:
            last = events.seen[-1]
            assert await door.ask("POST", "cut_events", {"participant": alice.uuid}) == 1
            with pytest.raises((httpx.TransportError, EOFError)):
                await events.next()
        async with alice.synced() as events:
            assert events.seen[0].name == "participant_sync_begin"
            assert events.seen[0].id != last.id
            assert events.seen[1].data["uuid"] == alice.uuid


async def test_an_expired_token_is_what_it_says() -> None:
    """A token that is let expire ends its participant with the reason a real node gives."""
    async with open_node() as (_, alice, door), alice.synced() as events:
        assert await door.ask("POST", "expire_token", {"participant": "Alice"}) == 1
        assert (await events.until("disconnect")).data == {"reason": "Timer expired awaiting token refresh"}
        assert await alice.refused("refresh_token") == (403, "Invalid token")


async def test_a_restart_forgets_everybody() -> None:
    """After a restart tokens are void, nobody was told, and one can join again."""
    async with open_node() as (node, alice, door):
        async with alice.synced() as events:
            await door.ask("POST", "restart", {"down_s": 0})
            with pytest.raises((httpx.TransportError, EOFError)):
                await events.until("disconnect")
        assert await alice.refused("refresh_token") == (403, "Invalid token")
        assert not node.state.conferences
        alice.token = ""
        await alice.join("Alice")
        await door.ask("POST", "restart", {"down_s": 60})
        with pytest.raises(httpx.TransportError):
            await alice.join("Alice")


async def test_media_stalls_without_a_word() -> None:
    """Stopped media is kept from one participant, told to nobody, and let flow again."""
    media = SilentMediaMaker()
    async with (
        Node(NodeConfig(faults=True), media=media) as node,
        RawClient(node.url) as alice,
        RawClient(node.url) as bob,
        httpx.AsyncClient() as http,
    ):
        assert node.faults is not None
        door = Door(node.faults, http)
        await alice.join("Alice")
        await bob.join("Bob")
        assert await door.ask("POST", "stop_media", {"participant": "Alice", "alias": "meet.alice"}) == 1
        assert list(media.made["meet.alice"].admitted.values()) == [False, True]
        assert await door.ask("POST", "stop_media", {"alias": "meet.bob"}) == 0
        assert await door.ask("POST", "resume_media") == 2
        assert list(media.made["meet.alice"].admitted.values()) == [True, True]
