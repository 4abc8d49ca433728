"""What a configuration says reaches the encoder of sound."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.media.sources.encoded import EncodeConfig, SoundEncoder
from pexrtc_py.media.sources.raw import RawFormat, Sound


@pytest.mark.parametrize(("dtx", "packets"), [(False, 100), (True, 6)])
def test_silence_is_sent_in_full_or_hardly(dtx: bool, packets: int) -> None:
    """Two seconds of it: a hundred packets, or one in 400 ms."""
    encoder = SoundEncoder(Codec.OPUS, RawFormat(channels=1), EncodeConfig(audio_dtx=dtx))
    silence = np.zeros((960, 1), np.int16)
    sent = [f for n in range(100) for f in encoder.encode(Sound(samples=silence, rtp_time=960 * n, time=n / 50))]
    assert len(sent) == pytest.approx(packets, abs=1 if dtx else 0)
