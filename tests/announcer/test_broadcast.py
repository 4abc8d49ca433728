"""What is announced arrives: whole, as loud as it should be, softer while people speak, everywhere at once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import pexrtc_py
from pexrtc_py import CallConfig, Direction, EncodedFrame, Kind, Node, PeerConfig, Present
from pexrtc_py.announcer.announcer import Announcer, AnnouncerConfig
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement, Played
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Kept, Listener, judge, listening
from pexrtc_py.announcer.queue import QueueItem
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.announcer.side_by_side import open_all
from pexrtc_py.cli.exits import ExitCode, exit_code_of
from pexrtc_py.media.comparison import luma_plane, ssim
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.decoding import VideoDecoding
from pexrtc_py.media.loudness import LoudnessMeter
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.slides import fit_image
from pexrtc_py.webrtc.impairment import Impairment
from tests.support.waiting import until

from .hearing import Wave, babble, heard, missing_ends, read_sound, session, without_low, write_wav


async def announced(
    node: Node, announcements: dict[str, Announcement], *, slides: Announcement | None = None
) -> dict[str, tuple[Played, Wave]]:
    """Announce each into a conference of its own, all at the same time; return what a listener in each heard."""
    found: dict[str, tuple[Played, Wave]] = {}

    async def one(alias: str, announcement: Announcement, listener: Listener | pexrtc_py.PexrtcError) -> None:
        assert isinstance(listener, Listener)
        async with open_podiums([session(node, alias, "Announcer")], announcement, slides) as [podium]:
            assert isinstance(podium, Podium)
            [played] = await broadcast([podium], announcement, slides)
        await listener.hear_out()
        found[alias] = played, heard(listener)

    makers = [lambda alias=alias: listening(session(node, alias)) for alias in announcements]
    async with open_all(makers) as listeners, asyncio.TaskGroup() as group:
        for (alias, announcement), listener in zip(announcements.items(), listeners, strict=True):
            group.create_task(one(alias, announcement, listener))
    return found


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where what these tests prepare is kept, so that it is prepared once."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("impaired", "limit_s"), [(False, 0.02), (True, 0.06)])
@pytest.mark.slow
async def test_first_and_last_word_arrive(
    node: Node, tmp_path: Path, cache: Path, *, impaired: bool, limit_s: float
) -> None:
    """Nothing is cut off at either end: within 20 ms without loss, 60 ms at 5 % loss and 200 ms delay; three runs."""
    path = write_wav(tmp_path / "words.wav", babble(1.5))
    main = await announcement_of_sources([str(path)], how=Readiness(cache=cache))
    peers = [PeerConfig()] * 3
    if impaired:
        peers = [PeerConfig(impairment=Impairment(loss=0.05, delay_s=0.2, seed=seed)) for seed in (1, 2, 3)]
    runs = await announced(node, {f"run.{n}": replace(main, peer=peer) for n, peer in enumerate(peers)})
    for played, recording in runs.values():
        assert played.ended == "finished"
        assert played.acknowledged
        start, end = missing_ends(babble(1.5), recording)
        assert start <= limit_s + 1e-6
        assert end <= limit_s + 1e-6


@pytest.mark.slow
async def test_loudness_of_what_arrives(node: Node, tmp_path: Path, cache: Path) -> None:
    """Quiet, loud and clipped speech: each is heard at -20 LUFS, within one LU; with loudness off as loud as it is."""
    voice = read_sound(pexrtc_py.clip_path("announcement.mkv"))[:120_000].astype(np.float64)
    sounds = {
        name: np.clip(voice * factor, -32768, 32767).astype(np.int16)
        for name, factor in {"quiet": 0.05, "loud": 2.0, "clipped": 12.0, "off": 0.2}.items()
    }

    async def make(name: str) -> Announcement:
        how = Readiness(cache=cache, loudness_lufs=None if name == "off" else -20.0)
        return await announcement_of_sources([str(write_wav(tmp_path / f"{name}.wav", sounds[name]))], how=how)

    ready = dict(zip(sounds, await asyncio.gather(*map(make, sounds)), strict=True))
    for name, (_, recording) in (await announced(node, ready)).items():
        found = find_sound(sounds[name], recording)
        assert found is not None, name
        if name == "off":
            assert found.level_db == pytest.approx(0, abs=1)
            continue
        begin = round(found.offset_s * 48000)
        meter = LoudnessMeter(1, peaks=False)
        piece = recording[begin : begin + len(voice)]
        meter.push(np.ascontiguousarray(piece[:, None]))
        assert meter.loudness.integrated_lufs == pytest.approx(-20, abs=1), name


@pytest.mark.slow
async def test_one_player_for_two_conferences_and_proof(node: Node) -> None:
    """Two conferences at once have one player and one encoding; each listener proves sound and every picture."""
    main = await announcement_of_sources([str(pexrtc_py.clip_path("motion.mkv"))])
    aliases = ["one", "two"]
    players: list[Player] = []
    sent = {Kind.AUDIO: Kept(), Kind.VIDEO: Kept()}
    makers = [lambda alias=alias: listening(session(node, alias)) for alias in aliases]
    async with open_all(makers) as ears, open_podiums([session(node, a, "Announcer") for a in aliases], main) as places:
        podiums = [place for place in places if isinstance(place, Podium)]
        played = await broadcast(podiums, main, on_player=players.append, sent=sent)
        for ear in ears:
            assert isinstance(ear, Listener)
            await ear.hear_out()
        assert len(players) == 1
        for one, ear in zip(played, ears, strict=True):
            assert isinstance(ear, Listener)
            assert one.started is not None
            assert one.lost == {Kind.AUDIO: 0, Kind.VIDEO: 0}
            report = await judge(sent, ear, one.started)
            assert report.heard
            assert report.missing_s == 0
            assert report.delay_s == pytest.approx(0.1, abs=0.15)
            assert report.level_db == pytest.approx(0, abs=1)
            assert report.picture
            assert report.pictures_sent == report.pictures_seen == 90


@pytest.mark.slow
async def test_unheard_is_told(node: Node, tmp_path: Path, cache: Path) -> None:
    """An announcer whom the conference has muted is not heard, and the proof says so."""
    main = await announcement_of_sources([str(write_wav(tmp_path / "a.wav", babble(1.5)))], how=Readiness(cache=cache))
    sent = {Kind.AUDIO: Kept()}
    async with (
        listening(session(node, "mute")) as ear,
        open_podiums([session(node, "mute", "Announcer")], main) as [podium],
    ):
        assert isinstance(podium, Podium)
        await podium.conference.client.participant_mute(podium.conference.participant_uuid)
        [played] = await broadcast([podium], main, sent=sent)
        assert played.started is not None
        report = await judge(sent, ear, played.started)
    assert not report.heard
    assert report.missing_s == pytest.approx(1.5, abs=0.1)


@pytest.mark.slow
async def test_a_conference_that_ends_costs_the_others_nothing(node: Node, tmp_path: Path, cache: Path) -> None:
    """Removed from one of two conferences in the middle: the other hears all of it."""
    path = write_wav(tmp_path / "a.wav", babble(1.5))
    main = await announcement_of_sources([str(path)], how=Readiness(cache=cache))
    sessions = [session(node, alias, "Announcer") for alias in ("stays", "goes")]
    async with listening(session(node, "stays")) as ear, open_podiums(sessions, main) as places:
        podiums = [place for place in places if isinstance(place, Podium)]
        goes = podiums[1]

        players: asyncio.Queue[Player] = asyncio.Queue()

        async def remove() -> None:
            player = await players.get()
            await until(lambda: player.position_s >= 0.5)
            await goes.conference.client.participant_disconnect(goes.conference.participant_uuid)

        async with asyncio.TaskGroup() as group:
            removing = group.create_task(remove())
            played = await broadcast(podiums, main, on_player=players.put_nowait)
            await removing
        await ear.hear_out()
        assert played[0].ended == "finished"
        assert played[1].ended != "finished"
        assert max(missing_ends(babble(1.5), heard(ear))) <= 0.021


@pytest.mark.slow
async def test_a_media_path_that_is_lost_is_an_error(node: Node) -> None:
    """Nobody has heard the rest of an announcement, and what is told says so. The conference itself says nothing."""
    main = await announcement_of_sources(["for:60:tone:440"])
    async with asyncio.timeout(30), open_podiums([session(node, "lost", "Announcer")], main) as [podium]:
        assert isinstance(podium, Podium)
        call = podium.main.call
        [played] = await broadcast(
            [podium], main, on_player=lambda _: call.end("the media path is gone", by_node=False)
        )
    assert played.ended == "the media path is gone"
    assert played.error is not None
    assert exit_code_of(played.error) is ExitCode.UNREACHABLE


@pytest.mark.slow
async def test_ducking_is_heard_in_the_mix(node: Node, tmp_path: Path, cache: Path) -> None:
    """While a person speaks the announcement is 12 dB softer in what others hear; before that it is not."""
    sound = babble(3.5, low=1500, high=3400)
    path = write_wav(tmp_path / "music.wav", sound)
    main = await announcement_of_sources([str(path)], how=Readiness(cache=cache, duck=True))
    talk = replace(await announcement_of_sources(["for:2.5:mix:tone:440|tone:550|tone:300"]), hold=False)

    async def material(item: QueueItem) -> Announcement:
        return main

    async with (
        listening(session(node, "duck")) as ear,
        open_podiums([session(node, "duck", "Announcer")], main) as [podium],
        pexrtc_py.connect(node.url, "duck", display_name="Person", call_tag="") as person,
    ):
        assert isinstance(podium, Podium)
        started = asyncio.Event()

        async def speak() -> None:
            await started.wait()
            await asyncio.sleep(1.5)  # a second of holding at most, then a moment of the loud level
            await pexrtc_py.play(person, talk)

        announcer = Announcer(
            [podium], AnnouncerConfig(stays=False), material, on_player=lambda item, player: started.set()
        )
        announcer.add("music", why="test")
        async with asyncio.TaskGroup() as group:
            group.create_task(speak())
            assert await announcer.run() == "finished"
        recording = without_low(heard(ear), 1400)
    begin = find_sound(sound[:14400], recording)
    assert begin is not None
    at = round(begin.offset_s * 48000)
    spoken = find_sound(sound[-48000:], recording[at + len(sound) - 48000 - 4800 : at + len(sound) + 4800])
    assert spoken is not None
    assert spoken.level_db - begin.level_db == pytest.approx(-12, abs=2)


@pytest.mark.slow
async def test_slides_arrive_in_time_and_legible(node: Node, cache: Path) -> None:
    """Two slides beside a sound: each arrives as presentation within half a second of its time, and can be read."""
    paths = [pexrtc_py.clip_path(f"slide-{n}.png") for n in (1, 2)]
    how = Readiness(cache=cache)
    main = await announcement_of_sources(["for:2.2:tone:440"], how=how)
    text = f"slides:{paths[0]}@0,{paths[1]}@1"
    slides = await announcement_of_sources([text], loop=None, how=how, present=True)
    receive = CallConfig(audio=Direction.INACTIVE, video=Direction.RECVONLY, present=Present.RECEIVE)
    kept = Kept()
    async with (
        open_podiums([session(node, "slides", "Announcer")], main, slides) as [podium],
        pexrtc_py.connect(node.url, "slides", display_name="Audience") as audience,
        audience.call(receive) as call,
    ):
        assert isinstance(podium, Podium)
        await call.connected()
        assert call.video is not None
        assert call.video.receiver is not None
        call.video.receiver.add_tap(kept)
        [played] = await broadcast([podium], main, slides)
    assert played.started is not None
    decoding = VideoDecoding()
    shown = [
        (item.arrival - played.started, luma_plane(picture.frame).copy())
        for item in kept.items
        if isinstance(item, EncodedFrame)
        for picture in decoding.feed(item)
    ]
    originals = [luma_plane(fit_image(Image.open(path), 1280, 720)).copy() for path in paths]
    assert shown[0][1].shape == originals[0].shape
    likeness = [(time, [ssim(original, plane) for original in originals]) for time, plane in shown]
    # Legible: as in the picture itself, small letters included.
    times = [min(time for time, alike in likeness if alike[n] == max(alike) > 0.95) for n in (0, 1)]
    assert times[0] <= 0.5
    assert times[1] == pytest.approx(1.0, abs=0.5)
