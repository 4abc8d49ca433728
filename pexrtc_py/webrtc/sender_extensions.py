"""The header extensions of what we send, laid out once and filled in for each packet."""

from __future__ import annotations

from .feedback import TransportSequence
from .rtp import serialize_extensions
from .sender_config import SenderConfig

__all__ = ["ExtensionWriter"]

_VOICE_BELOW = 60  # -dBov; quieter is no voice. A level cannot say more, and mixers look at the level


class ExtensionWriter:
    """Writes the extension block of each packet, as negotiated.

    The layout is made by `serialize_extensions` with zeros; then only the changing bytes are put in their places.

    Args:
        config: of the sender.
        transport_sequence: numbers of all the peer's packets; without it none is written.

    Attributes:
        transport_sequence: the numbers to be written, None when they were not negotiated.
    """

    def __init__(self, config: SenderConfig, transport_sequence: TransportSequence | None) -> None:
        self.transport_sequence = transport_sequence if config.transport_sequence_id is not None else None
        self._abs_send_time = config.abs_send_time_id is not None
        values: dict[int, bytes] = {}
        if config.transport_sequence_id is not None and self.transport_sequence is not None:
            values[config.transport_sequence_id] = b"\0\0"
        if config.abs_send_time_id is not None:
            values[config.abs_send_time_id] = b"\0\0\0"
        if config.mid_id is not None and config.mid:
            values[config.mid_id] = config.mid.encode()
        self._level_id = config.audio_level_id
        self._plain = self._layout(values)
        self._with_level = self._plain if self._level_id is None else self._layout({**values, self._level_id: b"\0"})

    @staticmethod
    def _layout(values: dict[int, bytes]) -> tuple[bytes, list[int]]:
        """Return the block and where each value begins in it, in order of `values`."""
        block = serialize_extensions(values)
        two_byte = block[:1] == b"\x10"
        places, at = [], 4
        for value in values.values():
            at += 2 if two_byte else 1
            places.append(at)
            at += len(value)
        return block, places

    def around(self, now: float, level: int | None) -> tuple[bytes, bytes]:
        """Return what comes before and after the transport-wide number in the packets of a moment.

        Without such numbers the second is the whole block, or empty when nothing was negotiated.

        Args:
            now: when they leave.
            level: of their sound in -dBov (RFC 6464 section 3), None when unknown or none.
        """
        template, places = self._plain if level is None else self._with_level
        if not template:
            return b"", b""
        block = bytearray(template)
        at = 1 if self.transport_sequence is not None else 0
        if self._abs_send_time:
            stamp = int(now * 262144) & 0xFFFFFF  # 6.18 fixed point seconds
            place = places[at]
            block[place : place + 3] = stamp.to_bytes(3, "big")
        if level is not None and self._level_id is not None:
            block[places[-1]] = (0x80 if level < _VOICE_BELOW else 0) | level & 0x7F
        if not at:
            return b"", bytes(block)
        return bytes(block[: places[0]]), bytes(block[places[0] + 2 :])

    def write(self, now: float, level: int | None) -> bytes:
        """Return the block for a packet, empty when nothing was negotiated. Arguments as above."""
        before, after = self.around(now, level)
        if self.transport_sequence is None:
            return after
        return before + self.transport_sequence.next().to_bytes(2, "big") + after
