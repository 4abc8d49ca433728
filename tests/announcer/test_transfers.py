"""An announcer that is transferred goes on in the other conference: with its announcement, its rules, its silence."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Codec, Kind, Node
from pexrtc_py.announcer.announcer import Announcer, AnnouncerConfig
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement, Played
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Listener, listening
from pexrtc_py.announcer.queue import QueueItem, Rule
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.announcer.triggers import OnChat, OnJoin
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.frames import Source
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources import EncodedSource, PushedSource
from pexrtc_py.protocol.models import ParticipantRole, ParticipantUuid, TransferRequest
from tests.support.waiting import until

from .hearing import babble, heard, missing_ends, session, write_wav


@dataclass
class Plays:
    """What an announcer said of what it plays."""

    began: asyncio.Queue[Player] = field(default_factory=asyncio.Queue)
    played: asyncio.Queue[list[Played]] = field(default_factory=asyncio.Queue)
    items: list[QueueItem] = field(default_factory=list)

    async def note(self, item: QueueItem, played: list[Played]) -> None:
        """Note what became of it."""
        self.items.append(item)
        self.played.put_nowait(played)

    def announcer(self, podiums: Sequence[Podium], main: Announcement, config: AnnouncerConfig) -> Announcer:
        """Make an announcer of one thing."""

        async def material(item: QueueItem) -> Announcement:
            return main

        return Announcer(
            podiums,
            config,
            material,
            on_player=lambda item, player: self.began.put_nowait(player),
            on_played=self.note,
        )


@asynccontextmanager
async def announcing(
    node: Node, main: Announcement, plays: Plays
) -> AsyncIterator[tuple[Podium, asyncio.Task[str], Listener]]:
    """Play one thing into a conference, while somebody listens in the one that it will be moved to."""
    async with (
        listening(session(node, "there")) as ear,
        open_podiums([session(node, "here", "Announcer")], main) as [podium],
        asyncio.TaskGroup() as group,
    ):
        assert isinstance(podium, Podium)
        announcer = plays.announcer([podium], main, AnnouncerConfig(stays=False))
        announcer.add("words", why="test")
        yield podium, group.create_task(announcer.run()), ear


async def transfer(node: Node, podium: Podium, alias: str) -> None:
    """Send an announcer to another conference, as a Host does."""
    me = ParticipantUuid(podium.conference.participant_uuid)
    async with pexrtc_py.connect(node.url, podium.alias, display_name="Host") as host:
        await host.client.participant_transfer(me, TransferRequest(conference_alias=alias, role=ParticipantRole.CHAIR))


async def reached(player: Player, seconds: float) -> None:
    """Wait until so much of it has been played; nobody tells each frame."""
    await until(lambda: player.position_s >= seconds)


@pytest.mark.slow
async def test_what_is_played_begins_again_in_the_other_conference(node: Node, tmp_path: Path) -> None:
    """Moved in the middle: the other conference hears all of it, from the first word; both are told of."""
    words = babble(1.5)
    path = write_wav(tmp_path / "words.wav", words)
    main = await announcement_of_sources([str(path)], how=Readiness(cache=tmp_path))
    plays = Plays()
    async with asyncio.timeout(20), announcing(node, main, plays) as (podium, running, ear):
        await reached(await plays.began.get(), 0.5)
        await transfer(node, podium, "there")
        here, there = await plays.played.get()
        assert await running == "finished"
        await ear.hear_out()
    assert (here.alias, here.ended) == ("here", "transferred to there")
    assert 0.4 < here.duration_s < 1.5
    assert (there.alias, there.ended, there.acknowledged) == ("there", "finished", True)
    assert there.duration_s == pytest.approx(1.5, abs=0.05)
    assert max(missing_ends(words, heard(ear))) <= 0.021


async def test_rules_go_on_in_the_other_conference(node: Node) -> None:
    """Moved while it waits: it is asked there and plays there; who was there already is not greeted."""
    main = await announcement_of_sources(["for:0.3:tone:440"])
    plays = Plays()
    rules = [
        Rule(trigger=OnChat("!play"), source="tone", why="chat"),
        Rule(trigger=OnJoin(0.05), source="tone", why="join"),
    ]
    async with (
        asyncio.timeout(20),
        pexrtc_py.connect(node.url, "there", display_name="Person", call_tag="") as person,
        open_podiums([session(node, "here", "Announcer")], main, listen=True) as [podium],
        asyncio.TaskGroup() as group,
    ):
        assert isinstance(podium, Podium)
        announcer = plays.announcer([podium], main, AnnouncerConfig(rules=rules))
        running = group.create_task(announcer.run())
        place = podium.place
        await transfer(node, podium, "there")
        assert await podium.after(place) is podium.place
        asking = group.create_task(keep_asking(person))
        [played] = await plays.played.get()
        asking.cancel()
        assert (played.alias, played.ended) == ("there", "finished")
        assert {item.why for item in plays.items} == {"chat"}
        async with pexrtc_py.connect(node.url, "there", display_name="Newcomer", call_tag=""):
            while plays.items[-1].why == "chat":
                await plays.played.get()
        assert plays.items[-1].why == "join"
        announcer.stop()
        assert await running == "stopped"


async def keep_asking(person: pexrtc_py.Conference) -> None:
    """Ask for it again and again: an announcer that has just come may not read the chat yet."""
    while True:
        await person.say("!play")
        await asyncio.sleep(0.2)


@pytest.mark.slow
async def test_what_is_live_goes_on(node: Node) -> None:
    """A source that programs push into is opened once, whatever happens; the other conference hears it from then on."""
    opened: list[PushedSource] = []

    def opener(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
        opened.append(PushedSource())
        return EncodedSource(opened[-1], accept=accept)

    sound = babble(12.0)
    main = Announcement(opener=opener, codecs={Kind.AUDIO: None}, live=True)
    plays = Plays()

    async def push() -> None:
        for at in range(0, len(sound), 960):
            if opened:
                opened[0].push_samples(sound[at : at + 960])
            await asyncio.sleep(0.02)

    async with (
        asyncio.timeout(20),
        announcing(node, main, plays) as (podium, running, ear),
        asyncio.TaskGroup() as group,
    ):
        pushing = group.create_task(push())
        player = await plays.began.get()
        await reached(player, 0.5)
        before = podium.place
        await transfer(node, podium, "there")
        await podium.after(before)
        moved_at = player.position_s
        await reached(player, moved_at + 1.5)
        opened[0].end()
        here, there = await plays.played.get()
        assert await running == "finished"
        await ear.hear_out()
        pushing.cancel()
    assert len(opened) == 1
    assert (here.ended, there.ended) == ("transferred to there", "finished")
    assert there.duration_s == pytest.approx(1.5, abs=0.3)
    piece = sound[round((moved_at + 0.8) * 48000) :][:24000]
    assert find_sound(piece, heard(ear)) is not None


@pytest.mark.slow
async def test_several_conferences_stay_in_step(node: Node, tmp_path: Path) -> None:
    """One of two is moved: the other hears all, where it was moved to the rest is heard, by the same player."""
    words = babble(3.0)
    path = write_wav(tmp_path / "words.wav", words)
    main = await announcement_of_sources([str(path)], how=Readiness(cache=tmp_path))
    plays = Plays()
    sessions = [session(node, alias, "Announcer") for alias in ("stays", "goes")]
    async with (
        asyncio.timeout(20),
        listening(session(node, "stays")) as first,
        listening(session(node, "there")) as second,
        open_podiums(sessions, main) as places,
        asyncio.TaskGroup() as group,
    ):
        podiums = [place for place in places if isinstance(place, Podium)]
        announcer = plays.announcer(podiums, main, AnnouncerConfig(stays=False))
        announcer.add("words", why="test")
        running = group.create_task(announcer.run())
        await reached(await plays.began.get(), 0.5)
        await transfer(node, podiums[1], "there")
        told = await plays.played.get()
        assert await running == "finished"
        await first.hear_out()
        await second.hear_out()
    assert plays.began.empty()
    assert [(one.alias, one.ended) for one in told] == [
        ("stays", "finished"), ("goes", "transferred to there"), ("there", "finished"),
    ]  # fmt: skip
    assert max(missing_ends(words, heard(first))) <= 0.021
    assert find_sound(words[-48000:], heard(second)) is not None
    assert find_sound(words[:12000], heard(second)) is None
