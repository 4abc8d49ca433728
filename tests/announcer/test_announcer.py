"""An announcer that stays does what people, the clock and programs ask for, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

import pexrtc_py
from pexrtc_py import Kind, Node
from pexrtc_py.announcer.announcer import Announcer, AnnouncerConfig, Materials
from pexrtc_py.announcer.broadcast import send_silence
from pexrtc_py.announcer.conference_events import ConferenceEvents
from pexrtc_py.announcer.dialling import parse_dialling
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement, Played
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.queue import QueueItem, Rule
from pexrtc_py.announcer.queue_access import QueueAccess
from pexrtc_py.announcer.room_state import ChatSaid, DigitPressed, PersonJoined, PersonLeft, RoomEvent
from pexrtc_py.announcer.triggers import OnChat, OnDigits, OnJoin
from pexrtc_py.errors import PexrtcError, WriteError
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.faults import FaultKind, FaultRule
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.service.queue_door import QueueDoor

from .hearing import session

ALIAS = "meet.alice"


@dataclass
class Stage:
    """An announcer in a conference, and what it has played."""

    podium: Podium
    announcer: Announcer
    running: asyncio.Task[str]
    began: asyncio.Queue[QueueItem] = field(default_factory=asyncio.Queue)
    played: asyncio.Queue[tuple[QueueItem, list[Played]]] = field(default_factory=asyncio.Queue)


async def made_at_once(item: QueueItem) -> Announcement:
    """Make ready what costs nothing: tones of so many seconds."""
    return await announcement_of_sources([item.source])


@asynccontextmanager
async def on_stage(
    node: Node, config: AnnouncerConfig, material: Materials = made_at_once, *, log_error: PexrtcError | None = None
) -> AsyncIterator[Stage]:
    """Run an announcer; each of its plays is noted, and then `log_error` raised."""
    main = await announcement_of_sources(["for:0.4:tone:440"])

    async with open_podiums([session(node, ALIAS, "Announcer")], main, listen=True) as [podium]:
        assert isinstance(podium, Podium)

        async def note(item: QueueItem, played: list[Played]) -> None:
            stage.played.put_nowait((item, played))
            if log_error is not None:
                raise log_error

        announcer = Announcer(
            [podium],
            config,
            material,
            on_player=lambda item, player: stage.began.put_nowait(item),
            on_played=note,
        )
        async with asyncio.TaskGroup() as group:
            stage = Stage(podium, announcer, group.create_task(announcer.run()))
            yield stage
            announcer.stop()
            await stage.running


async def test_a_chat_that_takes_long_keeps_nobody_waiting() -> None:
    """The first word waited fifteen seconds for a text to be taken, in silence that was none, and so did a stop."""
    async with asyncio.timeout(10), Node(NodeConfig(faults=True)) as node:
        assert node.faults is not None
        node.faults.rules.add(FaultRule(kind=FaultKind.DELAY, operation="conference_message", delay_s=2.5))
        async with on_stage(node, AnnouncerConfig(chat="listen now")) as stage:
            stage.announcer.add("for:2:tone:440", why="api")
            async with asyncio.timeout(2.0):
                await stage.began.get()
            _, [played] = await stage.played.get()
            assert played.ended == "finished"


async def test_people_start_skip_and_stop_it(node: Node) -> None:
    """Chat starts, chat skips, digits stop; who joins is greeted; programs are not."""
    config = AnnouncerConfig(
        rules=[
            Rule(trigger=OnChat("!play"), source="for:30:tone:440", why="chat"),
            Rule(trigger=OnJoin(0.05), source="for:0.4:tone:550", why="join"),
        ],
        skip=[OnChat("!skip")],
        stop=[OnDigits("9#")],
        chat="listen now",
    )
    async with asyncio.timeout(20), on_stage(node, config) as stage:
        async with pexrtc_py.connect(node.url, ALIAS, display_name="Bot"):
            pass
        async with pexrtc_py.connect(node.url, ALIAS, display_name="Person", call_tag="") as person:
            said = person.events()
            texts = (event.payload async for event in said if isinstance(event, MessageReceived))
            item, [played] = await stage.played.get()
            assert item.why == "join"
            assert played.ended == "finished"
            await person.say("!play something")
            assert (await stage.began.get()).why == "join"
            assert (await stage.began.get()).why == "chat"
            await person.say("!skip")
            item, [played] = await stage.played.get()
            assert (item.why, played.ended) == ("chat", "stopped")
            assert stage.played.empty()
            me = stage.podium.conference.participant_uuid
            await person.client.participant_dtmf(me, "9#")
            assert await stage.running == "stopped"
            assert await anext(texts) == "listen now"
            assert await anext(texts) == "listen now"


async def test_digits_reach_the_node_before_and_after() -> None:
    """What is dialled before an announcement has come when it begins, what is dialled after it comes after it."""
    pressed: list[str] = []
    config = AnnouncerConfig(digits_before=parse_dialling("12#"), digits_after=parse_dialling("9"), plays=1)
    async with (
        asyncio.timeout(20),
        Node(on_digits=lambda alias, participant, digits: pressed.append(digits)) as node,
        on_stage(node, config) as stage,
    ):
        stage.announcer.add("for:0.4:tone:440", why="test")
        await stage.began.get()
        assert "".join(pressed) == "12#"
        _, [played] = await stage.played.get()
        assert played.ended == "finished"
        assert "".join(pressed) == "12#"
        assert await stage.running == "finished"
        assert "".join(pressed) == "12#9"


async def test_conference_as_events(node: Node) -> None:
    """Those who are there come first, bots are marked, chat and digits follow, and who leaves is told."""
    found: list[RoomEvent] = []
    news = asyncio.Event()
    main = await announcement_of_sources(["for:0.4:tone:440"])
    async with (
        asyncio.timeout(15),
        pexrtc_py.connect(node.url, ALIAS, display_name="First", call_tag="") as first,
        open_podiums([session(node, ALIAS, "Announcer")], main, listen=True) as [podium],
    ):
        assert isinstance(podium, Podium)
        line = podium.main.call.audio
        assert line is not None

        async def follow() -> None:
            async for event in ConferenceEvents(podium.conference, line.receiver).events():
                found.append(event)
                news.set()

        async def until(kind: type[RoomEvent], count: int = 1) -> None:
            while sum(isinstance(event, kind) for event in found) < count:
                news.clear()
                await news.wait()

        async with asyncio.TaskGroup() as group:
            following = group.create_task(follow())
            await until(PersonJoined, 2)
            async with pexrtc_py.connect(node.url, ALIAS, display_name="Second", call_tag=""):
                await until(PersonJoined, 3)
            await until(PersonLeft)
            await first.say("!hello")
            await until(ChatSaid)
            await first.client.participant_dtmf(podium.conference.participant_uuid, "4#")
            await until(DigitPressed, 2)
            following.cancel()
        people = [event for event in found if isinstance(event, PersonJoined)]
        assert {(p.name, p.is_bot, p.was_there) for p in people} == {
            ("First", False, True),
            ("Announcer", True, True),
            ("Second", False, False),
        }
        assert [e.digit for e in found if isinstance(e, DigitPressed)] == ["4", "#"]
        assert [(e.person, e.text) for e in found if isinstance(e, ChatSaid)] == [(first.participant_uuid, "!hello")]


async def test_programs_feed_it_by_http(node: Node, tmp_path: Path) -> None:
    """With the token: queued, listed, taken out, skipped, stopped; a wrong token or source is refused, and told why."""
    async with (
        asyncio.timeout(20),
        on_stage(node, AnnouncerConfig()) as stage,
        QueueDoor(QueueAccess([(ALIAS, stage.announcer)]), token="secret") as door,
        aiohttp.ClientSession(door.url, headers={"Authorization": "Bearer secret"}) as program,
    ):
        for headers in ({"Authorization": "Bearer wrong"}, {"Authorization": ""}):
            async with program.get("/announcements", headers=headers) as answer:
                assert answer.status == 401
        async with program.post("/announcements", json={"source": "for:30:tone:440"}) as answer:
            assert answer.status == 201
            [first] = (await answer.json())["ids"]
        assert (await stage.began.get()).id == first
        async with program.post("/announcements", json={"source": "for:0.4:tone:550", "urgent": True}) as answer:
            [second] = (await answer.json())["ids"]
        async with program.post("/announcements", json={"source": "tone:660"}) as answer:
            [third] = (await answer.json())["ids"]
        for wrong in ({"source": "tone:x"}, {"source": "-"}, {}, {"source": "tone:", "loud": 1}):
            async with program.post("/announcements", json=wrong) as answer:
                assert answer.status == 400
                assert (await answer.json())["error"]
        async with program.get("/announcements") as answer:
            told = await answer.json()
        assert [item["id"] for item in told["playing"]] == [first]
        assert [item["id"] for item in told["waiting"]] == [second, third]
        for expected in (200, 404):
            async with program.delete(f"/announcements/{third}") as answer:
                assert answer.status == expected
        async with program.post("/skip") as answer:
            assert (await answer.json())["skipped"] is True
        ended = [(await stage.played.get()) for _ in range(2)]
        assert [(item.id, played[0].ended) for item, played in ended] == [(first, "stopped"), (second, "finished")]
        async with program.post("/stop") as answer:
            assert answer.status == 200


async def test_dialling_and_making_ready_are_interrupted() -> None:
    """Skip ends pauses of dialling and what takes for ever to be made ready; stop, and a third of them, ends all.

    Neither was heeded before the last pause was over or the source was ready.
    """
    digits: asyncio.Queue[str] = asyncio.Queue()
    making: asyncio.Queue[str] = asyncio.Queue()

    async def material(item: QueueItem) -> Announcement:
        if item.source == "slow":
            making.put_nowait(item.id)
            await asyncio.Event().wait()
        return await made_at_once(item)

    async with (
        asyncio.timeout(15),
        Node(on_digits=lambda alias, participant, pressed: digits.put_nowait(pressed)) as node,
        on_stage(node, AnnouncerConfig(), material) as stage,
    ):
        for source, dialled, asked in (("for:3:tone:440", "1,,,,,,,,,,2", digits), ("slow", "", making)):
            item_id = stage.announcer.add(source, why="test", digits=dialled)
            await asked.get()
            assert stage.announcer.skip()
            item, [played] = await stage.played.get()
            assert (item.id, played.ended, played.duration_s, played.error) == (item_id, "stopped", 0, None)
        stage.announcer.add("for:3:tone:440", why="test", digits="3,,,,,,,,,,4")
        assert await digits.get() == "3"
        stage.announcer.stop()
        assert await stage.running == "stopped"
        assert digits.empty()
        assert stage.began.empty(), "nothing was played"


async def test_a_record_that_fails_costs_no_play(node: Node, caplog: pytest.LogCaptureFixture) -> None:
    """What was played is told once and stays played, and the announcer stays: it was told as failed, and it ended."""
    error = WriteError("played.jsonl: cannot write the record: no space left on device")
    async with asyncio.timeout(15), on_stage(node, AnnouncerConfig(), log_error=error) as stage:
        for hz in (440, 550):
            item_id = stage.announcer.add(f"for:0.4:tone:{hz}", why="test")
            item, [played] = await stage.played.get()
            assert (item.id, played.ended, played.error) == (item_id, "finished", None)
        assert stage.played.empty()
        assert not stage.running.done()
    assert sum("no space left" in record.message for record in caplog.records) == 2


async def test_pictures_alone_wait_without_spinning(node: Node) -> None:
    """A call that sends no sound has nothing to say between announcements, and costs nothing meanwhile."""
    main = await announcement_of_sources(["for:0.4:black:64x64"])
    async with open_podiums([session(node, ALIAS, "Announcer")], main) as [podium]:
        assert isinstance(podium, Podium)
        assert Kind.AUDIO not in podium.main.senders
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await send_silence([podium.main])
