"""A sender of H.264 in packetization mode 2: NAL units of a real stream out of order, in STAP-B, MTAP and FU-B."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import NamedTuple

import av
import numpy as np

from pexrtc_py.protocol.interleaving import Interleaving
from pexrtc_py.webrtc.payload.h264 import nal_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An access unit, in decoding order."""

    timestamp: int
    units: tuple[bytes, ...]
    key: bool


class Unit(NamedTuple):
    """A NAL unit on its way; `number` is its place in decoding order, which does not wrap."""

    number: int
    timestamp: int
    data: bytes
    last: bool
    """Whether it is the last of its picture to be sent."""


class Sent(NamedTuple):
    """An RTP payload with its header fields."""

    payload: bytes
    timestamp: int
    marker: bool


@cache
def x264_pictures(
    count: int = 40, *, key_interval: int = 10, b_frames: int = 0, first: int = 0xFFFFF000
) -> list[Picture]:
    """Encode moving noise in four slices a picture, some small and some not; parameter sets before each key frame."""
    encoder = av.CodecContext.create("libx264", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = 192, 128, "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.framerate = 30  # type: ignore[assignment, unused-ignore]  # any rational is taken, whatever the release says
    encoder.bit_rate = 300_000
    keys = f"slices=4:keyint={key_interval}:min-keyint={key_interval}:scenecut=0:repeat-headers=1:threads=1"
    encoder.options = {"preset": "ultrafast", "x264-params": f"{keys}:bframes={b_frames}:b-pyramid=none:b-adapt=0"}
    dice = np.random.default_rng(1)
    # Noise in the upper half only: large slices there, small ones below.
    frames: list[av.VideoFrame | None] = []
    for number in range(count):
        picture = np.full((128, 192, 3), number % 200, dtype=np.uint8)
        picture[:64] = dice.integers(0, 255, (64, 192, 3), dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame.pts = number
        frames.append(frame)
    return [
        Picture(
            timestamp=first + (packet.pts or 0) * 3000 & 0xFFFFFFFF,
            units=tuple(nal_units(bytes(packet))),
            key=packet.is_keyframe,
        )
        for frame in [*frames, None]
        for packet in encoder.encode(frame)
    ]


class Interleaver:
    """Sends pictures interleaved.

    Args:
        pictures: in decoding order.
        seed: of the dice that decide order and packets.
        spread: how many NAL units are shuffled together; 1 leaves the order.
        first: DON of the first unit.
        step: by how much DON grows from one unit to the next.
        limit: bytes of a payload.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        *,
        seed: int = 1,
        spread: int = 9,
        first: int = 65_500,
        step: int = 1,
        limit: int = 400,
    ) -> None:
        self._dice = random.Random(seed)
        self._limit = limit
        self._step = step
        order = self._shuffled(pictures, spread, first)
        self.form = Interleaving(depth=_depth(order))
        self.max_don_diff = max(
            (before.number - unit.number for at, unit in enumerate(order) for before in order[:at]), default=0
        )
        self.packets: list[Sent] = []
        self.marked: set[int] = set()
        """Timestamps of the pictures whose end a marker tells; in the middle of an MTAP none does."""
        while order:
            self.packets += self._packet(order)

    def _shuffled(self, pictures: Sequence[Picture], spread: int, first: int) -> list[Unit]:
        flat = [(picture.timestamp, data) for picture in pictures for data in picture.units]
        numbered = [(first + at * self._step, timestamp, data) for at, (timestamp, data) in enumerate(flat)]
        mixed: list[tuple[int, int, bytes]] = []
        for at in range(0, len(numbered), spread):
            block = numbered[at : at + spread]
            self._dice.shuffle(block)
            mixed += block
        ends = {timestamp: number for number, timestamp, _ in mixed}
        return [Unit(number, timestamp, data, ends[timestamp] == number) for number, timestamp, data in mixed]

    def _packet(self, order: list[Unit]) -> list[Sent]:
        """Take the next units off and return their payloads."""
        if len(order[0].data) + 5 > self._limit:
            return self._fragments(order.pop(0))
        group = [order.pop(0)]
        wanted = self._dice.randrange(1, 4)
        while order and len(group) < wanted and sum(len(unit.data) + 7 for unit in [*group, order[0]]) < self._limit:
            group.append(order.pop(0))
        return [self._aggregate(group)]

    def _aggregate(self, group: list[Unit]) -> Sent:
        marker = group[-1].last
        if marker:
            self.marked.add(group[-1].timestamp)
        head = max(unit.data[0] & 0x60 for unit in group)
        base = group[0].number
        if all(unit.timestamp == group[0].timestamp and unit.number == base + at for at, unit in enumerate(group)):
            payload = bytes((head | 25,)) + struct.pack("!H", base & 0xFFFF)
            payload += b"".join(struct.pack("!H", len(unit.data)) + unit.data for unit in group)
            return Sent(payload, group[0].timestamp, marker)
        base = min(unit.number for unit in group)
        # The earliest time of all; times wrap, so they are compared with the first.
        spans = [(unit.timestamp - group[0].timestamp + 0x80000000 & 0xFFFFFFFF) - 0x80000000 for unit in group]
        earliest = group[0].timestamp + min(spans) & 0xFFFFFFFF
        offsets = [unit.timestamp - earliest & 0xFFFFFFFF for unit in group]
        long = max(offsets) > 0xFFFF or self._dice.random() < 0.5
        payload = bytes((head | (27 if long else 26),)) + struct.pack("!H", base & 0xFFFF)
        for unit, offset in zip(group, offsets, strict=True):
            payload += struct.pack("!HB", len(unit.data), unit.number - base)
            payload += offset.to_bytes(3 if long else 2) + unit.data
        return Sent(payload, earliest, marker)

    def _fragments(self, unit: Unit) -> list[Sent]:
        if unit.last:
            self.marked.add(unit.timestamp)
        head, kind = unit.data[0] & 0xE0, unit.data[0] & 0x1F
        size = min(self._limit - 4, len(unit.data) - 2)
        parts = [unit.data[at : at + size] for at in range(1, len(unit.data), size)]
        sent = [
            Sent(struct.pack("!BBH", head | 29, 0x80 | kind, unit.number & 0xFFFF) + parts[0], unit.timestamp, False)
        ]
        for at, part in enumerate(parts[1:], 1):
            last = at == len(parts) - 1
            payload = bytes((head | 28, (0x40 if last else 0) | kind)) + part
            sent.append(Sent(payload, unit.timestamp, last and unit.last))
        return sent


def _depth(order: Sequence[Unit]) -> int:
    """Return `sprop-interleaving-depth` of an order of sending (RFC 6184 section 8.1).

    By its definition it counts the slices that go ahead of a slice; a sender that moves its parameter sets about has to
    count those ahead of them too, or they would come too late.
    """
    ahead: list[int] = []
    depth = 0
    for unit in order:
        depth = max(depth, sum(other > unit.number for other in ahead))
        if unit.data[0] & 0x1F <= 5:
            ahead.append(unit.number)
    return depth
