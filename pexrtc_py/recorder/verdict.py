"""What is wrong with a recording, and what only looks so: a camera that was off leaves a hole, and nothing is missing.

A file alone cannot tell whether what it lacks was ever sent. Its recorder could, and wrote it into the manifest. Where
that still describes the file, what was not sent is a remark, and only what was sent and is missing is a problem; where
there is none, every hole is one. Pure: what was read goes in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..media.frames import Kind
from ..media.integrity import Problem
from .manifest import KnownStream

__all__ = ["LOST", "FoundHole", "FoundStream", "Verdict", "judge"]

LOST = "media that was sent is missing"
"""The problem that holes are of which somebody knows that they are none of the sender's."""
_AS_SENT = frozenset({Problem.HOLES, Problem.FEW_KEY_FRAMES, Problem.APART})
"""What a sender may do, and a recorder must not: when media comes, and how often it can be decoded from."""
_TOLERANCE_S = 0.2
"""Between the times of a container, some of which do not say how long a frame lasts, and those it was written with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundHole:
    """Time without a packet of a stream, seconds of the file."""

    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundStream:
    """A stream as it was read."""

    kind: Kind
    holes: Sequence[FoundHole]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to say of a file."""

    problems: tuple[str, ...]
    """What is wrong with it; empty for a whole one."""
    remarks: tuple[str, ...]
    """What is as it was sent."""
    lost: tuple[tuple[bool | None, ...], ...]
    """Of each hole of each stream whether something is missing there; None where nobody knows."""


def judge(problems: Sequence[str], streams: Sequence[FoundStream], known: Sequence[KnownStream] | None) -> Verdict:
    """Tell what is wrong from what was sent so.

    Args:
        problems: what was found, of `Problem`.
        streams: what was read.
        known: what the recorder knew of the streams in this file; None when there is nothing of it, or it is not of
            this file.
    """
    if not known or any(one.holes is None for one in known):
        return Verdict(
            problems=tuple(problems), remarks=(), lost=tuple(tuple(None for _ in one.holes) for one in streams)
        )
    lost = tuple(tuple(_is_lost(hole, stream.kind, known) for hole in stream.holes) for stream in streams)
    # What breaks off before the end of the file leaves a hole that only its recorder knows of.
    is_missing = any(True in one for one in lost) or any(hole.is_lost for one in known for hole in one.holes or ())
    as_sent = _AS_SENT - ({Problem.HOLES} if any(None in one for one in lost) else set())
    return Verdict(
        problems=(*(one for one in problems if one not in as_sent), *((LOST,) if is_missing else ())),
        remarks=tuple(one for one in problems if one in as_sent),
        lost=lost,
    )


def _is_lost(hole: FoundHole, kind: Kind, known: Sequence[KnownStream]) -> bool | None:
    """Look a hole up; one that the recorder did not know of came later."""
    alike = [stream for stream in known if stream.kind is kind]
    for stream in alike:
        for one in stream.holes or ():
            start_s, end_s = one.start_s - stream.file_start_s, one.end_s - stream.file_start_s
            if abs(start_s - hole.start_s) <= _TOLERANCE_S and abs(end_s - hole.end_s) <= _TOLERANCE_S:
                return one.is_lost
    return None if any(stream.more_holes for stream in alike) else True
