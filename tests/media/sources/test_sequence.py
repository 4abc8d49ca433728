"""One source after the other as if they were one."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind, TrackFormat
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.generated import black, silence, tone
from pexrtc_py.media.sources.sequence import Sequence

from .looking import drained, steps


class Clip:
    """A source of so many packets of sound and pictures at 30 a second."""

    def __init__(self, sounds: int, pictures: int, codec: Codec = Codec.VP8) -> None:
        self._frames = [
            EncodedFrame(codec=Codec.OPUS, data=b"s", rtp_time=n * 960, time=n * 0.02, duration=960)
            for n in range(sounds)
        ] + [
            EncodedFrame(codec=codec, data=b"p", rtp_time=n * 3000, time=n / 30, duration=3000, key=n == 0)
            for n in range(pictures)
        ]
        self._frames.sort(key=lambda frame: -frame.time)
        self.formats: Mapping[Kind, TrackFormat] = {
            frame.kind: TrackFormat(codec=frame.codec) for frame in self._frames
        }
        self.live = self.encodes = False
        self.closed = 0
        self.asked: list[object] = []

    def pull(self) -> EncodedFrame | None:
        return self._frames.pop() if self._frames else None

    def request_key_frame(self) -> None:
        self.asked.append("key")

    def set_bitrate(self, video_bps: int) -> None:
        self.asked.append(video_bps)

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize(("sounds", "pictures"), [(50, 30), (51, 30), (49, 30), (52, 30), (50, 31), (7, 4)])
def test_joints_have_no_seam(sounds: int, pictures: int) -> None:
    """Sound a little longer or shorter than the pictures: pictures evenly spaced, sound every 20 ms, never apart."""
    found = drained(Sequence(lambda: Clip(sounds, pictures) for _ in range(40)))
    audio, video = found[Kind.AUDIO], found[Kind.VIDEO]
    assert steps(audio) == {960}
    assert steps(video) <= {3000, *range(3000, 3000 + round(0.02 * 90000) + 1)}
    assert audio[-1].time == pytest.approx(video[-1].time, abs=0.08)


def test_pause_where_a_kind_ends_much_earlier() -> None:
    """Two seconds of pictures with half a second of sound: silence until the next begins, in time for it."""
    found = drained(Sequence([lambda: Clip(25, 60), lambda: Clip(100, 60)]))
    assert steps(found[Kind.AUDIO]) == {960}
    spoken = [frame.time for frame in found[Kind.AUDIO] if frame.data == b"s"]
    assert spoken[25] == pytest.approx(2.0, abs=0.02)


def test_sources_are_opened_in_turn_and_closed() -> None:
    """The second is opened when the first is over; both are closed; what is asked for goes to the current one."""
    clips = [Clip(5, 3), Clip(5, 3)]
    opened: list[Clip] = []

    def opener(clip: Clip) -> Clip:
        opened.append(clip)
        return clip

    joined = Sequence([lambda: opener(clips[0]), lambda: opener(clips[1])])
    joined.request_key_frame()
    joined.set_bitrate(5)
    assert opened == clips[:1]
    while joined.pull() is not None:
        pass
    assert [clip.closed for clip in clips] == [1, 1]
    assert clips[0].asked == ["key", 5]
    joined.close()
    joined.close()


def test_what_does_not_fit_is_an_error() -> None:
    """Nothing at all, a source that gives nothing, a change of codec: each one clear line."""
    with pytest.raises(SourceError, match="empty"):
        Sequence([])
    with pytest.raises(SourceError, match="nothing to play"):
        drained(Sequence([lambda: Clip(5, 3), lambda: Clip(0, 0), lambda: Clip(5, 3)]))
    with pytest.raises(SourceError, match="H264"):
        drained(Sequence([lambda: Clip(5, 3), lambda: Clip(5, 3, Codec.H264)]))


def test_kinds_of_the_first_decide() -> None:
    """Sound only first: the pictures of the second are left out. Pictures missing later: a pause."""
    found = drained(Sequence([lambda: EncodedSource(silence(duration_s=0.2)), lambda: Clip(10, 6)]))
    assert not found[Kind.VIDEO]
    found = drained(Sequence([lambda: Clip(10, 6), lambda: EncodedSource(tone(duration_s=0.4)), lambda: Clip(10, 6)]))
    assert len(found[Kind.VIDEO]) == 12
    assert found[Kind.VIDEO][6].time == pytest.approx(0.6, abs=0.03)
    assert steps(found[Kind.AUDIO]) == {960}
    found = drained(Sequence([lambda: EncodedSource(black(duration_s=0.4))] * 2))
    assert len(found[Kind.VIDEO]) == 4
