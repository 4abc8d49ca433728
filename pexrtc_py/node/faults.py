"""Faults on request: which requests go wrong, and how. Deterministic: a rule counts, it does not throw dice.

For tests of software that speaks to a node. A rule names requests by operation, alias and participant, lets the first
`skip` of them pass, and strikes the next `times`. The first rule that strikes wins. `fault_injection` carries it out.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import msgspec

__all__ = ["FaultKind", "FaultRule", "Faults"]


class FaultKind(StrEnum):
    """What goes wrong with a request."""

    DELAY = "delay"
    """It waits `delay_s`, then goes on."""
    DROP = "drop"
    """Its connection breaks before it is served."""
    LOSE_ANSWER = "lose_answer"
    """It is served, and its connection breaks before the answer: what makes clients repeat themselves."""
    STATUS = "status"
    """It is answered with `status`."""
    NONSENSE = "nonsense"
    """It is answered with a page of HTML, as a proxy in the way would."""


class FaultRule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of fault for some requests."""

    kind: FaultKind
    """What goes wrong."""
    operation: str | None = None
    """Name in the table of operations; None for every one."""
    alias: str | None = None
    """The alias in the path; None for every one."""
    participant: str | None = None
    """UUID or display name of who asks; None for everybody, and those who have no token yet."""
    skip: int = 0
    """How many such requests pass first."""
    times: int | None = 1
    """How many are struck after that; None for all."""
    delay_s: float = 1.0
    """Seconds, for `delay`."""
    status: int = 503
    """HTTP status, for `status`."""

    def __post_init__(self) -> None:
        if not 400 <= self.status <= 599:
            raise ValueError("status is one of 400 to 599")
        if not 0 <= self.delay_s <= 3600:
            raise ValueError("delay_s is one of 0 to 3600 seconds")
        if self.skip < 0 or (self.times is not None and self.times < 1):
            raise ValueError("skip is not negative, times is positive")


@dataclass(slots=True)
class _Counted:
    rule: FaultRule
    seen: int = 0


class Faults:
    """The rules in force, in the order they were added."""

    def __init__(self) -> None:
        self._rules: list[_Counted] = []

    @property
    def rules(self) -> tuple[FaultRule, ...]:
        """All rules, used up ones included."""
        return tuple(counted.rule for counted in self._rules)

    def add(self, rule: FaultRule) -> None:
        """Put a rule last."""
        self._rules.append(_Counted(rule))

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._rules.clear()

    def pull(self, operation: str, alias: str, participant: tuple[str, ...] = ()) -> FaultRule | None:
        """Return what strikes this request, counting it.

        Args:
            operation: its name in the table.
            alias: the alias in its path.
            participant: UUID and display name of who asks, nothing without a token.
        """
        struck = None
        for counted in self._rules:
            rule = counted.rule
            if (
                rule.operation not in (None, operation)
                or rule.alias not in (None, alias)
                or (rule.participant is not None and rule.participant not in participant)
            ):
                continue
            counted.seen += 1
            position = counted.seen - rule.skip
            if struck is None and position > 0 and (rule.times is None or position <= rule.times):
                struck = rule
        return struck
