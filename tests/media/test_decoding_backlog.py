"""What waits to be decoded has a bound, whatever is pushed."""

from __future__ import annotations

from pexrtc_py.media.decoding_taps import AudioDecoder
from tests.media.coded import opus


async def test_sound_that_waits_is_a_second_at_most_and_the_latest() -> None:
    """A decoder that is behind, here because its thread has not begun, drops its oldest sound."""
    frames = opus(4.0)
    decoder = AudioDecoder()
    for frame in frames:
        decoder.push(frame)
    decoder.end()
    async with decoder:
        heard = [sound.time async for sound in decoder.sounds()]
    assert len(heard) == 50
    assert heard[0] == frames[-50].time
    assert heard[-1] == frames[-1].time
