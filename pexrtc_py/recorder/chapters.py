"""Chapters of a recording: named moments made into stretches that a player can list."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from ..media.writers.muxer import Chapter

__all__ = ["chapters_between", "chapters_from"]


def chapters_from(moments: Iterable[tuple[float, str]], end_s: float, *, shortest_s: float = 0.0) -> list[Chapter]:
    """Return chapters that begin at `moments` (second, title), each until the next; the last until `end_s`.

    Of moments closer to each other than `shortest_s` the later one counts, and of those at or after the end none.
    """
    kept: list[tuple[float, str]] = []
    for start, title in sorted(moments, key=lambda moment: moment[0]):
        if start >= end_s:
            break
        if kept and start - kept[-1][0] <= shortest_s:
            kept[-1] = (kept[-1][0], title)
        else:
            kept.append((start, title))
    ends = [start for start, _ in kept[1:]] + [end_s]
    return [
        Chapter(start_s=start, end_s=end, title=title)
        for (start, title), end in zip(kept, ends[: len(kept)], strict=True)
    ]


def chapters_between(
    moments: Sequence[tuple[float, str]],
    position: Callable[[float], float],
    start_s: float,
    end_s: float,
    *,
    until_s: float,
) -> list[Chapter]:
    """Return the chapters that last into a stretch of a recording; of thousands, only those are looked at.

    Args:
        moments: when each begins, by any clock, in order, and its title.
        position: the second of the recording at a moment of that clock.
        start_s: where the stretch begins, seconds of the recording.
        end_s: where it ends.
        until_s: how long the recording is: where the last chapter ends.
    """

    def second(moment: tuple[float, str]) -> float:
        return position(moment[0])

    first = max(0, bisect_right(moments, start_s, key=second) - 1)
    behind = bisect_left(moments, end_s, lo=first, key=second)
    near = moments[first : behind + 1]  # the one behind tells when the last ends
    found = chapters_from([(second(moment), moment[1]) for moment in near], until_s)
    return [one for one in found if one.start_s < end_s and one.end_s > start_s]
