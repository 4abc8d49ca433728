"""Recording and announcing at a node that knows nothing of us, with the odd ways of real ones: sound and picture looked
at on both sides."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

import pexrtc_py
from pexrtc_py import (
    AudioDecoder,
    Call,
    CallConfig,
    Direction,
    RecordingConfig,
    RecordJob,
    SessionConfig,
    StopRules,
    open_conference,
)
from pexrtc_py.endpoint.presentation import PresentationWay
from pexrtc_py.errors import TransportError, UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.decoding import Sound
from pexrtc_py.protocol.models import UpdateRequest
from pexrtc_py.signalling import HttpConfig
from pexrtc_py.tasks import first_of
from pexrtc_py.webrtc.peer import PeerState
from pexrtc_py.webrtc.transport_statistics import LocalCandidate

from ..support.replay_media import TONE_HZ
from ..support.replay_node import ReplayNode, run_replay_node
from ..support.waiting import until

ALIAS = "meet.replay"


def strongest_hz(samples: np.ndarray[Any, Any], rate: int) -> float:
    """Return the frequency that is strongest in so many samples."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * rate / len(samples))


def decoded(path: Path) -> tuple[np.ndarray[Any, Any], int, list[tuple[float, np.ndarray[Any, Any]]]]:
    """Decode a recording: its sound, the rate of that, and its pictures with their times."""
    sound: list[np.ndarray[Any, Any]] = []
    pictures, rate = [], 48000
    with av.open(str(path)) as container:
        for frame in container.decode():
            if isinstance(frame, av.AudioFrame):
                rate = frame.sample_rate
                samples = frame.to_ndarray()
                sound.append(samples[0] if frame.format.is_planar else samples[0, :: len(frame.layout.channels)])
            elif isinstance(frame, av.VideoFrame):
                assert frame.time is not None
                pictures.append((frame.time, frame.to_ndarray(format="gray")))
    return (np.concatenate(sound) if sound else np.zeros(0)), rate, pictures


def bar_at(picture: np.ndarray[Any, Any]) -> float:
    """Return where the white bar stands: the middle of what is brighter than halfway."""
    columns = np.flatnonzero(picture.mean(axis=0) > 175)
    assert 10 <= len(columns) <= 30, "one bar of 20 columns"
    return float(columns.mean())


async def present_slides(node: ReplayNode, presented: asyncio.Event) -> None:
    """Let George present as soon as the first call is there."""
    await until(lambda: any(call.acks for call in node.calls.values()), within_s=40)
    george = next(p for p in node.participants.values() if p["display_name"] == "George")
    start = {"presenter_name": "George", "presenter_uri": "", "presenter_uuid": george["uuid"]}
    node.send("presentation_start", start)
    presented.set()


@pytest.mark.parametrize(
    ("way", "calls"),
    [(PresentationWay.AUTO, [""]), (PresentationWay.CALL, ["", "receive"])],
    ids=["line", "call"],
)
async def test_record(way: PresentationWay, calls: list[str], tmp_path: Path) -> None:
    """A recording has the node's tone and its moving bar, and the slides have their own file, however they come."""
    path = tmp_path / "talk.mkv"
    presented = asyncio.Event()
    async with run_replay_node() as node, asyncio.timeout(40), asyncio.TaskGroup() as tasks:
        tasks.create_task(present_slides(node, presented))
        recorded = await pexrtc_py.record(
            RecordJob(
                session=SessionConfig(node_url=node.url, alias=ALIAS, call_tag=pexrtc_py.RECORDER_TAG),
                recording=RecordingConfig(path=path, stop=StopRules(duration_s=3.0)),
                slides_by=way,
            )
        )
        assert presented.is_set()
        assert node.refused == []
        assert node.released == 1
        assert sorted(call.present or "" for call in node.calls.values()) == calls
        assert all(call.acks for call in node.calls.values())
    assert recorded.result.file == path
    assert {stream.role for stream in recorded.result.streams} == {"audio", "video", "slides"}
    sound, rate, pictures = decoded(path)
    assert len(sound) / rate > 2.5
    assert abs(strongest_hz(sound[rate // 2 : rate // 2 * 5], rate) - TONE_HZ) < 2
    assert len(pictures) > 20
    bars = [bar_at(picture) for _, picture in pictures]
    steps = np.diff(bars)
    assert np.median(steps) == 8, "the bar moves by eight columns a picture, as it was sent"
    [slides] = [stream.file for stream in recorded.result.streams if stream.role == "slides"]
    assert slides != path
    _, _, shown = decoded(slides)
    assert shown
    last = shown[-1][1].mean(axis=0)
    assert last[:150].mean() > 220
    assert last[170:].mean() < 35


async def heard(node: ReplayNode, frames: int) -> None:
    """Wait until so many frames of sound have been decoded at the node."""
    await until(lambda: any(call.audio_frames >= frames for call in node.calls.values()), within_s=40)


async def test_announce_a_tone() -> None:
    """A tone that is announced is heard at the node, decoded there, at its frequency and without a break."""
    async with run_replay_node() as node, asyncio.timeout(40):
        async with pexrtc_py.connect(node.url, ALIAS) as conference:
            await first_of(announcing=pexrtc_py.announce(conference, "tone:620"), heard=heard(node, 125))
        [call] = node.calls.values()
        samples = np.concatenate(call.heard)
        loud = samples[np.flatnonzero(np.abs(samples) > 100)[0] + 4800 :]
        assert len(loud) > 48000
        assert abs(strongest_hz(loud, 48000) - 620) < 2
        levels = np.abs(loud[: len(loud) // 480 * 480]).reshape(-1, 480).max(axis=1)
        assert levels.min() > 0.7 * levels.max()
        assert node.refused == []


@pytest.mark.slow
@pytest.mark.parametrize("way", [PresentationWay.LINE, PresentationWay.CALL])
async def test_announce_a_clip_with_slides(way: PresentationWay) -> None:
    """Picture and sound of a clip arrive and are decoded at the node, and so does a slide, whichever way it goes."""
    async with run_replay_node() as node, asyncio.timeout(60):
        async with pexrtc_py.connect(node.url, ALIAS) as conference:
            clip, slide = str(clip_path("motion.mkv")), str(clip_path("slide-1.png"))
            await pexrtc_py.announce(conference, clip, present=slide, present_by=way)
        calls = {call.present: call for call in node.calls.values()}
        assert set(calls) == ({None} if way is PresentationWay.LINE else {None, "send"})
        with av.open(clip) as container:
            sent = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
        assert calls[None].video_frames > len(sent) * 0.6, "some are lost at the start, until a key frame"
        last = calls[None].seen[-1]
        assert last.shape == sent[-1].shape
        errors = [float(np.abs(last.astype(int) - picture.astype(int)).mean()) for picture in sent[-10:]]
        assert min(errors) < 6, "one of the last pictures, as it was"
        assert np.concatenate(calls[None].heard).astype(float).std() > 50
        seen = (calls[None].slides_seen if way is PresentationWay.LINE else calls["send"].seen)[-1]
        with av.open(slide) as image:
            shown = next(image.decode(video=0)).reformat(width=seen.shape[1], height=seen.shape[0], format="gray")
        assert np.abs(seen.astype(int) - shown.to_ndarray().astype(int)).mean() < 8


async def test_a_call_in_a_breakout() -> None:
    """A Host calls into a breakout it may look into, hears what is heard there, and learns when the breakout ends."""
    breakout, inside = "04fe9b38-4354-4e87-a4b3-6f589a8dafa3", "1e1bdef4-323c-4ed2-8765-1153be63760e"
    async with run_replay_node() as node, asyncio.timeout(40):
        node.breakouts[breakout] = inside
        async with pexrtc_py.connect(node.url, ALIAS) as conference:
            await conference.session.wait_for(lambda s: s.roster.synced)
            node.send("breakout_begin", {"breakout_uuid": breakout, "participant_uuid": inside})
            await conference.session.wait_for(lambda s: breakout in s.roster.breakouts)
            with pytest.raises(UsageError, match="none that we may look into"):
                async with conference.call(CallConfig(breakout="another")):
                    pass
            config = CallConfig(breakout=breakout, video=Direction.INACTIVE)
            async with conference.call(config) as call, AudioDecoder() as decoder:
                await call.connected()
                assert call.audio is not None
                assert call.audio.receiver is not None
                call.audio.receiver.add_tap(decoder)
                sounds: list[np.ndarray[Any, Any]] = []
                async for sound in decoder.sounds():
                    sounds.append(sound.samples[:, 0])
                    if len(sounds) == 60:
                        break
                assert abs(strongest_hz(np.concatenate(sounds).astype(float), 48000) - TONE_HZ) < 3
                node.send("breakout_end", {"breakout_uuid": breakout, "participant_uuid": inside})
                assert await call.ended() == "the breakout has ended"
        assert [call.acks for call in node.calls.values()] == [1]


async def test_an_ice_restart_that_the_node_ignores() -> None:
    """A node that answers it with its old credentials, or not at all, keeps its call: sound passes as before."""
    async with run_replay_node() as node, asyncio.timeout(40):
        session = SessionConfig(node_url=node.url, alias=ALIAS, http=HttpConfig(slow_answer_s=1.0))
        async with open_conference(session) as conference, AudioDecoder() as decoder:
            config = CallConfig(video=Direction.INACTIVE)
            async with conference.call(config) as call:
                await call.connected()
                assert call.audio is not None
                assert call.audio.receiver is not None
                call.audio.receiver.add_tap(decoder)
                sounds = decoder.sounds()
                port = local_port(call)
                await sound_passes(sounds)

                async def restart() -> None:
                    offer = await call.peer.create_offer(restart=True)
                    assert f"a=ice-ufrag:{ufrag}" not in offer
                    client, me = conference.client, conference.participant_uuid
                    result = await client.call_update(me, call.uuid, UpdateRequest(sdp=offer))
                    answer = result if isinstance(result, str) else result.sdp
                    assert isinstance(answer, str)
                    assert [line for line in answer.splitlines() if line.startswith("a=ice-ufrag")] == [theirs]
                    await call.peer.accept_answer(answer)

                [ufrag] = re.findall(r"^a=ice-ufrag:(\S+)", call.offer_sdp, flags=re.M)[:1]
                theirs = next(line for line in call.answer_sdp.splitlines() if line.startswith("a=ice-ufrag"))
                await restart()
                await call.connected()
                await sound_passes(sounds)
                assert (call.peer.state, local_port(call)) == (PeerState.CONNECTED, port)

                node.unanswered.add("update")
                with pytest.raises(TransportError, match="call_update"):
                    await restart()
                await sound_passes(sounds)
                assert (call.peer.state, local_port(call)) == (PeerState.CONNECTED, port)
                assert call.ended_reason is None

                node.unanswered.clear()
                await restart()
                await sound_passes(sounds)
                assert (call.peer.state, local_port(call)) == (PeerState.CONNECTED, port)
        assert node.refused == []


def local_port(call: Call) -> int | None:
    """The port that media comes to."""
    return next(item.port for item in call.peer.statistics(0.0) if isinstance(item, LocalCandidate))


async def sound_passes(sounds: AsyncIterator[Sound]) -> None:
    """Hear half a second that came just now, at the pitch it was played."""
    heard: list[np.ndarray[Any, Any]] = []
    async for sound in sounds:
        heard.append(sound.samples[:, 0])
        if len(heard) == 25:
            break
    assert abs(strongest_hz(np.concatenate(heard).astype(float), 48000) - TONE_HZ) < 3
