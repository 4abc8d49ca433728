"""Sound and picture on one timeline, through the mix and as slides, whoever begins when."""

from __future__ import annotations

import asyncio
import time as clocks

import numpy as np
import pytest

from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.media.mixer_queue import InputQueue
from pexrtc_py.node.forwarding import Feed, Outlet
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.sender import Sender
from tests.node.conference_media_clients import Client, Heard, Seen, conference, grey_picture, luma_of

TICK = 0.02


def flashes(seen: Seen) -> list[float]:
    """When the picture became white."""
    white = [time for time, frame in seen.pictures if luma_of(frame) > 150]
    return [time for before, time in zip([0.0, *white], white, strict=False) if time - before > 0.5]


def beeps(heard: Heard) -> list[float]:
    """When the tone began."""
    samples = np.concatenate([sound.samples[:, 0] for sound in heard.sounds])
    times = np.concatenate([sound.time + np.arange(len(sound.samples)) / 48000 for sound in heard.sounds])
    loud = np.flatnonzero(np.abs(samples.astype(int)) > 3000)
    starts: list[float] = times[loud[np.diff(loud, prepend=-48000) > 24000]].tolist()
    return starts


def matched(seen: Seen, heard: Heard) -> list[float]:
    """How much later each flash came than its beep, where both came."""
    starts = np.array(beeps(heard))
    nearest = [flash - starts[np.abs(starts - flash).argmin()] for flash in flashes(seen)] if len(starts) else []
    return [float(offset) for offset in nearest if abs(offset) < 0.3]


async def flash_and_beep(client: Client, *, seconds: float) -> None:
    """Send white pictures, main and slides, and a tone for 120 ms in every second, all of the same instants."""
    lines = [client.audio, client.video, client.present]
    voice, *screens = [line.sender for line in lines if line is not None and line.sender is not None]
    faces = [(screen, VideoEncoder(Codec.VP8, 160, 120, 25, 400_000)) for screen in screens]
    sound = AudioEncoder()
    wanted: set[Sender] = set()
    for screen in screens:
        screen.on_key_frame_request = lambda screen=screen: wanted.add(screen)
    wave = (8000 * np.sin(2 * np.pi * 1000 * np.arange(960) / 48000)).astype(np.int16)
    began = clocks.monotonic()
    for tick in range(round(seconds * 50)):
        now = began + tick * TICK
        await asyncio.sleep(max(0.0, now - clocks.monotonic()))
        on = 26 <= tick % 50 < 32
        for frame in sound.encode(wave if on else wave * 0, rtp_time=960 * tick, time=now):
            voice.push(frame)
        for screen, face in faces if tick % 2 == 0 else []:
            picture = grey_picture(220 if on else 30)
            for frame in face.encode(picture, rtp_time=1800 * tick, time=now, force_key=screen in wanted):
                wanted.discard(screen)
                screen.push(frame)


@pytest.mark.slow
async def test_a_watcher_a_second_late_has_flash_and_beep_at_once() -> None:
    """Main picture and slides: within 20 ms of the sound, though that waits in the mix."""
    ada, ben = Client("ada"), Client("ben")
    async with conference(ada, ben) as (media, _):
        ada.add_main()
        ada.add_slides(Direction.SENDONLY)
        await ada.join(media)
        media.set_stage([ada.name])
        media.set_floor(ada.name)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(flash_and_beep(ada, seconds=4.0))
            await asyncio.sleep(1.0)
            ben.add_main()
            ben.add_slides(Direction.RECVONLY)
            await ben.join(media)
        await asyncio.sleep(0.3)
    for seen in (ben.seen, ben.slides):
        offsets = matched(seen, ben.heard)
        assert len(offsets) >= 2
        assert np.median(offsets) == pytest.approx(0.0, abs=0.02), offsets


class Sent:
    """A subscriber's sender that notes NTP times, as its reports would tell them."""

    def __init__(self) -> None:
        self.times: dict[int, float] = {}

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        self.times[int(item.data)] = item.time

    def end(self) -> None:
        pass


@pytest.mark.parametrize(("sound_from", "picture_from"), [(0, 1), (0, 10), (1, 0), (10, 0)])
def test_sound_and_picture_that_begin_apart_are_joined(sound_from: float, picture_from: float) -> None:
    """In virtual time: sound travels 30 ms and pictures 80; within 20 ms from a second after the later one's report."""
    clock = CallClock()
    sound, picture = clock.stream(Kind.AUDIO, 48000), clock.stream(Kind.VIDEO, 90000)
    queue, subscriber = InputQueue(), Sent()
    feed = Feed(lambda: None)
    outlet = Outlet(subscriber, codecs=(Codec.VP8,), name="subscriber")
    outlet.show(feed)
    heard: dict[int, float] = {}
    for tick in range(round(16 / TICK)):
        now = 100 + tick * TICK
        if tick * TICK >= sound_from:
            if tick % 50 == 49:
                sound.sender_report(1.7e9 + tick * TICK, 960 * tick, now + 0.03)
            queue.push(np.full(960, 3000 + tick, np.int16), sound.place(960 * tick, now + 0.03))
        frame = queue.pull()
        if frame is not None and queue.time is not None:
            heard[int(frame[0]) - 3000] = now + 0.035
            feed.delay_s = now + 0.035 - queue.time
        if tick * TICK >= picture_from:
            if tick % 50 == 48:
                picture.sender_report(1.7e9 + tick * TICK, 1800 * tick, now + 0.08)
            time = picture.place(1800 * tick, now + 0.08)
            data = str(tick).encode()
            feed.push(EncodedFrame(codec=Codec.VP8, data=data, rtp_time=1800 * tick, time=time, key=True))
    joined = (max(sound_from, picture_from) + 2) / TICK
    offsets = [subscriber.times[tick] - heard[tick] for tick in subscriber.times if tick in heard and tick > joined]
    assert len(offsets) > 150
    assert max(map(abs, offsets)) < 0.02
