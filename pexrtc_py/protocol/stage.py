"""Who stands where: the order of participants by voice, spotlights first.

The rule (v14 guide, "stage" and "spotlighton"): spotlighted participants keep the first positions in the order they
were spotlighted; all others follow by most recent voice. Whoever speaks into silence comes first at once; whoever
speaks over the main speaker must go on for `takeover_s`, so that a cough does not cut the picture. The room makes
`stage` events of this, the media its choice of picture.
"""

from __future__ import annotations

from dataclasses import dataclass

from .models import ParticipantUuid

__all__ = ["TAKEOVER_S", "Position", "Stage"]

TAKEOVER_S = 1.0
"""How long one must speak over the main speaker to take its place; a limit of our own, about one short sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """One participant's place on the stage."""

    participant: ParticipantUuid
    """Who."""
    index: int
    """0 is the main speaker."""
    speaking: bool
    """Whether its voice is heard now."""


@dataclass(slots=True)
class _Actor:
    spotlight: float | None = None
    speaking_since: float | None = None


class Stage:
    """The order of speakers. Driven by voice activity, spotlights, comings and goings, and one timer."""

    def __init__(self, *, takeover_s: float = TAKEOVER_S) -> None:
        self._takeover_s = takeover_s
        self._actors: dict[ParticipantUuid, _Actor] = {}
        self._by_voice: list[ParticipantUuid] = []

    @property
    def order(self) -> tuple[ParticipantUuid, ...]:
        """All participants on stage, main speaker first."""
        spotlit = [(a.spotlight, p) for p, a in self._actors.items() if a.spotlight is not None]
        first = [p for _, p in sorted(spotlit, key=lambda pair: pair[0])]
        return (*first, *(p for p in self._by_voice if self._actors[p].spotlight is None))

    @property
    def positions(self) -> tuple[Position, ...]:
        """The whole stage in order."""
        return tuple(
            Position(participant=p, index=i, speaking=self._actors[p].speaking_since is not None)
            for i, p in enumerate(self.order)
        )

    def add(self, participant: ParticipantUuid) -> None:
        """Put a participant last; one who is there stays where it is."""
        if participant not in self._actors:
            self._actors[participant] = _Actor()
            self._by_voice.append(participant)

    def remove(self, participant: ParticipantUuid) -> None:
        """Take a participant off the stage; one who is not there is ignored."""
        if self._actors.pop(participant, None) is not None:
            self._by_voice.remove(participant)

    def set_spotlight(self, participant: ParticipantUuid, at: float | None) -> None:
        """Spotlight a participant since `at`, or no more; one who is not on stage is ignored."""
        if actor := self._actors.get(participant):
            actor.spotlight = at

    def handle_voice(self, participant: ParticipantUuid, now: float, *, speaking: bool) -> None:
        """Learn that a participant began or ceased to speak; one who is not on stage is ignored."""
        actor = self._actors.get(participant)
        if actor is None:
            return
        if not speaking:
            actor.speaking_since = None
        elif actor.speaking_since is None:
            actor.speaking_since = now
        self._promote(now)

    def next_timer(self) -> float | None:
        """When the order may change by itself, or None."""
        contender = self._contender()
        return None if contender is None else contender[1]

    def handle_timer(self, now: float) -> None:
        """Let whoever has spoken long enough over the main speaker come first."""
        self._promote(now)

    def _contender(self) -> tuple[ParticipantUuid, float] | None:
        """Return the newest voice behind the main speaker, and when it takes its place."""
        if not self._by_voice:
            return None
        main, *others = self._by_voice
        main_since = self._actors[main].speaking_since
        voices = [
            (since, p)
            for p in others
            if (since := self._actors[p].speaking_since) is not None and (main_since is None or since > main_since)
        ]
        if not voices:
            return None
        since, speaker = max(voices)
        return speaker, since if main_since is None else since + self._takeover_s

    def _promote(self, now: float) -> None:
        contender = self._contender()
        if contender is not None and contender[1] <= now:
            self._by_voice.remove(contender[0])
            self._by_voice.insert(0, contender[0])
