"""Chapters of a recording: named moments made into stretches that a player can list."""

from __future__ import annotations

from collections.abc import Iterable

from ..media.writers.muxer import Chapter

__all__ = ["chapters_from"]


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
