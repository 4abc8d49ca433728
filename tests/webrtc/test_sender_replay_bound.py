"""How much a burst may be that answers a request for a key frame."""

from __future__ import annotations

from pexrtc_py.webrtc.sender_replay import GroupReplay

from .link import Recorder, vp8_frame

_SIZE = 50_000


def test_a_group_without_end_is_not_kept() -> None:
    """Ten seconds of picture and more are not sent at once, nor held in memory; the next key frame begins anew."""
    recorder = Recorder()
    replay = GroupReplay(recorder)
    for number in range(60):
        replay.push(vp8_frame(number, key=number == 0, size=_SIZE, time=number / 30))
    replay.replay()
    assert len(recorder.frames) == 60
    for number in range(60, 65):
        replay.push(vp8_frame(number, key=number == 60, size=_SIZE, time=number / 30))
    replay.replay()
    again = recorder.frames[65:]
    assert [frame.data for frame in again] == [frame.data for frame in recorder.frames[60:65]]
