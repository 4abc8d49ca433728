"""What the stages of receiving are timed with: the clip's packets, as our sender makes them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass

from pylibsrtp import Policy, Session

from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.webrtc.clock import SendClock
from pexrtc_py.webrtc.feedback import TransportSequence
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig

from ._clip import clip, load

__all__ = ["LEVEL_ID", "MID_ID", "NUMBER_ID", "PAYLOAD_TYPES", "Traffic", "make_traffic", "session"]

PAYLOAD_TYPES = {Kind.AUDIO: 111, Kind.VIDEO: 96}
MID_ID, _SENT_AT, NUMBER_ID, LEVEL_ID = 1, 2, 3, 4  # header extensions, as our offers number them
_SSRCS = {Kind.AUDIO: 0x1111, Kind.VIDEO: 0x2222}


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    packets: Sequence[tuple[bytes, float]]
    """In the clear, with their arrival."""
    encrypted: Sequence[tuple[bytes, float]]
    reports: Sequence[tuple[bytes, float]]
    """Compounds of the sender."""
    frames: Sequence[EncodedFrame]
    key: bytes

    def of(self, kind: Kind) -> list[tuple[bytes, float]]:
        """The packets of one line."""
        return [item for item in self.packets if item[0][1] & 0x7F == PAYLOAD_TYPES[kind]]


def make_traffic() -> Traffic:
    now = 1000.0
    packets: list[tuple[bytes, float]] = []
    reports: list[tuple[bytes, float]] = []
    clock = SendClock(lambda: now, time.time())
    numbers = TransportSequence()
    senders = {
        kind: Sender(
            SenderConfig(
                codec=Codec.OPUS if kind is Kind.AUDIO else Codec.VP8,
                payload_type=PAYLOAD_TYPES[kind],
                cname="bench",
                ssrc=_SSRCS[kind],
                mid=str(place),
                mid_id=MID_ID,
                abs_send_time_id=_SENT_AT,
                transport_sequence_id=NUMBER_ID,
                audio_level_id=LEVEL_ID if kind is Kind.AUDIO else None,
            ),
            lambda made: packets.extend((packet, now) for packet in made),
            lambda report: reports.append((report, now)),
            clock,
            transport_sequence=numbers,
        )
        for place, kind in enumerate(Kind)
    }
    frames = load(clip())
    for frame in frames:
        now = 1000.0 + frame.time
        senders[frame.kind].audio_level = 30 if frame.kind is Kind.AUDIO else None
        senders[frame.kind].push(frame)
    key = secrets.token_bytes(44)
    sending = session(key, sending=True)
    encrypted = [(sending.protect(packet), arrival) for packet, arrival in packets]
    return Traffic(packets=packets, encrypted=encrypted, reports=reports, frames=frames, key=key)


def session(key: bytes, *, sending: bool) -> Session:
    """A session of the profile that our calls agree on."""
    kind = Policy.SSRC_ANY_OUTBOUND if sending else Policy.SSRC_ANY_INBOUND
    return Session(Policy(key=key, ssrc_type=kind, srtp_profile=Policy.SRTP_PROFILE_AEAD_AES_256_GCM))
