"""What an announcer encodes follows what its far side says of the way."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from pexrtc_py import EncodedFrame, Kind, Node
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Kept
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.encoded import EncodeConfig, EncodedSource
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.media.sources.raw import RawFormat, Sound, sound_at
from tests.media.sources.test_tuning import carries_the_one_before
from tests.webrtc.test_rate_over_sockets import busy_pictures

from .hearing import session


class Stereo:
    """Noise without end, another in each ear."""

    live = False

    def __init__(self) -> None:
        self.formats = {Kind.AUDIO: RawFormat(channels=2)}
        self._dice = np.random.default_rng(1)
        self._count = 0

    def pull(self) -> Sound:
        """Return the next 20 ms."""
        self._count += 1
        return sound_at(self._count - 1, self._dice.integers(-3000, 3000, (960, 2), dtype=np.int16))

    def close(self) -> None:
        """There is nothing to close."""


def say(podium: Podium, parameters: str) -> None:
    """Have the far side wish something of its Opus."""
    line = podium.place.main.call.audio
    assert line is not None
    assert line.negotiated is not None
    assert line.negotiated.send[0].name == "opus"
    assert "stereo=1" in line.negotiated.send[0].parameters, "what our node wishes"
    send = tuple(replace(payload, parameters=parameters) for payload in line.negotiated.send)
    line.negotiated = replace(line.negotiated, send=send)


def rate_bps(kept: Kept, start_s: float, end_s: float) -> float:
    """Bits per second of the frames of a part of what was sent, in seconds from its first."""
    frames = [item for item in kept.items if isinstance(item, EncodedFrame)]
    begun = frames[0].time
    some = [len(frame.data) for frame in frames if start_s <= frame.time - begun < end_s]
    return 8 * sum(some) / (end_s - start_s)


async def test_pictures_follow_a_far_side_that_names_no_limit(node: Node) -> None:
    """600 kb/s as configured; asked for 150 the next second has less than half, though the call names no limit."""
    announcement = Announcement(
        opener=lambda accept: EncodedSource(busy_pictures(), accept=accept, config=EncodeConfig(video_bps=600_000)),
        codecs={Kind.VIDEO: None},
        hold=False,
    )
    kept, players = Kept(), list[Player]()
    async with open_podiums([session(node, "one", "Announcer")], announcement) as [podium]:
        assert isinstance(podium, Podium)
        sender = podium.place.main.senders[Kind.VIDEO]
        sender.reconfigure(replace(sender.config, max_bitrate_bps=None))
        assert sender.rate.bitrate_bps is None
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            playing = group.create_task(
                broadcast([podium], announcement, on_player=players.append, sent={Kind.VIDEO: kept})
            )
            await kept.goes_on(1.3)
            assert sender.rate.bitrate_bps == 600_000
            sender.handle_remb(150_000)
            await kept.goes_on(1.5)
            players[0].stop()
        assert playing.result()[0].ended == "stopped"
    assert rate_bps(kept, 0.3, 1.3) > 400_000
    assert rate_bps(kept, 1.8, 2.8) < 250_000


@pytest.mark.parametrize(
    ("parameters", "stereo", "least_bps", "most_bps"),
    [
        (None, True, 70_000, 130_000),
        ("minptime=10;useinbandfec=1;usedtx=1", False, 45_000, 90_000),
        ("stereo=1;maxaveragebitrate=24000", True, 15_000, 26_000),
    ],
)
async def test_sound_is_encoded_as_the_far_side_wishes(
    node: Node, parameters: str | None, *, stereo: bool, least_bps: int, most_bps: int
) -> None:
    """Two channels and bits as it says in its `a=fmtp` (RFC 7587 section 6.1), which nobody read; from the start."""
    announcement = Announcement(
        opener=lambda accept: EncodedSource(Stereo(), accept=accept), codecs={Kind.AUDIO: None}, hold=False
    )
    kept, players = Kept(), list[Player]()
    async with open_podiums([session(node, "one", "Announcer")], announcement) as [podium]:
        assert isinstance(podium, Podium)
        if parameters is not None:
            say(podium, parameters)
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            group.create_task(broadcast([podium], announcement, on_player=players.append, sent={Kind.AUDIO: kept}))
            await kept.goes_on(0.9)
            players[0].stop()
    frames = [item for item in kept.items if isinstance(item, EncodedFrame)]
    assert {bool(frame.data[0] & 4) for frame in frames} == {stereo}  # TOC, RFC 6716 section 3.1
    assert least_bps < rate_bps(kept, 0.1, 0.9) < most_bps
    assert len(frames) >= 45, "no DTX for the asking"


async def test_reported_loss_is_what_sound_is_encoded_for(node: Node) -> None:
    """Correction comes into speech with a reported loss, in a source that is configured for none."""
    path = clip_path("announcement.mkv")
    config = EncodeConfig(audio_bps=32_000, audio_loss_percent=0, level_lufs=-20.0)
    announcement = Announcement(
        opener=lambda accept: open_file(path, accept=accept, config=config, loop=None),
        codecs={Kind.AUDIO: None},
        hold=False,
    )
    kept, players = Kept(), list[Player]()
    async with open_podiums([session(node, "one", "Announcer")], announcement) as [podium]:
        assert isinstance(podium, Podium)
        sender = podium.place.main.senders[Kind.AUDIO]
        async with asyncio.timeout(15), asyncio.TaskGroup() as group:
            group.create_task(broadcast([podium], announcement, on_player=players.append, sent={Kind.AUDIO: kept}))
            await kept.goes_on(0.5)
            for second in range(3):
                sender.expected_loss.handle_loss(0.3, 1e12 + 5 * second)
            assert sender.expected_loss.percent == 15
            await kept.goes_on(2.8)
            players[0].stop()
    frames = [item for item in kept.items if isinstance(item, EncodedFrame)]
    parts = frames[:25], frames[125:]  # two seconds of a file without pictures are read ahead
    before, after = (sum(map(carries_the_one_before, part)) for part in parts)
    assert before == 0
    assert after > 10
