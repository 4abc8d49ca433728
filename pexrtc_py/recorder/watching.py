"""What a recording knows for its stop rules: when somebody came, was heard, was there, and when media came last."""

from __future__ import annotations

from collections.abc import Callable

from .roles import Role
from .stopping import Observed

__all__ = ["Watch"]


class Watch:
    """Notes moments on the call's clock; `observed` puts them together. Driven by its recording and who attends."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin now: as long as nobody says otherwise, the conference is joined already."""
        self._clock = clock
        self._began = clock()
        self._heard_at: float | None = None
        self._accompanied_at: float | None = None
        self._media_at: dict[Role, float] = {}

    def note_media(self, role: Role) -> None:
        """Say that a frame came."""
        self._media_at[role] = self._clock()

    def note_waiting(self) -> None:
        """Say that the conference is yet to be joined: silence and loneliness count from `note_joined` on."""
        self._began = float("inf")

    def note_joined(self) -> None:
        """Say that the conference is joined now; the first time counts."""
        self._began = min(self._began, self._clock())

    def note_voice(self) -> None:
        """Say that somebody is heard now; for `StopRules.silence_s`."""
        self._heard_at = self._clock()

    def note_speakers(self, count: int) -> None:
        """Say how many speak from now on; for `StopRules.silence_s`."""
        if count:
            self._heard_at = float("inf")
        elif self._heard_at == float("inf"):
            self._heard_at = self._clock()

    def note_people(self, others: int) -> None:
        """Say how many other persons are there from now on, bots not counted; for `StopRules.alone_s`, `deserted_s`."""
        if others:
            self._accompanied_at = float("inf")
        elif self._accompanied_at == float("inf"):
            self._accompanied_at = self._clock()

    def heard_at(self, *roles: Role) -> float | None:
        """When the last frame of these streams came, on the call's clock; None when none has come."""
        return max((self._media_at[role] for role in roles if role in self._media_at), default=None)

    def observed(self, now: float, wall_clock: float) -> Observed:
        """Return what is known now, the recording's own length, size and pause left out."""
        return Observed(
            now=now,
            wall_clock=wall_clock,
            began=self._began,
            heard_at=self._heard_at,
            accompanied_at=self._accompanied_at,
            media_at=self.heard_at(*Role),
        )
