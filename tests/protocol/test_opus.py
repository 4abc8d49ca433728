"""What peers say of the Opus that they like to receive (RFC 7587 section 6.1)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.protocol.opus import OpusWishes, opus_wishes


@pytest.mark.parametrize(
    ("parameters", "wishes"),
    [
        ("", OpusWishes()),
        ("minptime=10;useinbandfec=1", OpusWishes(fec=True)),
        ("minptime=10; STEREO=1; UseInbandFec=1", OpusWishes(stereo=True, fec=True)),
        ("useinbandfec=1;stereo=0", OpusWishes(fec=True)),
        ("sprop-stereo=1;sprop-maxcapturerate=16000", OpusWishes()),  # tells what it sends, and wishes nothing
        (
            "maxplaybackrate=16000;maxaveragebitrate=20000;usedtx=1",
            OpusWishes(dtx=True, most_bps=20_000, playback_hz=16000),
        ),
        ("maxaveragebitrate=1;maxplaybackrate=1", OpusWishes(most_bps=6000, playback_hz=8000)),
        ("maxaveragebitrate=" + 5000 * "9", OpusWishes(most_bps=510_000)),
        ("stereo=2;useinbandfec=yes;usedtx;maxaveragebitrate=-5;maxplaybackrate=1e3", OpusWishes()),
        ("maxaveragebitrate=\u0661\u0662;maxplaybackrate=0", OpusWishes()),
    ],
)
def test_wishes(parameters: str, wishes: OpusWishes) -> None:
    """Names in either case and in any order; what makes no sense, and what is not said, is the default."""
    assert opus_wishes(parameters) == wishes


@given(st.text() | st.lists(st.sampled_from(["stereo", "maxaveragebitrate", "=", ";", "1", "0", "-"])).map("".join))
def test_anything_is_read(parameters: str) -> None:
    """Whatever a peer writes gives wishes within what Opus has."""
    wishes = opus_wishes(parameters)
    assert wishes.most_bps is None or 6000 <= wishes.most_bps <= 510_000
    assert 8000 <= wishes.playback_hz <= 48000
