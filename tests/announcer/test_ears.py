"""The listener of a proof comes along when the announcer is transferred: what is played there is proved there."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, NodeConfig, PeerConfig
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.cli.announce_options import read_moments
from pexrtc_py.cli.announce_run import Order, announce_order
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.joining import WayIn
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.screen import Screen
from pexrtc_py.protocol.models import ParticipantRole, TransferRequest
from pexrtc_py.protocol.room_settings import RoomSettings

from .hearing import babble, write_wav


def order(node: Node, aliases: Sequence[str], source: Path) -> Order:
    """Ask for a file, at once, proved."""
    moments = read_moments(
        [], at=[], every=None, people=None, greet=False, digits=None, chat=None, skip_when=[], stop_when=[], plays=None
    )
    return Order(
        aliases=aliases,
        sources=[str(source)],
        present=None,
        loop=1,
        readiness=Readiness(cache=source.parent),
        moments=moments,
        say="it begins",
        digits_before=[],
        digits_after=[],
        prove=True,
        log=None,
        queue=None,
        name="Announcer",
        way=WayIn(node=node.url),
        peer=PeerConfig(),
    )


async def play_and_move(
    node: Node, aliases: Sequence[str], source: Path, *, from_alias: str, pin: str | None = None
) -> ExitCode:
    """Play, and send the announcer in one of the conferences to `there` a second after it began."""
    async with (
        asyncio.timeout(45),
        pexrtc_py.connect(node.url, from_alias, display_name="Host", call_tag="") as host,
        asyncio.TaskGroup() as group,
    ):
        people = host.participants
        running = group.create_task(announce_order(order(node, aliases, source), Stopping(), Screen(json=True)))
        async for event in host.events():
            if getattr(event, "payload", None) == "it begins":
                break
        await asyncio.sleep(1.5)
        [announcer] = [uuid for uuid, one in people.items() if one.display_name == "Announcer"]
        request = TransferRequest(conference_alias="there", role=ParticipantRole.CHAIR, pin=pin)
        await host.client.participant_transfer(announcer, request)
        return await running


@pytest.mark.slow
async def test_what_begins_again_is_proved_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of it is heard in the other conference; it was told as not heard, with exit code 1."""
    source = write_wav(tmp_path / "words.wav", babble(3.0))
    async with Node() as node:
        assert await play_and_move(node, ["here"], source, from_alias="here") is ExitCode.DONE
    here, there = json.loads(capsys.readouterr().out.splitlines()[-1])["announcements"]
    assert (here["alias"], here["ended"]) == ("here", "transferred to there")
    assert "proof" not in here
    assert (there["alias"], there["ended"]) == ("there", "finished")
    assert there["proof"]["heard"] is True
    assert there["proof"]["missing_s"] <= 0.2


@pytest.mark.slow
async def test_what_goes_on_is_proved_from_then_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One of two conferences is left: what is still played is heard where it goes, by who has come along."""
    source = write_wav(tmp_path / "words.wav", babble(6.0))
    async with Node() as node:
        assert await play_and_move(node, ["stays", "goes"], source, from_alias="goes") is ExitCode.DONE
    stays, goes, there = json.loads(capsys.readouterr().out.splitlines()[-1])["announcements"]
    assert [one["alias"] for one in (stays, goes, there)] == ["stays", "goes", "there"]
    assert stays["proof"]["heard"] is True
    assert stays["proof"]["missing_s"] <= 0.2
    assert "proof" not in goes
    assert there["proof"]["heard"] is True
    assert there["proof"]["missing_s"] <= 0.3


@pytest.mark.slow
async def test_a_listener_that_is_not_let_in(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The transfer's token is for the announcer alone: where a PIN is asked for, that nobody listens is told, once."""
    source = write_wav(tmp_path / "words.wav", babble(2.5))
    conferences = {"there": RoomSettings(pin="4711", guest_pin="5678"), "here": RoomSettings()}
    async with Node(NodeConfig(conferences=conferences)) as node:
        assert await play_and_move(node, ["here"], source, from_alias="here", pin="4711") is ExitCode.REFUSED
    out, err = capsys.readouterr()
    _, there = json.loads(out.splitlines()[-1])["announcements"]
    assert (there["alias"], there["ended"]) == ("there", "finished")
    assert "proof" not in there
    assert err.count("error: there (the listener): ") == 1
    assert "Traceback" not in err
