"""Softer while people speak, at the border between two packets, decided when a packet is sent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pexrtc_py.announcer.ducking import Ducked, DuckingConfig, DuckingDecision
from pexrtc_py.errors import SourceError
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, TrackFormat
from pexrtc_py.media.player import Player
from pexrtc_py.media.prepare import PrepareConfig, prepare_here
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.media.sources.generated import black, tone
from tests.media.sources.looking import heard, level_db, write_media
from tests.support.clocks import FastClock
from tests.support.taps import Collector


def test_decision() -> None:
    """A cough does not duck, a pause between sentences does not undo it."""
    decision = DuckingDecision(DuckingConfig(attack_s=0.2, release_s=1.0))
    assert not decision.is_soft(0)
    decision.set_speaking(1.0, speaking=True)
    assert not decision.is_soft(1.1)
    decision.set_speaking(1.15, speaking=False)
    assert not decision.is_soft(1.5)
    decision.set_speaking(2.0, speaking=True)
    assert decision.is_soft(2.25)
    decision.set_speaking(3.0, speaking=False)
    assert decision.is_soft(3.9)
    decision.set_speaking(3.95, speaking=True)
    assert decision.is_soft(4.0)
    decision.set_speaking(5.0, speaking=False)
    assert not decision.is_soft(6.1)


async def test_ducking_is_heard(tmp_path: Path) -> None:
    """Two prepared levels of one tone: loud, 12 dB softer while somebody speaks, loud again; no packet lost or late."""
    path = write_media(tmp_path / "tone.wav", audio="pcm_s16le", seconds=6, tone_hz=700)
    loud, soft = (
        prepare_here(path, tmp_path / "cache", PrepareConfig(target_lufs=target)).path for target in (-20.0, -32.0)
    )
    decision = DuckingDecision(DuckingConfig(attack_s=0.0, release_s=0.5))
    accept = {Kind.AUDIO: (Codec.OPUS,)}
    source = Ducked(open_file(loud, accept=accept), open_file(soft, accept=accept), decision)
    clock, kept = FastClock(100.0), Collector()

    class Speaking:
        """Somebody who speaks from the second to the fourth second."""

        def push(self, item: EncodedFrame | Gap) -> None:
            decision.set_speaking(item.time, speaking=102.0 <= item.time < 104.0)

        def end(self) -> None: ...

    async with Player(source, {Kind.AUDIO: [Speaking(), *source.tap(kept)]}, clock=clock) as player:
        await player.finished()
    assert not kept.gaps
    samples = heard(kept.frames)
    assert len(kept.frames) == pytest.approx(300, abs=2)
    assert {b.rtp_time - a.rtp_time for a, b in zip(kept.frames, kept.frames[1:], strict=False)} == {960}
    before, during, after = (level_db(samples[int(s * 48000) : int((s + 1) * 48000)]) for s in (0.5, 2.7, 4.9))
    assert before - during == pytest.approx(12, abs=1)
    assert after == pytest.approx(before, abs=0.5)
    # The change itself: no packet is louder than the loud level.
    for start in range(24000, len(samples) - 48000, 960):
        assert level_db(samples[start : start + 960]) < before + 1.5


def test_levels_must_fit() -> None:
    """Two codecs, or no sound, are refused."""
    with pytest.raises(SourceError):
        Ducked(EncodedSource(tone()), EncodedSource(black()), DuckingDecision())
    other = EncodedSource(tone(), accept={Kind.AUDIO: (Codec.PCMU,)})
    with pytest.raises(SourceError):
        Ducked(EncodedSource(tone()), other, DuckingDecision())


class Packets:
    """Sound as it comes from a file that has no end."""

    formats: Mapping[Kind, TrackFormat] = {Kind.AUDIO: TrackFormat(codec=Codec.OPUS)}
    live = encodes = False

    def __init__(self, level: str) -> None:
        self.level, self.count = level, 0

    def pull(self) -> EncodedFrame:
        self.count += 1
        data = f"{self.level} {self.count}".encode()
        return EncodedFrame(codec=Codec.OPUS, data=data, rtp_time=self.count * 960, time=self.count / 50)

    def request_key_frame(self) -> None: ...

    def set_bitrate(self, video_bps: int) -> None: ...

    def close(self) -> None: ...


def test_a_conference_that_is_over_keeps_nothing() -> None:
    """Both levels of all that was played after it were kept for it; and who misses a packet is ducked all the same."""
    decision, kept = DuckingDecision(DuckingConfig(attack_s=0.0)), Collector()
    decision.set_speaking(0.0, speaking=True)
    source = Ducked(Packets("loud"), Packets("soft"), decision)
    [gone], [here] = source.tap(Collector()), source.tap(kept)
    frames = [frame for _ in range(4000) if (frame := source.pull()) is not None]
    assert len(getattr(gone, "pairs")) < 3100  # noqa: B009  # what a tap is made of is nobody's business elsewhere
    for frame in frames[-100::2]:
        here.push(frame)
    assert [frame.data for frame in kept.frames] == [f"soft {number}".encode() for number in range(3901, 4001, 2)]
