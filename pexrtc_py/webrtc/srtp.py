"""Media of a call (RFC 3711), encrypted and decrypted at once where it passes: no queue, no coroutine per packet.

What comes between the peer's last handshake message and our keys is kept, so that the first frame of a video is not
lost to the order of two callbacks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any

from .burst import Magazine
from .dtls import SrtpError, SrtpSession, protect_in_place
from .ice import IceConnection
from .transport_statistics import MediaCounts

__all__ = ["SrtpPath"]

# The peer's first flight of media while our last handshake message is being read: a key frame and some sound.
_MAX_EARLY = 128


class SrtpPath:
    """What is between plain packets and the path that carries them.

    Args:
        on_rtp: takes each decrypted RTP packet and its arrival on `time.monotonic`.
        on_rtcp: takes each decrypted compound RTCP packet likewise.

    Attributes:
        ice: the path in use; set before anything is sent or received.
        counts: of media, in packets and bytes.
    """

    ice: IceConnection

    def __init__(self, on_rtp: Callable[[bytes, float], None], on_rtcp: Callable[[bytes, float], None]) -> None:
        self._on_rtp = on_rtp
        self._on_rtcp = on_rtcp
        self._early: deque[tuple[bytes, float]] | None = deque(maxlen=_MAX_EARLY)
        self._receiving: SrtpSession | None = None
        self._sending: SrtpSession | None = None
        self._protect: Callable[[Any, Any], int] | None = None
        self._magazine: Magazine | None = None
        self._held_by: Callable[[Any, Any], int] | None = None
        self.counts = MediaCounts()

    def open(self, sending: SrtpSession, receiving: SrtpSession) -> deque[tuple[bytes, float]]:
        """Take the keys; return what came before them, for `receive`."""
        self._sending, self._receiving = sending, receiving
        self._protect = protect_in_place(sending)
        early, self._early = self._early, None
        return early if early is not None else deque()

    def forget(self, ssrcs: Collection[int]) -> None:
        """Let what is kept of some sources go: libsrtp looks through all of a peer's at each packet, and frees none."""
        if self._receiving is not None:
            for ssrc in ssrcs:
                with suppress(SrtpError):  # of other keys
                    self._receiving.remove_stream(ssrc)

    def renew(self) -> None:
        """Forget the keys: others are coming."""
        self.close()
        self._early = deque(maxlen=_MAX_EARLY)

    def stop_sending(self) -> None:
        """Drop what is to be sent from now on."""
        self._sending = self._protect = None

    def close(self) -> None:
        """Drop everything from now on. Idempotent."""
        self.stop_sending()
        self._receiving = self._early = None

    def send_rtp(self, packets: Sequence[bytes]) -> None:
        """Encrypt packets and send them now; without keys they are dropped."""
        session, protect = self._sending, self._protect
        if session is None or protect is None:
            return
        sent = self.ice.send_burst(packets, protect)
        if sent is None:
            for packet in packets:
                self._send(session.protect, packet)
            return
        counts = self.counts
        counts.packets_sent += sent.packets
        counts.bytes_sent += sent.bytes
        counts.packets_discarded += sent.refused

    def hold_rtp(self, packets: Sequence[bytes]) -> int | None:
        """Encrypt packets now, for `send_held`; return the place of the first, None when this path cannot do that.

        A number that is used again, after packets were dropped instead of sent, has been seen by nobody.
        """
        protect = self._protect
        if protect is None or not self.ice.can_hold:
            return None
        magazine = self._magazine
        if magazine is None:
            magazine = self._magazine = Magazine()
        if magazine.held and self._held_by is not protect:
            return None
        self._held_by = protect
        return magazine.hold(packets, protect)

    def send_held(self, first: int, count: int) -> None:
        """Send packets that were held. Those of keys that are gone are dropped."""
        magazine = self._magazine
        assert magazine is not None
        if self._protect is not self._held_by:
            magazine.drop(count)
            return
        counts = self.counts
        counts.packets_sent += count
        counts.bytes_sent += magazine.size(first, count)
        self.ice.send_held(magazine, first, count)

    def drop_held(self, count: int) -> None:
        """Forget so many packets that were held: they will not be sent."""
        if self._magazine is not None:
            self._magazine.drop(count)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt a compound RTCP packet and send it now; dropped likewise."""
        session = self._sending
        if session is not None:
            self._send(session.protect_rtcp, packet)

    def receive(self, packet: bytes, arrival: float) -> None:
        """Take a datagram of media; what cannot be decrypted is counted and dropped."""
        session = self._receiving
        if session is None:
            if self._early is not None:
                self._early.append((packet, arrival))
            return
        try:
            # RFC 5761 section 4: these payload types are RTCP's on a port that carries both.
            is_rtcp = 192 <= packet[1] <= 223
            plain = session.unprotect_rtcp(packet) if is_rtcp else session.unprotect(packet)
        except (SrtpError, ValueError, IndexError):
            self.counts.packets_discarded += 1
            return
        counts = self.counts
        counts.packets_received += 1
        counts.bytes_received += len(packet)
        self.ice.last_heard = counts.last_arrival = arrival
        if is_rtcp:
            self._on_rtcp(plain, arrival)
        else:
            self._on_rtp(plain, arrival)

    def _send(self, protect: Callable[[bytes], bytes], packet: bytes) -> None:
        try:
            data = protect(packet)
        except (SrtpError, ValueError):  # longer than libsrtp's buffer, or no RTP at all
            self.counts.packets_discarded += 1
            return
        counts = self.counts
        counts.packets_sent += 1
        counts.bytes_sent += len(data)
        self.ice.send_media(data)
