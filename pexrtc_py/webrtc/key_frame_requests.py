"""When a key frame is asked of a sender: at once, then as often as it may help, until one has come.

Pure: time is handed in. What is sent is PLI (RFC 4585 section 6.3.1) where it was negotiated, else FIR (RFC 5104
section 4.3.1).
"""

from __future__ import annotations

from .receiver_config import Feedback
from .receiver_statistics import FeedbackCounts
from .rtcp import FullIntraRequest, PictureLossIndication, RtcpPacket

__all__ = ["KeyFrameRequests"]

_INTERVAL_S = 0.3  # between requests; libwebrtc repeats after 0.2 s
_IDLE_S = 3.0  # while no packet arrives at all: the sender may be muted


class KeyFrameRequests:
    """The requests of one receiver.

    Args:
        counts: where they are counted.

    Attributes:
        due: when the next is to be made, infinity when none is.
    """

    def __init__(self, counts: FeedbackCounts) -> None:
        self.due = float("inf")
        self._counts = counts
        self._asked = float("-inf")
        self._fir_number = 0

    def want(self) -> None:
        """Have one asked for as soon as requests are not too frequent."""
        self.due = min(self.due, self._asked + _INTERVAL_S)

    def is_welcome(self, now: float, round_trip_s: float) -> bool:
        """Whether the answer to the last request could have come."""
        return now >= self._asked + _interval_s(round_trip_s)

    def note_key_frame(self) -> None:
        """Stop asking: one has come."""
        self.due = float("inf")

    def ask(
        self,
        local_ssrc: int,
        media_ssrc: int,
        feedback: Feedback,
        now: float,
        *,
        last_arrival: float,
        round_trip_s: float,
    ) -> RtcpPacket | None:
        """Return a request to be sent now, None where the peer takes none, and plan its repetition."""
        self._asked = now
        idle = now - last_arrival > _INTERVAL_S
        self.due = now + (_IDLE_S if idle else _interval_s(round_trip_s))
        if feedback.pli:
            self._counts.plis += 1
            return PictureLossIndication(sender_ssrc=local_ssrc, media_ssrc=media_ssrc)
        if feedback.fir:
            self._counts.firs += 1
            self._fir_number = (self._fir_number + 1) & 0xFF
            return FullIntraRequest(sender_ssrc=local_ssrc, requests=((media_ssrc, self._fir_number),))
        return None


def _interval_s(round_trip_s: float) -> float:
    return max(_INTERVAL_S, 1.5 * round_trip_s)
