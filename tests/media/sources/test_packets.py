"""Packets that are passed as they are: the grid of sound, what fits, and streams joined in the middle."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.decoding import AudioDecoding
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.sources.file import open_file, probe_file
from pexrtc_py.media.sources.packets import SILENCE, PacketGrid

from .looking import copy_media, drained, steps


@given(
    times=st.lists(st.floats(-0.05, 0.1), min_size=1, max_size=60).map(
        lambda gaps: list(itertools.accumulate(0.02 + gap for gap in gaps))
    )
)
def test_grid_is_whole_whatever_comes(times: list[float]) -> None:
    """However packets are timed: a packet every 20 ms, none twice, each within 20 ms of the time it was meant for."""
    grid = PacketGrid()
    frames: list[tuple[float, EncodedFrame]] = []
    for number, time in enumerate(times):
        frames += [(time, frame) for frame in grid.place(time, b"%d" % number)]
    assert [frame.rtp_time for _, frame in frames] == [960 * n for n in range(len(frames))]
    placed = [(time, frame) for time, frame in frames if frame.data != SILENCE[Codec.OPUS]]
    assert len({frame.data for _, frame in placed}) == len(placed)
    assert all(abs(frame.time - max(0.0, time)) <= 0.0202 for time, frame in placed)


@pytest.mark.parametrize("codec", list(SILENCE))
def test_silence_is_silent(codec: Codec) -> None:
    """The packet of silence of each codec decodes to 20 ms of nothing that can be heard."""
    decoding = AudioDecoding()
    packet = SILENCE[codec]
    ticks = codec.clock_rate // 50
    sounds = [
        sound
        for number in range(10)
        for sound in decoding.feed(
            EncodedFrame(codec=codec, data=packet, rtp_time=number * ticks, time=number * 0.02, duration=ticks)
        )
    ]
    assert max(int(abs(sound.samples.astype(int)).max()) for sound in sounds) <= 8
    assert sum(len(sound.samples) for sound in sounds) == pytest.approx(9600, abs=100)


def test_grid_refuses_a_jump_of_hours() -> None:
    """A timeline that makes no sense is an error, not a day of silence."""
    grid = PacketGrid()
    with pytest.raises(ValueError, match="jumps"):
        list(grid.place(100_000.0, b"x"))


def test_stream_joined_in_the_middle_begins_at_its_first_key(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Pictures before the first key frame are of no use to anybody: passed from there on, not transcoded."""
    path = copy_media(
        clip_path("motion.mkv"),
        tmp_path_factory.mktemp("joined") / "a.mkv",
        lambda number, data: data if number >= 20 else None,
    )
    assert probe_file(path)[Kind.VIDEO].obstacle == ""
    video = drained(open_file(path))[Kind.VIDEO]
    assert len(video) == 60
    assert video[0].key
    assert max(steps(video)) < 3100
