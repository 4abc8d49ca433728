"""Who joins prepared media in the middle of a group sees it at once, and nobody else notices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import av
import numpy as np
import pytest

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.player import Clock, Player, Timer
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.media.sources.generated import Screen
from pexrtc_py.media.sources.pattern import pattern
from pexrtc_py.webrtc.sender_replay import GroupReplay, feed_sender
from tests.support.taps import Collector

from .link import Link, Recorder, vp8_frame


class Together(Clock):
    """A clock that takes the links along to each moment it is asked for."""

    def __init__(self, *links: Link) -> None:
        self._links = links

    def now(self) -> float:
        return self._links[0].now

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        def jump() -> None:
            for link in self._links:
                link.run(max(when, link.now))
            callback()

        return asyncio.get_running_loop().call_soon(jump)


def decoded(frames: list[EncodedFrame]) -> list[np.ndarray[tuple[int, ...], np.dtype[np.uint8]]]:
    """Decode pictures one by one."""
    decoder = av.CodecContext.create("vp8", "r")
    pictures = []
    for frame in frames:
        pictures += [picture.to_ndarray(format="gray") for picture in decoder.decode(av.Packet(frame.data))]
    return pictures  # type: ignore[return-value]  # gray is one byte a pixel


async def test_only_who_asks_gets_the_group_again_and_decodes_the_present_picture() -> None:
    """Two far sides of one player, one there from the start, one a second and a half late in the middle of a group."""
    early, late = Link(Codec.VP8, round_trip_s=0.04), Link(Codec.VP8, round_trip_s=0.04)
    begin = early.now
    late.lose = lambda way, packet: late.now < begin + 1.5
    source = open_file(clip_path("motion.mkv"), accept={Kind.VIDEO: [Codec.VP8]})
    pushed = Collector()
    async with Player(source, {Kind.VIDEO: [pushed]}, clock=Together(early, late)) as player:
        taps = [feed_sender(player, link.sender) for link in (early, late)]
        await player.finished()
    assert taps[0] is not early.sender
    for link in (early, late):
        link.run(link.now + 1)
    assert not pushed.gaps
    # Who was there all the time got each picture once.
    assert [frame.data for frame in early.tap.frames] == [frame.data for frame in pushed.frames]
    # Who came late saw something within 0.2 s: a whole group up to then, then what followed.
    assert late.tap.frame_times[0] - begin - 1.5 < 0.2
    assert late.tap.frames[0].key
    came = sum(time < begin + 1.5 + 0.2 for time in late.tap.frame_times)
    before = sum(frame.time - pushed.frames[0].time < 1.5 for frame in pushed.frames)
    assert came >= 0.5 * (before % 30)
    stamps = [frame.rtp_time for frame in late.tap.frames]
    assert stamps == sorted(set(stamps))
    last = decoded(late.tap.frames)[-20:]
    assert len(last) == 20
    for mine, theirs in zip(last, decoded(early.tap.frames)[-20:], strict=True):
        assert np.array_equal(mine, theirs)
    assert not late.tap.gaps


async def test_an_encoder_makes_a_key_frame_instead() -> None:
    """A source that encodes is asked for a key frame, and for the far side's rate."""
    link = Link(Codec.VP8)
    raw = pattern(Screen(width=160, height=90, frame_rate=15.0), duration_s=1.0)
    source = EncodedSource(raw, accept={Kind.VIDEO: [Codec.VP8]})
    async with Player(source, {}, clock=Together(link)) as player:
        assert feed_sender(player, link.sender) is link.sender
        assert link.sender.on_key_frame_request == player.request_key_frame
        assert link.sender.on_bitrate == player.set_bitrate
        await player.finished()
    link.run(link.now + 1)
    assert len(link.tap.frames) == pytest.approx(15, abs=1)


def test_prepared_media_answers_by_sending_its_group_again() -> None:
    tap = Recorder()
    replay = GroupReplay(tap, frame_ticks=3000)
    frames = [vp8_frame(number, key=number in {0, 5}, size=200, time=number / 30) for number in range(9)]
    for frame in frames:
        replay.push(frame)
    replay.replay()
    again = tap.frames[9:]
    assert [frame.data for frame in again] == [frame.data for frame in frames[5:]]
    stamps = [frame.rtp_time for frame in tap.frames]
    assert stamps == sorted(set(stamps))
    assert stamps[-1] < 9 * 3000  # before the next frame
    replay.end()
    replay.replay()
    assert tap.ended == 1
    assert len(tap.frames) == 13


def test_a_late_receiver_of_prepared_media_sees_it_at_once() -> None:
    link = Link(Codec.VP8, round_trip_s=0.04)
    replay = GroupReplay(link.sender, frame_ticks=3000)
    link.sender.on_key_frame_request = replay.replay
    start = link.now
    sent: list[EncodedFrame] = []
    link.lose = lambda way, packet: link.now < start + 2.0
    for number in range(120):  # one key frame in four seconds
        sent.append(vp8_frame(number, key=number == 0, size=2000, time=link.now))
        replay.push(sent[-1])
        link.run(start + (number + 1) / 30)
    link.run(link.now + 1)
    assert link.tap.frames[0].data == sent[0].data
    assert link.tap.frame_times[0] - start < 2.0 + 0.2
    assert link.tap.frames[-1].data == sent[-1].data
