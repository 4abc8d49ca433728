"""Reasons of a disconnect, in the words nodes use, and whether they mean a good end.

Source: the table of reasons in @pexip/infinity-api 20.0.0, getErrorCode.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Reason", "is_good_end"]


class Reason(StrEnum):
    """Reasons of a disconnect."""

    DISCONNECTED_BY_API = "API initiated participant disconnect"
    DISCONNECTED_BY_PARTICIPANT = "Disconnected by another participant"
    DISCONNECTED_BY_ADMINISTRATOR = "Disconnected by an administrator"
    CONFERENCE_ENDED_BY_API = "API initiated conference termination"
    CONFERENCE_ENDED_BY_PARTICIPANT = "Conference terminated by another participant"
    CONFERENCE_ENDED_BY_ADMINISTRATOR = "Conference terminated by an administrator"
    CONFERENCE_ENDED_BY_DTMF = "Conference host ended the conference with a DTMF command"
    HOSTS_DEPARTED = "All conference hosts departed hosted conference"
    NOBODY_KEEPS_ALIVE = "No participants can keep conference alive"
    LAST_REMOVED = "Last remaining participant removed from conference after timeout"
    TEST_CALL_FINISHED = "Test call finished"
    CALL_DISCONNECTED = "Call disconnected"
    CALL_REJECTED = "Call rejected"
    WAITED_TOO_LONG = "Timeout waiting for conference host to join or permit access to locked conference"
    TOKEN_EXPIRED = "Timer expired awaiting token refresh"  # noqa: S105 - a reason, no secret
    PIN_TRIES_EXCEEDED = "Participant exceeded PIN entry retries"
    PARTICIPANT_LIMIT = "Participant limit reached"
    OUT_OF_RESOURCE = "Out of resource"
    MAINTENANCE = "System in maintenance mode"
    DIAL_OUT_FAILED = "Gateway dial out failed"
    ICE_FAILURE = "Ice failure"


_GOOD = frozenset(
    {
        Reason.CONFERENCE_ENDED_BY_API,
        Reason.CONFERENCE_ENDED_BY_PARTICIPANT,
        Reason.CONFERENCE_ENDED_BY_ADMINISTRATOR,
        Reason.CONFERENCE_ENDED_BY_DTMF,
        Reason.HOSTS_DEPARTED,
        Reason.NOBODY_KEEPS_ALIVE,
        Reason.LAST_REMOVED,
        Reason.TEST_CALL_FINISHED,
    }
)


def is_good_end(reason: str) -> bool:
    """Whether the conference was over, rather than we removed or lost."""
    return reason in _GOOD
