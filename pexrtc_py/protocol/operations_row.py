"""What a row of the table of operations is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import quote

from . import models as m

__all__ = ["Answer", "Caller", "Operation", "Scope", "row"]


class Scope(StrEnum):
    """Whose operation it is."""

    CONFERENCE = "conference"
    PARTICIPANT = "participant"
    CALL = "call"


class Caller(StrEnum):
    """Who may call it."""

    ANYONE = "anyone"
    TOKEN = "any participant"  # noqa: S105 - who, no secret
    SELF = "the participant itself"
    SELF_OR_HOST = "the participant itself, or a Host"
    HOST = "Hosts"


class Answer(StrEnum):
    """The form of the answer."""

    JSON = "json"
    """An envelope of status and result."""
    EVENTS = "events"
    """A stream of server-sent events."""
    PICTURE = "picture"
    """JPEG."""
    FILE = "file"
    """Any content type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One row of the table."""

    name: str
    """Key of the table and name of the client's method."""
    verb: str
    """GET or POST."""
    path: str
    """Template below `/api/client/v2/conferences/<alias>/`: `participants/{participant}/calls/{call}/ack`."""
    scope: Scope
    caller: Caller
    body: type[m.Body] | None
    """Model of the JSON body; None for an empty one."""
    result: Any
    """Type of the result as `models.decode_model` takes it, unions included; `NoneType` for null or nothing."""
    query: type[m.Body] | None
    """Model of the query string."""
    answer: Answer
    since: int
    """First release, see the module's docstring."""
    section: str
    """Where it is described: a heading of the guide, or "observed": what real clients call."""
    summary: str
    """What it does, in one sentence."""
    node: str
    """Empty when the embedded node does it, else why it answers 404."""
    upload: str
    """Name of the multipart field that carries a file instead of a JSON body."""

    @property
    def supported(self) -> bool:
        """Whether the embedded node does it."""
        return not self.node

    @property
    def repeatable(self) -> bool:
        """Whether asking twice does no more than asking once: then it may be sent again when its answer was lost."""
        return self.name not in _ONCE

    @property
    def has_breakout_form(self) -> bool:
        """Whether it can be asked inside a breakout: below `breakouts/<uuid>/` everything is there once more.

        Observed in @pexip/infinity-api and the Android SDK: not tokens, events, theme, nor breakouts themselves.
        """
        return self.scope is not Scope.CONFERENCE or not (
            self.name in _MAIN_ONLY or "breakout" in self.name or self.path.startswith("theme/")
        )

    @property
    def is_guide(self) -> bool:
        """Whether the v14 guide has it."""
        return self.section.startswith("guide")

    @property
    def takes(self) -> tuple[str, ...]:
        """Names in the path that must be filled: `("participant", "call")` for example."""
        return tuple(part[1:-1] for part in self.path.split("/") if part.startswith("{"))

    def fill(self, **values: str) -> str:
        """Fill the path template, each value quoted.

        Raises:
            KeyError: a value is missing.
        """
        return self.path.format(**{name: quote(values[name], safe="") for name in self.takes})


_MAIN_ONLY = frozenset({"request_token", "refresh_token", "release_token", "events"})

_ONCE = frozenset(
    {
        "request_token",
        "refresh_token",
        "dial",
        "conference_message",
        "breakouts_message",
        "breakout_create",
        "breakout_request_guest_token",
        "video_mix_create",
        "presentation_upload",
        "participant_message",
        "participant_dtmf",
        "participant_transfer",
        "participant_fecc",
        "participant_calls",
        "call_dtmf",
        "call_fecc",
        "call_update",
    }
)
"""What does more when asked twice: a second participant, call, message, digit."""


def row(
    path: str,
    caller: Caller,
    section: str,
    summary: str,
    *,
    name: str = "",
    verb: str = "POST",
    body: type[m.Body] | None = None,
    query: type[m.Body] | None = None,
    result: Any = bool,
    answer: Answer = Answer.JSON,
    since: int = 9,
    node: str = "",
    upload: str = "",
) -> Operation:
    """Make a row; scope and, where `name` is not given, the name follow from the path."""
    parts = path.rstrip("/").split("/")
    if "{call}" in parts:
        scope = Scope.CALL
    elif "{participant}" in parts:
        scope = Scope.PARTICIPANT
    else:
        scope = Scope.CONFERENCE
    prefix = "" if scope is Scope.CONFERENCE else f"{scope}_"
    return Operation(
        name=name or prefix + parts[-1],
        verb=verb,
        path=path,
        scope=scope,
        caller=caller,
        body=body,
        result=result,
        query=query,
        answer=answer,
        since=since,
        section=section,
        summary=summary,
        node=node,
        upload=upload,
    )
