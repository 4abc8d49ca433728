"""Between finding that a packet is missing and asking for it no time is lost, by the timers that a peer has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import Feedback, MediaFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.rtcp import Nack, parse_compound
from pexrtc_py.webrtc.rtp import FIXED_HEADER, parse_header
from pexrtc_py.webrtc.timers import REQUEST_GRAIN_S, Requests, SharedTimer

from .link import MEDIA, RTX


def receiver(send: Callable[[bytes], None] = lambda packet: None) -> Receiver:
    config = ReceiverConfig(
        kind=Kind.VIDEO,
        formats={MEDIA: MediaFormat(codec=Codec.VP8), RTX: RtxFormat(apt=MEDIA)},
        local_ssrc=1,
        feedback=Feedback(nack=True, pli=True, reduced_size=True),
    )
    return Receiver(config, send, CallClock())


def take(receiver: Receiver, number: int, now: float) -> None:
    packet = FIXED_HEADER.pack(0x80, 0x80 | MEDIA, number, number * 3000, 0x1234) + b"\x10\x11" + bytes(50)
    receiver.handle_rtp(packet, parse_header(packet), now)


@pytest.mark.parametrize("lost", [1, 3])
def test_whoever_is_told_of_a_gap_sees_when_to_ask(lost: int) -> None:
    """It was told before the first packet behind the gap was held, and saw nothing due: the request had to wait until
    something else woke the timers, 50 ms in the mean.
    """
    video, due = receiver(), list[float | None]()
    take(video, 1, 10.0)
    video.on_timer = lambda: due.append(video.next_request())
    take(video, 2, 10.03)
    assert not due
    take(video, 3 + lost, 10.06)
    assert due == [pytest.approx(10.06)]


def test_sound_behind_a_gap_is_due_when_its_patience_ends() -> None:
    """Where nothing is asked for, what waits for those before it was given out late for the same reason."""
    config = ReceiverConfig(kind=Kind.AUDIO, formats={MEDIA: MediaFormat(codec=Codec.OPUS)}, local_ssrc=1)
    sound, due = Receiver(config, lambda packet: None, CallClock()), list[float | None]()
    take(sound, 1, 10.0)
    sound.on_timer = lambda: due.append(sound.next_timer())
    take(sound, 3, 10.04)
    assert due == [pytest.approx(10.04 + config.patience_s)]


async def test_a_timer_of_requests_asks_within_milliseconds() -> None:
    """As a peer sets it; nothing else wakes it."""
    asked = asyncio.Event()

    def send(data: bytes) -> None:
        if any(isinstance(packet, Nack) and packet.lost == (2,) for packet in parse_compound(data)):
            asked.set()

    video = receiver(send)
    timer = SharedTimer(lambda: (Requests(video),), grain_s=REQUEST_GRAIN_S)
    video.on_timer = timer.arm
    began = time.monotonic()
    take(video, 1, began)
    take(video, 3, began)
    async with asyncio.timeout(0.5):
        await asked.wait()
    timer.close()
