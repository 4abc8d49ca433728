"""The RTP packets of one sender: numbered, with their header extensions, counted, and kept to be sent again."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from ..media.frames import EncodedFrame, Kind
from .feedback import TransportSequence
from .payload import payloader
from .rtp import FIXED_HEADER, payload_bounds
from .sender_ahead import Before
from .sender_config import SenderConfig
from .sender_extensions import ExtensionWriter
from .sender_history import SentPackets, rtx_packet
from .sender_statistics import SenderCounts

__all__ = ["PacketMaker"]

_EXTENSION_ROOM = 44  # of the packet's size: fixed header and extensions with a MID of 16 bytes
_SMALLEST = 50  # bytes of a payload, when a picture is cut only to be a burst
_PAYLOAD_HEAD = 10  # more than any codec's


class PacketMaker:
    """Makes packets of frames, and of what was sent before.

    Args:
        config: what was negotiated.
        transport_sequence: numbers of all the peer's packets; needed when the extension was negotiated.

    Attributes:
        counts: of the sender; what is made counts as sent.
        sequence: number of the next packet.
        payloader: cuts the frames.
        history: what can be sent again.
    """

    def __init__(self, config: SenderConfig, transport_sequence: TransportSequence | None) -> None:
        self._config = config
        self._is_video = config.kind is Kind.VIDEO
        self._transport_sequence = transport_sequence
        self._extensions = ExtensionWriter(config, transport_sequence)
        self._rtx_sequence = config.first_sequence
        self.payloader = payloader(config.codec, packetization_mode=config.packetization_mode)
        self.history = SentPackets()
        self.sequence = config.first_sequence
        self.counts = SenderCounts()

    def reconfigure(self, config: SenderConfig) -> bool:
        """Go on under what was negotiated anew; return whether frames are cut otherwise from now on."""
        before, self._config = self._config, config
        self._is_video = config.kind is Kind.VIDEO
        self._extensions = ExtensionWriter(config, self._transport_sequence)
        if (config.codec, config.packetization_mode) == (before.codec, before.packetization_mode):
            return False
        self.payloader = payloader(config.codec, packetization_mode=config.packetization_mode)
        return True

    def frame(
        self, frame: EncodedFrame, timestamp: int, now: float, level: int | None, *, as_burst: bool = False
    ) -> list[bytes]:
        """Make the packets of a frame; none of one that holds nothing to send.

        Args:
            frame: of the codec that was negotiated.
            timestamp: on the wire.
            now: when they leave.
            level: of its sound in -dBov, None when unknown.
            as_burst: of two packets at least, where the codec can be cut.
        """
        config, counts = self._config, self.counts
        limit = config.max_packet - _EXTENSION_ROOM
        if as_burst:
            limit = min(limit, max(_SMALLEST, len(frame.data) // 2 + _PAYLOAD_HEAD))
        payloads = self.payloader.split(frame, limit)
        if not payloads:
            return []
        counts.frames += 1
        if frame.key:
            counts.key_frames += 1
            counts.width, counts.height = frame.width, frame.height
        # Video: the last of a picture. Audio: the first after silence (RFC 3551 section 4.1).
        marker = self._is_video or counts.packets == 0
        own = level if frame.level is None else frame.level
        return self.packets(payloads, config.payload_type, timestamp, now, own, marker=marker)

    def packets(
        self,
        payloads: Sequence[bytes],
        payload_type: int,
        timestamp: int,
        now: float,
        level: int | None,
        *,
        marker: bool,
    ) -> list[bytes]:
        """Make the packets that leave at one moment; `marker` is of the last of them."""
        sequence, ssrc, count = self.sequence, self._config.ssrc, len(payloads)
        before, after = self._extensions.around(now, level)
        numbers = self._extensions.transport_sequence
        first = 0x90 if before or after else 0x80
        second, last = payload_type, count - 1
        packets: list[bytes] = []
        if numbers is None:
            pack, header_size = FIXED_HEADER.pack, FIXED_HEADER.size + len(after)
            for index, payload in enumerate(payloads):
                if index == last and marker:
                    second |= 0x80
                packets.append(pack(first, second, sequence + index & 0xFFFF, timestamp, ssrc) + after + payload)
        else:
            number = numbers.take(count)
            header = _numbered_header(len(before), len(after))
            pack, header_size = header.pack, header.size
            for index, payload in enumerate(payloads):
                if index == last and marker:
                    second |= 0x80
                own = number + index & 0xFFFF
                head = pack(first, second, sequence + index & 0xFFFF, timestamp, ssrc, before, own, after)
                packets.append(head + payload)
            if numbers.follower is not None:
                numbers.follower.note_sent(number, [*map(len, packets)], now)
        self.sequence = (sequence + count) & 0xFFFF
        counts = self.counts
        size = sum(map(len, payloads))
        counts.packets += count
        counts.payload_bytes += size
        counts.header_bytes += count * header_size
        if self._config.nack:
            self.history.add(sequence, packets, size + count * header_size, now)
        return packets

    def take_back(self, before: Before, packets: Sequence[bytes]) -> None:
        """Be as before the last packets, which nobody has seen: their numbers are free again."""
        before.restore(self.counts)
        self.sequence = before.sequence
        self.payloader.picture_id = before.picture_id
        if packets and self._config.nack:
            self.history.take_back()
        if packets and self._transport_sequence is not None:
            self._transport_sequence.take_back(before.number, len(packets))

    @property
    def upcoming_number(self) -> int:
        """The transport-wide number that the next packet will have, 0 without such numbers."""
        return self._transport_sequence.upcoming if self._transport_sequence is not None else 0

    def is_crowded(self, now: float) -> bool:
        """Whether a queue stands on the way, as far as somebody follows it."""
        numbers = self._extensions.transport_sequence
        return numbers is not None and numbers.follower is not None and numbers.follower.is_crowded(now)

    def again(self, sequence: int, now: float, round_trip_s: float, *, crowded: bool) -> bytes | None:
        """Return what to send for a packet that was asked for; None when it shall not be sent. Arguments as
        `SentPackets.again`.

        Without RTX the packet leaves byte for byte as before: SRTP would lose its secret by anything else.
        """
        packet = self.history.again(sequence, now, round_trip_s, crowded=crowded)
        if packet is None:
            return None
        config = self._config
        if config.rtx_payload_type is not None:
            numbers = self._extensions.transport_sequence
            number = numbers.upcoming if numbers is not None else 0
            extensions = self._extensions.write(now, None)
            packet = rtx_packet(packet, extensions, config.rtx_payload_type, self._rtx_sequence, config.rtx_ssrc)
            self._rtx_sequence = (self._rtx_sequence + 1) & 0xFFFF
            if numbers is not None and numbers.follower is not None:
                numbers.follower.note_sent(number, (len(packet),), now)
        start, end = payload_bounds(packet, packet[0])
        self.counts.retransmitted += 1
        self.counts.retransmitted_bytes += end - start
        self.counts.retransmitted_header_bytes += len(packet) - end + start
        return packet


@lru_cache(maxsize=64)
def _numbered_header(before: int, after: int) -> struct.Struct:
    """Fixed header and extensions of so many bytes before and after the transport-wide number: one call writes all."""
    return struct.Struct(f"{FIXED_HEADER.format}{before}sH{after}s")
