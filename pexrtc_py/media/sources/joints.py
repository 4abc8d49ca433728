"""Inputs put together of several by their bytes, such as `cat one.ts two.ts`: each begins its clock anew.

MPEG-TS is made for that (ISO/IEC 13818-1 section 2.4.3.5, discontinuity_indicator), and broadcasters' files are full of
such joints. Of a part whose times lie before the end of the one before it nothing would be played. Here time goes on:
a part follows on the one before, all its tracks moved by the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import av
import av.stream

__all__ = ["HAS_JOINTS", "without_joints"]

HAS_JOINTS: Final = frozenset({"mpegts"})
"""Formats, by libavformat's names, that may be put together so."""

_BACK_S: Final = 0.5
"""A step back that no reordering of pictures makes."""
_FORTH_S: Final = 3600.0
"""A step forth that is none: libavformat takes a clock set back by more than a minute for one that ran over."""
_LEAD_S: Final = 0.05
"""By how much a track may begin before the one that is first in its part."""


def without_joints(
    packets: Iterable[av.Packet[av.stream.Stream]], units: Mapping[int, float]
) -> Iterator[av.Packet[av.stream.Stream]]:
    """Yield packets of one clock.

    Args:
        packets: as they are read.
        units: seconds of a tick, by stream.
    """
    moves = [0.0]
    """Of each part, seconds."""
    parts: dict[int, int] = {}
    """Which part each stream is in: the last packet of one may be read after the first of another."""
    last: dict[int, float] = {}
    """As it was read."""
    end = 0.0
    for packet in packets:
        index, unit = packet.stream_index, units.get(packet.stream_index, 0.0)
        if packet.dts is None or not unit:
            yield packet
            continue
        at = packet.dts * unit
        before = last.get(index, at)
        if not -_BACK_S < at - before < _FORTH_S:
            if parts.get(index, 0) == len(moves) - 1:
                moves.append(end + _LEAD_S - at)
            parts[index] = len(moves) - 1
        last[index] = at
        move = moves[parts.get(index, 0)]
        end = max(end, at + move + (packet.duration or 0) * unit)
        if move:
            ticks = round(move / unit)
            packet.dts += ticks
            packet.pts = None if packet.pts is None else packet.pts + ticks
        yield packet
