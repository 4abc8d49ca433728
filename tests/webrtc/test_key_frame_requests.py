"""Key frames are asked for at once, again while none comes, seldom of a silent sender, and not after one came."""

from __future__ import annotations

from pexrtc_py.webrtc.key_frame_requests import KeyFrameRequests
from pexrtc_py.webrtc.receiver_config import Feedback
from pexrtc_py.webrtc.receiver_statistics import FeedbackCounts
from pexrtc_py.webrtc.rtcp import FullIntraRequest, PictureLossIndication, RtcpPacket

NEVER = float("inf")


def ask(
    requests: KeyFrameRequests, now: float, *, fir: bool = False, heard: float | None = None, round_trip_s: float = 0.0
) -> RtcpPacket | None:
    """Ask by PLI or FIR a sender that was heard at some time, now by default."""
    feedback = Feedback(pli=not fir, fir=fir)
    arrival = now if heard is None else heard
    return requests.ask(1, 2, feedback, now, last_arrival=arrival, round_trip_s=round_trip_s)


def test_the_first_goes_at_once_and_is_repeated() -> None:
    """Nothing is due before one is wanted; a second wish within 0.3 s waits that long."""
    counts = FeedbackCounts()
    requests = KeyFrameRequests(counts)
    assert requests.due == NEVER
    requests.want()
    assert requests.due < 0
    assert ask(requests, 10.0) == PictureLossIndication(sender_ssrc=1, media_ssrc=2)
    assert requests.due == 10.3
    requests.want()
    assert requests.due == 10.3
    assert not requests.is_welcome(10.2, 0.0)
    assert requests.is_welcome(10.3, 0.0)
    requests.note_key_frame()
    assert requests.due == NEVER
    assert (counts.plis, counts.firs) == (1, 0)


def test_a_far_sender_is_given_time_and_a_silent_one_more() -> None:
    """One and a half round trips, and 3 s while no packet arrives at all."""
    requests = KeyFrameRequests(FeedbackCounts())
    ask(requests, 10.0, round_trip_s=0.4)
    assert requests.due == 10.6
    assert not requests.is_welcome(10.5, 0.4)
    ask(requests, 20.0, heard=10.0)
    assert requests.due == 23.0


def test_requests_by_fir_are_numbered() -> None:
    """Each is a new one (RFC 5104 section 4.3.1.1); where neither was negotiated nothing is sent."""
    counts = FeedbackCounts()
    requests = KeyFrameRequests(counts)
    assert ask(requests, 1.0, fir=True) == FullIntraRequest(sender_ssrc=1, requests=((2, 1),))
    assert ask(requests, 2.0, fir=True) == FullIntraRequest(sender_ssrc=1, requests=((2, 2),))
    silent = Feedback(pli=False, fir=False)
    assert requests.ask(1, 2, silent, 3.0, last_arrival=3.0, round_trip_s=0.0) is None
    assert (counts.plis, counts.firs) == (0, 2)
