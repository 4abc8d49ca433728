"""What stands between plain packets and the path: keys, and what is kept of each source."""

from __future__ import annotations

import os
import struct
import time

from aioice import Candidate
from pylibsrtp import Policy

from pexrtc_py.webrtc.dtls import SrtpSession
from pexrtc_py.webrtc.ice import IceConnection
from pexrtc_py.webrtc.srtp import SrtpPath


async def no_candidates(_: IceConnection) -> list[Candidate]:
    return []


def path_and_peer(received: list[bytes]) -> tuple[SrtpPath, SrtpSession]:
    """A path with keys, and what its peer encrypts with."""
    key = os.urandom(30)
    peer = SrtpSession(Policy(key=key, ssrc_type=Policy.SSRC_ANY_OUTBOUND))
    path = SrtpPath(lambda packet, _: received.append(packet), lambda packet, _: received.append(packet))
    path.ice = IceConnection(
        on_media=path.receive,
        on_silence=lambda _: None,
        gather=no_candidates,
        relay_only=False,
        ufrag="abcd",
        password="0123456789abcdef012345",
    )
    path.open(
        SrtpSession(Policy(key=os.urandom(30), ssrc_type=Policy.SSRC_ANY_OUTBOUND)),
        SrtpSession(Policy(key=key, ssrc_type=Policy.SSRC_ANY_INBOUND)),
    )
    return path, peer


def rtp(ssrc: int, sequence: int) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, sequence, 0, ssrc) + b"media"


async def test_what_is_kept_of_a_source_goes_when_it_is_forgotten() -> None:
    """libsrtp keeps a record of each source and looks through all of them: 20000 made each packet cost 0.25 ms."""
    received: list[bytes] = []
    path, peer = path_and_peer(received)
    packets = [peer.protect(rtp(ssrc, 1)) for ssrc in (1, 2)]
    for packet in packets * 2:
        path.receive(packet, time.monotonic())
    assert len(received) == 2  # each once: the record tells that it came before
    path.forget({1, 3})
    for packet in packets:
        path.receive(packet, time.monotonic())
    assert received[2:] == [rtp(1, 1)]
    path.receive(peer.protect(rtp(2, 2)), time.monotonic())
    assert received[3:] == [rtp(2, 2)]
