"""Commands that look and control, against a node of ours: what they print, what they do, how they end."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from pexrtc_py.cli.app import make_app
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.models import Message
from pexrtc_py.protocol.operations import OPERATIONS
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from pexrtc_py.signalling import EventSubscription, Session, SessionConfig, open_session

from ..support.background import Background, background
from ..support.commands import Outcome, error_lines, pexrtc_here, start
from ..support.replay_node import run_replay_node
from ..support.silent_media import SilentMediaMaker
from ..support.waiting import until

EVIL = "Eve\x1b[2J\u009b2J<b>\u202e"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No node and no PIN of the environment; a wide terminal."""
    for name in ("PEXRTC_NODE", "PEXRTC_PIN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture
def beside() -> Iterator[Background]:
    """Where the node and the others live: a command runs a loop of its own."""
    with background() as beside:
        yield beside


@pytest.fixture
def node(beside: Background) -> Iterator[Node]:
    """A node with a conference that has a PIN, two that have none, a quiet one, and a Virtual Reception."""
    settings = {
        "meet.pin": RoomSettings(alias="meet.pin", pin="1234"),
        "meet.open": RoomSettings(alias="meet.open"),
        "meet.other": RoomSettings(alias="meet.other"),
        "meet.quiet": RoomSettings(alias="meet.quiet", chat_enabled=False),
        "reception": RoomSettings(alias="reception", service_type=ServiceKind.VIRTUAL_RECEPTION),
    }

    async def make() -> Node:
        return Node(NodeConfig(conferences=settings, open=False), media=SilentMediaMaker())

    with beside.living(beside.wait(make())) as node:
        yield node


def config(node: Node, alias: str, name: str, pin: str | None = None) -> SessionConfig:
    """A participant of the tests."""
    return SessionConfig(node_url=node.url, alias=alias, display_name=name, pin=pin)


def printed(outcome: Outcome) -> list[dict[str, object]]:
    """What a command printed, a JSON object a line."""
    assert not error_lines(outcome), outcome.err
    return [msgspec.json.decode(line) for line in outcome.out.splitlines()]


async def next_message(events: EventSubscription) -> MessageReceived:
    """Wait for the next message."""
    async for event in events:
        if isinstance(event, MessageReceived):
            return event
    raise AssertionError("the session has ended")


async def say_once_heard(node: Node, session: Session, listener: str, text: str) -> None:
    """Wait until a participant listens to its events, then say something."""
    room = node.state.conferences["meet.open"]

    def listens() -> bool:
        open_to = {uuid for uuid, one in room.sessions.items() if one.mailbox.is_open}
        return any(p.display_name == listener and uuid in open_to for uuid, p in room.room.participants.items())

    await until(listens, within_s=30)
    await session.client.conference_message(Message(payload=text))


def test_roster_as_table_and_json(node: Node, beside: Background) -> None:
    """Both show everybody but the command itself; nothing that a terminal would obey comes through."""
    with beside.living(open_session(config(node, "meet.open", EVIL))) as eve:
        table = pexrtc_here("roster", "--node", node.url, "meet.open")
        assert table.code == ExitCode.DONE
        assert eve.participant_uuid in table.out
        assert "Observer" not in table.out
        assert r"Eve\x1b[2J\x9b2J<b>\u202e" in table.out
        assert all(c.isprintable() or c == "\n" for c in table.out)
        (result,) = printed(pexrtc_here("roster", "--json", "--node", node.url, "meet.open"))
        assert isinstance(result["participants"], list)
        assert [person["display_name"] for person in result["participants"]] == [EVIL]
        assert result["place"] == "conference"
    assert "nobody else is there" in pexrtc_here("roster", "--node", node.url, "meet.open").out


def test_events_are_lines_of_json(node: Node, beside: Background) -> None:
    """First those who are there, then what happens; the command ends after as many as were asked for."""
    with beside.living(open_session(config(node, "meet.open", EVIL))) as eve:
        first = pexrtc_here("events", "--node", node.url, "meet.open", "--count", "3")
        assert first.code == ExitCode.DONE
        names = [line["event"] for line in printed(first)]
        assert names == ["participant_sync_begin", "participant_create", "participant_create"]
        assert all(c.isprintable() or c == "\n" for c in first.out)
        said = beside.start(say_once_heard(node, eve, "Observer", "hello\x1b[31m"))
        heard = pexrtc_here("events", "--node", node.url, "meet.open", "--event", "message_received", "--count", "1")
        said.result(20)
        (line,) = printed(heard)
        assert line["alias"] == "meet.open"
        assert str(line["time"]).endswith("Z")
        data = line["data"]
        assert isinstance(data, dict)
        assert (data["origin"], data["payload"]) == (EVIL, "hello\x1b[31m")


async def test_events_follow_a_transfer_until_stopped() -> None:
    """A transfer is printed without its token, what happens there comes after it; Ctrl-C leaves the conference."""
    async with Node(media=SilentMediaMaker()) as node, open_session(config(node, "meet.open", "Host")) as host:
        process = await start(
            "events", "--node", node.url, "meet.open", "--event", "refer", "--event", "conference_update"
        )
        assert process.stdout is not None
        await process.stdout.readline()  # the state of the conference: it listens
        observer = next(p.uuid for p in host.roster.participants.values() if p.display_name == "Observer")
        await host.client.ask_by_name(
            "participant_transfer", participant=observer, conference_alias="meet.other", role="guest"
        )
        lines = [msgspec.json.decode(await process.stdout.readline()) for _ in range(2)]
        assert [(line["alias"], line["event"]) for line in lines] == [
            ("meet.open", "refer"),
            ("meet.other", "conference_update"),
        ]
        assert lines[0]["data"]["token"] == "…"
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        assert process.returncode == ExitCode.INTERRUPTED
        assert b"Traceback" not in err
        assert "meet.other" not in node.state.conferences


def test_chat_is_said_and_heard(node: Node, beside: Background) -> None:
    """A text reaches everybody, or one alone; listening prints a line a message."""
    with beside.living(open_session(config(node, "meet.open", "Bob"))) as bob:
        for to, direct in ((), False), (("--to", "bob"), True):
            message = beside.start(next_message(bob.events()))
            outcome = pexrtc_here("chat", "--node", node.url, "meet.open", "hello", *to, "--name", "Herald")
            assert outcome.code == ExitCode.DONE, outcome.err
            told = message.result(20)
            assert (told.origin, told.payload, told.direct) == ("Herald", "hello", direct)
        said = beside.start(say_once_heard(node, bob, "Ear", "two\nlines"))
        outcome = pexrtc_here("chat", "--node", node.url, "meet.open", "--count", "1", "--name", "Ear")
        said.result(20)
        assert outcome.out.endswith(r" Bob: two\nlines" + "\n")


def test_chat_that_is_off(node: Node) -> None:
    """Where the conference has no chat, that is said, and is a refusal."""
    outcome = pexrtc_here("chat", "--node", node.url, "meet.quiet", "hello")
    assert outcome.code == ExitCode.REFUSED
    assert error_lines(outcome) == ["error: meet.quiet: chat is switched off in this conference"]


def test_control_acts_on_a_participant_by_name(node: Node, beside: Background) -> None:
    """A display name that one participant has is enough; one that several have is told with their UUIDs."""
    mute = ("control", "--node", node.url, "meet.open", "participant_mute")
    with beside.living(open_session(config(node, "meet.open", "Bob Jones"))) as bob:
        outcome = pexrtc_here(*mute, "participant=bob jones")
        assert outcome.code == ExitCode.DONE, outcome.err
        beside.wait(bob.wait_for(lambda s: s.participant is not None and s.participant.muted))
        with beside.living(open_session(config(node, "meet.open", "Bob Jones"))) as twin:
            outcome = pexrtc_here(*mute, "participant=Bob Jones")
            assert outcome.code == ExitCode.USAGE
            assert bob.participant_uuid in outcome.err
            assert twin.participant_uuid in outcome.err
        outcome = pexrtc_here(*mute, "participant=Carol")
        assert outcome.code == ExitCode.USAGE
        assert error_lines(outcome) == ["error: no participant is called 'Carol'; there are: Bob Jones"]


def test_control_prints_what_is_more_than_a_yes(node: Node) -> None:
    """A result is JSON on stdout; a yes is talk, and with --json an object too; the token is given back by leaving."""
    (status,) = printed(pexrtc_here("control", "--node", node.url, "meet.open", "conference_status"))
    assert status["locked"] is False
    for operation in ("conference_lock", "refresh_token", "release_token"):
        outcome = pexrtc_here("control", "--node", node.url, "meet.open", operation)
        assert (outcome.code, outcome.out) == (ExitCode.DONE, "")
    (result,) = printed(pexrtc_here("control", "--json", "--node", node.url, "meet.open", "participant_buzz"))
    assert result == {"alias": "meet.open", "operation": "participant_buzz", "result": True}


def test_who_is_removed_does_not_stay(node: Node, beside: Background) -> None:
    """With --stay it sat out its time, in a conference that it was no part of any more, and said that all was well."""
    asked = ("control", "--node", node.url, "meet.open", "participant_disconnect", "participant=me", "--stay", "60")
    begin = time.monotonic()
    with beside.living(open_session(config(node, "meet.open", "Bob"))):
        outcome = pexrtc_here(*asked)
    assert time.monotonic() - begin < 15
    assert outcome.code == ExitCode.REMOVED, outcome.err
    assert len(error_lines(outcome)) == 1


def test_control_as_a_guest(node: Node, beside: Background) -> None:
    """A Guest is told that it is one, and how to come as a Host; the PIN of the environment makes one."""
    with beside.living(open_session(config(node, "meet.pin", "Host", pin="1234"))) as host:
        outcome = pexrtc_here("control", "--node", node.url, "meet.pin", "conference_lock")
        assert outcome.code == ExitCode.REFUSED
        assert "we are a Guest here: give the Host PIN by PEXRTC_PIN or --pin-file" in outcome.err
        outcome = pexrtc_here("control", "--node", node.url, "meet.pin", "conference_lock", PEXRTC_PIN="1234")
        assert outcome.code == ExitCode.DONE, outcome.err
        beside.wait(host.wait_for(lambda s: s.roster.conference.locked))
        assert "1234" not in outcome.err + outcome.out


def test_through_a_virtual_reception(node: Node, beside: Background) -> None:
    """--extension says where to go; without it the refusal says what is asked for."""
    with beside.living(open_session(config(node, "meet.open", "Bob"))):
        outcome = pexrtc_here("roster", "--node", node.url, "reception", "--extension", "meet.open")
        assert "Bob" in outcome.out
        outcome = pexrtc_here("roster", "--node", node.url, "reception")
        assert outcome.code == ExitCode.REFUSED
        assert "a Virtual Reception asks for conference_extension" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("conference_lok",), "there is none of that name; --list prints"),
        (("lock",), "near it: conference_lock"),
        (("request_token",), "joining does that"),
        (("dial", "destination"), "'destination': say KEY=VALUE"),
        (("dial", "a=1", "a=2"), "a= is given twice"),
        (("dial", "destination=x", "protocol=sip"), "role= is missing (HOST, GUEST)"),
        (("participant_mute",), "participant= is missing"),
        (("conference_lock", "reason=x"), "reason= is not known; it takes nothing"),
        (("participant_dtmf", "digit=1"), "digit= is not known; it takes participant, digits"),
        (("participant_transfer", "pin=1234"), "say pin=@FILE"),
        (("presentation_upload", "frame=slide.jpg"), "say frame=@FILE"),
        (("presentation_upload", "frame=@/nowhere.jpg"), "/nowhere.jpg: No such file"),
        (("presentation_jpeg", "id=1"), "say --output FILE"),
        ((), "say ALIAS and OPERATION"),
    ],
)
def test_control_that_is_not_understood(arguments: tuple[str, ...], told: str) -> None:
    """A slip is told in one line, before any node is asked."""
    outcome = pexrtc_here("control", "--node", "http://127.0.0.1:9", "meet.open", *arguments)
    assert outcome.code == ExitCode.USAGE
    [line] = outcome.err.splitlines()
    assert told in line


def test_the_table_is_printed() -> None:
    """Every operation stands in the list, to read and as JSON; a word filters it."""
    outcome = pexrtc_here("control", "--list")
    assert all(f"  {name}  (" in outcome.out for name in OPERATIONS)
    (table,) = printed(pexrtc_here("control", "--list", "--json", "transfer"))
    assert isinstance(table["operations"], list)
    (row,) = [row for row in table["operations"] if row["name"] == "participant_transfer"]
    assert row["caller"] == "Hosts"
    assert {"name": "role", "required": True, "choices": ["chair", "guest"]} in row["values"]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pexrtc control meet.alice participant_m", "participant_mute"),
        ("pexrtc control meet.alice dial ro", "role=HOST"),
        ("pexrtc events --event message_", "message_received"),
    ],
)
def test_the_shell_completes(words: str, offered: str) -> None:
    """Names of operations, of what they want and of events come from the table."""
    environment = {
        "_PEXRTC_COMPLETE": "complete_bash",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    outcome = CliRunner().invoke(make_app(), [], env=environment, prog_name="pexrtc")
    assert offered in outcome.stdout.splitlines()


@pytest.mark.slow
def test_control_inside_a_breakout(beside: Background) -> None:
    """With --breakout an operation is asked there, of whom is there; elsewhere it says what there is."""
    folder = Path(__file__).parents[1] / "data/json/android-sdk"
    breakout, ours = "04fe9b38-4354-4e87-a4b3-6f589a8dafa3", "682e9fb0-b1c9-48de-9eea-05cfff875915"
    inside = ("participant_sync_begin", "participant_create", "participant_sync_end", "conference_update")
    with beside.living(run_replay_node()) as replay:
        replay.breakouts[breakout] = ours
        replay.told_first = [("breakout_begin", {"breakout_uuid": breakout, "participant_uuid": ours})]
        replay.told_first += [
            ("breakout_event", json.loads((folder / f"breakout_event_{name}.json").read_text())) for name in inside
        ]
        common = ("control", "--node", replay.url, "--breakout", breakout, "meet.replay")
        muting = pexrtc_here(*common, "participant_mute", "participant=George")
        locking = pexrtc_here(*common, "conference_lock")
        raising = pexrtc_here(*common, "participant_buzz")
        joining = pexrtc_here(*common, "theme")
        lost = pexrtc_here(*common[:3], "--breakout", "another", "meet.replay", "conference_lock")
    assert [done.code for done in (muting, locking, raising)] == [ExitCode.DONE] * 3
    george = "1e1bdef4-323c-4ed2-8765-1153be63760e"
    assert sorted(replay.asked_inside) == ["lock", f"participants/{george}/mute", f"participants/{ours}/buzz"]
    assert joining.code == lost.code == ExitCode.USAGE
    assert error_lines(joining) == ["error: theme is not asked inside breakouts: leave --breakout out"]
    assert error_lines(lost) == [f"error: --breakout another: we may look into {breakout}"]
