"""How loud sound is, told beside it (RFC 6464): measured where it is encoded, read where it arrives."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest

from pexrtc_py.media.encoding import AudioEncoder
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.webrtc.statistics import InboundRtp
from tests.support.peers import call, find, listen


@pytest.mark.parametrize("codec", [Codec.OPUS, Codec.G722, Codec.PCMU])
@pytest.mark.parametrize("amplitude", [0, 100, 8000, 32767])
def test_what_is_encoded_says_how_loud_it_is(codec: Codec, amplitude: int) -> None:
    """A sine is 3 dB below its peak; silence is 127."""
    wave = np.round(amplitude * np.sin(2 * np.pi * 400 * np.arange(960 * 5) / 48000)).astype(np.int16)
    encoder = AudioEncoder(codec)
    levels = [f.level for s in np.split(wave, 5) for f in encoder.encode(s, rtp_time=0, time=0.0)]
    expected = 127 if not amplitude else -20 * math.log10(amplitude / 32768) + 3.01
    assert levels
    assert all(level == pytest.approx(expected, abs=0.6) for level in levels)


async def test_the_far_side_knows_without_decoding() -> None:
    """The extension was negotiated and never written: nobody had given a sender the level of what it sent."""
    wave = (8000 * np.sin(2 * np.pi * 400 * np.arange(960) / 48000)).astype(np.int16)
    encoder = AudioEncoder()
    async with call() as (client, node):
        tap = listen(node, 0)
        sender, receiver = client.lines[0].sender, node.lines[0].receiver
        assert sender is not None
        assert receiver is not None
        for number, sound in enumerate([wave, np.zeros(960, np.int16)]):
            for frame in encoder.encode(sound, rtp_time=960 * number, time=0.02 * number):
                sender.push(frame)
            await tap.until(partial(tap.has, number + 1))
            assert receiver.audio_level == ((15, True), (127, False))[number]
            told = next(item for item in [find(node, InboundRtp)] if item.kind is Kind.AUDIO)
            assert told.audio_level == (pytest.approx(8000 / 32768 / math.sqrt(2), rel=0.06), 0.0)[number]
