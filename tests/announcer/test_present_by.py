"""What is presented beside an announcement: by a line of its call or by a call of its own, it is seen, and it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import pexrtc_py
from pexrtc_py import CallConfig, Conference, Direction, Node, PeerConfig, Present, VideoDecoder
from pexrtc_py.announcer.announcer import Announcer, AnnouncerConfig
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import listening
from pexrtc_py.announcer.queue import QueueItem
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.cli.announce_options import read_moments
from pexrtc_py.cli.announce_run import Order, announce_order
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.joining import WayIn
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.screen import Screen
from pexrtc_py.endpoint.presentation import PresentationWay
from pexrtc_py.media.comparison import luma_plane, ssim
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.slides import fit_image
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.protocol.models import ParticipantRole, ParticipantUuid, TransferRequest
from pexrtc_py.tasks import task_owner
from tests.support.waiting import until

from .hearing import babble, heard, missing_ends, session, write_wav

SLIDE = pexrtc_py.clip_path("slide-1.png")
PICTURES = "for:{}:pattern:320x180@15"
LINE, CALL, AUTO = PresentationWay.LINE, PresentationWay.CALL, PresentationWay.AUTO
WAYS = pytest.mark.parametrize("way", [LINE, CALL])

pytestmark = pytest.mark.slow


async def slide(folder: Path) -> Announcement:
    """Make the slide ready."""
    return await announcement_of_sources([str(SLIDE)], loop=None, how=Readiness(cache=folder), present=True)


@cache
def original() -> NDArray[np.uint8]:
    """Return the slide as it is to be seen."""
    return luma_plane(fit_image(Image.open(SLIDE), 1280, 720)).copy()


@asynccontextmanager
async def audience(node: Node, alias: str) -> AsyncIterator[Conference]:
    """Be there as a person."""
    async with pexrtc_py.connect(node.url, alias, display_name="Audience", call_tag="") as person:
        yield person


async def sees_the_slide(person: Conference) -> None:
    """Wait until somebody presents, receive it, and wait until it is the slide, small letters included."""
    await person.session.wait_for(lambda _: person.presentation is not None)
    config = CallConfig(audio=Direction.INACTIVE, video=Direction.RECVONLY, present=Present.RECEIVE)
    async with person.call(config) as call, asyncio.timeout(10):
        assert call.video is not None
        assert call.video.receiver is not None
        async with VideoDecoder(request_key_frame=call.video.receiver.request_key_frame) as decoder:
            call.video.receiver.add_tap(decoder)
            async for picture in decoder.pictures():
                plane = luma_plane(picture.frame)
                if plane.shape == original().shape and ssim(original(), plane) > 0.95:
                    return


async def playing(players: list[Player]) -> None:
    """Wait until what is played has begun: the slide is seen before."""
    await until(lambda: any(player.position_s > 0.3 for player in players))


async def nobody_presents(person: Conference) -> None:
    """Wait until the floor is free."""
    await person.session.wait_for(lambda _: person.presentation is None)


@pytest.mark.parametrize(("way", "calls"), [(LINE, 1), (CALL, 2)])
@pytest.mark.parametrize("pictures", [True, False])
async def test_it_is_seen_and_heard_and_ends(
    node: Node, tmp_path: Path, *, way: PresentationWay, calls: int, pictures: bool
) -> None:
    """The slide is seen while the words are heard from the first to the last; then the floor is free."""
    words = babble(2.5)
    path = write_wav(tmp_path / "words.wav", words)
    source = f"mix:{path}|{PICTURES.format(2.5)}" if pictures else str(path)
    main = await announcement_of_sources([source], how=Readiness(cache=tmp_path))
    shown = await slide(tmp_path)
    async with asyncio.timeout(30), audience(node, "meet.a") as person, listening(session(node, "meet.a")) as ear:
        async with (
            open_podiums([session(node, "meet.a", "Announcer")], main, shown, present_by=way) as [podium],
            task_owner() as tasks,
        ):
            assert isinstance(podium, Podium)
            assert len(podium.conference._calls) == calls
            seen = tasks.start(sees_the_slide(person), name="audience")
            [played] = await broadcast([podium], main, shown)
            assert seen.done(), "it was seen meanwhile"
            await seen
        await nobody_presents(person)
        await ear.hear_out()
    assert (played.ended, played.acknowledged) == ("finished", True)
    assert max(missing_ends(words, heard(ear))) <= 0.021


@WAYS
async def test_removed_in_the_middle(node: Node, tmp_path: Path, *, way: PresentationWay) -> None:
    """The announcement ends with the node's reason, and the floor is free."""
    main = await announcement_of_sources([PICTURES.format(20)])
    shown = await slide(tmp_path)
    players: list[Player] = []
    async with (
        asyncio.timeout(20),
        audience(node, "meet.a") as person,
        open_podiums([session(node, "meet.a", "Announcer")], main, shown, present_by=way) as [podium],
        task_owner() as tasks,
    ):
        assert isinstance(podium, Podium)
        announcing = tasks.start(broadcast([podium], main, shown, on_player=players.append), name="announcing")
        await sees_the_slide(person)
        await playing(players)
        await person.client.participant_disconnect(ParticipantUuid(podium.conference.participant_uuid))
        [played] = await announcing
        await nobody_presents(person)
    assert played.error is not None
    assert 0.3 < played.duration_s < 20


@WAYS
async def test_whoever_takes_the_floor_keeps_it(node: Node, tmp_path: Path, *, way: PresentationWay) -> None:
    """Somebody else presents in the middle: the words go on to their end, and then that one presents still."""
    main = await announcement_of_sources([PICTURES.format(2)])
    shown = await slide(tmp_path)
    players: list[Player] = []
    async with asyncio.timeout(20), audience(node, "meet.a") as person, audience(node, "meet.a") as thief:
        async with (
            open_podiums([session(node, "meet.a", "Announcer")], main, shown, present_by=way) as [podium],
            task_owner() as tasks,
        ):
            assert isinstance(podium, Podium)
            announcing = tasks.start(broadcast([podium], main, shown, on_player=players.append), name="announcing")
            await sees_the_slide(person)
            await playing(players)
            await thief.client.participant_take_floor(thief.participant_uuid)
            [played] = await announcing
        await person.session.wait_for(
            lambda _: "Announcer" not in {p.display_name for p in person.participants.values()}
        )
        assert person.presentation is not None
        assert person.presentation.presenter_uuid == thief.participant_uuid
    assert (played.ended, played.error) == ("finished", None)


@WAYS
async def test_transferred_in_the_middle(node: Node, tmp_path: Path, *, way: PresentationWay) -> None:
    """The slide is seen in the other conference, where the words begin again; in the first the floor is free."""
    main = await announcement_of_sources([PICTURES.format(3)], how=Readiness(cache=tmp_path))
    shown = await slide(tmp_path)
    players: list[Player] = []

    async def material(item: QueueItem) -> Announcement:
        return main

    async with (
        asyncio.timeout(30),
        audience(node, "meet.a") as here,
        audience(node, "meet.b") as there,
        open_podiums([session(node, "meet.a", "Announcer")], main, shown, present_by=way) as [podium],
        task_owner() as tasks,
    ):
        assert isinstance(podium, Podium)
        announcer = Announcer(
            [podium],
            AnnouncerConfig(stays=False, slides=shown),
            material,
            on_player=lambda _, player: players.append(player),
        )
        announcer.add("pattern", why="test")
        running = tasks.start(announcer.run(), name="announcing")
        await sees_the_slide(here)
        await playing(players)
        me = ParticipantUuid(podium.conference.participant_uuid)
        await here.client.participant_transfer(
            me, TransferRequest(conference_alias="meet.b", role=ParticipantRole.CHAIR)
        )
        await sees_the_slide(there)
        await nobody_presents(here)
        assert podium.alias == "meet.b"
        assert len(podium.conference._calls) == (1 if way is LINE else 2)
        assert await running == "finished"


@WAYS
async def test_stopped_by_a_signal(node: Node, tmp_path: Path, *, way: PresentationWay) -> None:
    """The command is asked to finish while the slide is seen: it does, and the floor is free before it is gone."""
    moments = read_moments(
        [], at=[], every=None, people=None, greet=False, digits=None, chat=None, skip_when=[], stop_when=[], plays=None
    )
    order = Order(
        aliases=["meet.a"], sources=[PICTURES.format(60)], present=str(SLIDE), present_by=way, loop=1,
        readiness=Readiness(cache=tmp_path), moments=moments, say="", digits_before=[], digits_after=[], prove=False,
        log=None, queue=None, name="Announcer", way=WayIn(node=node.url), peer=PeerConfig(),
    )  # fmt: skip
    stopping = Stopping()
    async with asyncio.timeout(20), audience(node, "meet.a") as person, task_owner() as tasks:
        running = tasks.start(announce_order(order, stopping, Screen(quiet=True)), name="announce")
        await sees_the_slide(person)
        stopping.event.set()
        await nobody_presents(person)
        assert await running is ExitCode.DONE


@pytest.mark.parametrize(
    ("version", "source", "calls"),
    [("37", PICTURES, 1), ("29", PICTURES, 1), ("28", PICTURES, 2), ("37", "for:{}:tone:440", 2)],
)
async def test_what_the_node_is_decides(tmp_path: Path, version: str, source: str, calls: int) -> None:
    """A line where the node knows `update` and `take_floor`, and the call has pictures anyway."""
    main = await announcement_of_sources([source.format(1)], how=Readiness(cache=tmp_path))
    shown = await slide(tmp_path)
    async with (
        asyncio.timeout(20),
        Node(NodeConfig(version=version)) as node,
        open_podiums([session(node, "meet.a", "Announcer")], main, shown, present_by=AUTO) as [podium],
    ):
        assert isinstance(podium, Podium)
        assert len(podium.conference._calls) == calls
