"""THE table of the client API: what can be asked of a conferencing node, from where, by whom, with what, for what.

The client's methods, the node's routes, docs/operations.md and the test that proves none is missing are made of it.
An operation is added here first; then its method in signalling/client.py, its handler in node/, and the page (`python
docs/make_operations.py`).

Names: a conference's operation has the word of the wire, unless participants or calls have the same word; a
participant's and a call's always carry their noun (`participant_mute`, `call_ack`).

`since` is the release in which the guide's changelog has it (9 when it was there before the changelog begins). For
operations only observed it is the oldest release with which a client that uses it works: PexRTC of 2016 (14), of 2018
(18), of 2020 (23), the Android SDK, which refuses nodes older than 29, PexRTC of 2024 (34), or the release the
vendor's documentation names.

Left out, because nothing that we could run or read speaks them: set_guests_can_present, set_guests_can_see_guests,
set_clock, get_clock, get_properties, get_attestation, txmute (known by name only, protocol-facts section 5), and
registrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType, NoneType
from typing import Any
from urllib.parse import quote

from . import models as m

__all__ = ["OPERATIONS", "Answer", "Caller", "Operation", "Scope"]


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
    """Where it is described: a heading of the guide, or a section of protocol-facts."""
    node: str
    """Empty when the embedded node does it, else why it answers 404."""
    upload: str
    """Name of the multipart field that carries a file instead of a JSON body."""

    @property
    def supported(self) -> bool:
        """Whether the embedded node does it."""
        return not self.node

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


def _row(
    path: str,
    caller: Caller,
    section: str,
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
        node=node,
        upload=upload,
    )


_P = "participants/{participant}/"
_C = "participants/{participant}/calls/{call}/"
_CLIENT = "guide: Client control requests"
_CONFERENCE = "guide: Conference control functions"
_PARTICIPANT = "guide: Participant functions"
_CALL = "guide: Call functions"
_EVENTS = "guide: Server-sent events"
_FACTS_CALLS = "facts 3.2"
_FACTS_FLOOR = "facts 3.3"
_FACTS = "facts 5"
_NO_BREAKOUTS = "the embedded node has no breakouts"
_NO_MIXES = "the embedded node makes one mix for all"
_NO_ANALYSIS = "the embedded node does not look into pictures"
_NO_CAPTIONS = "the embedded node does not transcribe"
_NO_POLICY = "the embedded node has no such policy"

_ROWS = (
    # Tokens
    _row("request_token", Caller.ANYONE, _CLIENT, body=m.TokenRequest, result=m.TokenResult),
    _row("refresh_token", Caller.TOKEN, _CLIENT, result=m.RefreshResult),
    _row("release_token", Caller.TOKEN, _CLIENT, body=m.ReleaseRequest),
    # Events and the presentation as pictures
    _row("events", Caller.TOKEN, _EVENTS, verb="GET", result=NoneType, answer=Answer.EVENTS),
    _row("presentation.jpeg", Caller.TOKEN, _EVENTS, name="presentation_jpeg", verb="GET", query=m.PresentationQuery,
         result=bytes, answer=Answer.PICTURE),
    _row("presentation_high.jpeg", Caller.TOKEN, "facts 6", name="presentation_high_jpeg", verb="GET",
         query=m.PresentationQuery, result=bytes, answer=Answer.PICTURE, since=23),
    _row("presentation", Caller.TOKEN, "facts 6", name="presentation_upload", upload="frame", since=14),
    # Conference control
    _row("dial", Caller.HOST, _CONFERENCE, body=m.DialRequest, result=list[m.ParticipantUuid]),
    _row("conference_status", Caller.TOKEN, _CONFERENCE, verb="GET", result=m.ConferenceStatus),
    _row("lock", Caller.HOST, _CONFERENCE, name="conference_lock"),
    _row("unlock", Caller.HOST, _CONFERENCE, name="conference_unlock"),
    _row("start_conference", Caller.HOST, _CONFERENCE, since=12),
    _row("muteguests", Caller.HOST, _CONFERENCE),
    _row("unmuteguests", Caller.HOST, _CONFERENCE),
    _row("disconnect", Caller.HOST, _CONFERENCE, name="conference_disconnect"),
    _row("message", Caller.TOKEN, _CONFERENCE, name="conference_message", body=m.Message),
    _row("participants", Caller.TOKEN, _CONFERENCE, verb="GET", result=list[m.Participant]),
    _row("clearallbuzz", Caller.HOST, _FACTS, since=29),
    _row("clearspotlights", Caller.HOST, _FACTS, since=34),
    _row("set_guests_can_unmute", Caller.HOST, _FACTS, body=m.Setting, since=29),
    _row("transform_layout", Caller.HOST, _FACTS, body=m.TransformLayout, since=29),
    _row("override_layout", Caller.HOST, _FACTS, body=m.Transforms, since=14),
    _row("available_layouts", Caller.TOKEN, _FACTS, verb="GET", query=m.LayoutsQuery,
         result=list[str | m.AvailableLayout], since=29),
    _row("layout_svgs", Caller.TOKEN, _FACTS, verb="GET", result=dict[str, str], since=29),
    _row("theme/", Caller.TOKEN, _FACTS, verb="GET", result=dict[str, m.ThemeScreen] | None, since=29),
    _row("theme/{path}", Caller.TOKEN, _FACTS, name="theme_file", verb="GET", result=bytes,
         answer=Answer.FILE, since=29),
    _row("set_message_text", Caller.HOST, _FACTS, body=m.TextSetting, since=34),
    _row("get_message_text", Caller.TOKEN, _FACTS, verb="GET", result=m.TextSetting | str | None, since=34),
    _row("set_classification_level", Caller.HOST, _FACTS, body=m.ClassificationLevel, since=34, node=_NO_POLICY),
    _row("get_classification_level", Caller.TOKEN, _FACTS, verb="GET", result=m.Classification | None, since=34,
         node=_NO_POLICY),
    _row("set_pinning_config", Caller.HOST, _FACTS, body=m.PinningConfig, since=34, node=_NO_POLICY),
    _row("get_pinning_config", Caller.TOKEN, _FACTS, verb="GET", result=m.PinningConfig | str | None, since=34,
         node=_NO_POLICY),
    _row("available_pinning_configs", Caller.TOKEN, _FACTS, verb="GET", result=list[str], since=34, node=_NO_POLICY),
    _row("silent_video_detection", Caller.HOST, _FACTS, body=m.SilentVideoDetection, since=36, node=_NO_ANALYSIS),
    _row("video_mixes/create", Caller.TOKEN, _FACTS, name="video_mix_create", body=m.MixName, since=38, node=_NO_MIXES),
    _row("video_mixes/{mix}/configure", Caller.TOKEN, _FACTS, name="video_mix_configure",
         body=m.VideoMixConfiguration, since=38, node=_NO_MIXES),
    _row("video_mixes/{mix}/delete", Caller.TOKEN, _FACTS, name="video_mix_delete", since=38, node=_NO_MIXES),
    _row("breakouts", Caller.HOST, _FACTS, name="breakout_create", body=m.BreakoutRequest, result=m.BreakoutResult,
         since=29, node=_NO_BREAKOUTS),
    _row("breakouts/disconnect", Caller.HOST, _FACTS, name="breakouts_disconnect", since=29, node=_NO_BREAKOUTS),
    _row("breakouts/empty", Caller.HOST, _FACTS, name="breakouts_empty", since=29, node=_NO_BREAKOUTS),
    _row("breakouts/message", Caller.HOST, _FACTS, name="breakouts_message", body=m.Message, since=29,
         node=_NO_BREAKOUTS),
    _row("participants/breakout", Caller.HOST, _FACTS, name="breakout_move", body=m.BreakoutMove, since=29,
         node=_NO_BREAKOUTS),
    _row("breakouts/{breakout}/request_guest_token", Caller.HOST, _FACTS, name="breakout_request_guest_token",
         result=str, since=29, node=_NO_BREAKOUTS),
    _row("leavebreakout", Caller.TOKEN, _FACTS, since=29, node=_NO_BREAKOUTS),
    _row("breakoutbuzz", Caller.TOKEN, _FACTS, since=29, node=_NO_BREAKOUTS),
    _row("clearbreakoutbuzz", Caller.TOKEN, _FACTS, since=29, node=_NO_BREAKOUTS),
    # A participant
    _row(_P + "disconnect", Caller.SELF_OR_HOST, _PARTICIPANT),
    _row(_P + "mute", Caller.SELF_OR_HOST, _PARTICIPANT),
    _row(_P + "unmute", Caller.SELF_OR_HOST, _PARTICIPANT),
    _row(_P + "allowrxpresentation", Caller.HOST, _PARTICIPANT),
    _row(_P + "denyrxpresentation", Caller.HOST, _PARTICIPANT),
    _row(_P + "spotlighton", Caller.HOST, _PARTICIPANT),
    _row(_P + "spotlightoff", Caller.HOST, _PARTICIPANT),
    _row(_P + "unlock", Caller.HOST, _PARTICIPANT),
    _row(_P + "dtmf", Caller.SELF_OR_HOST, _PARTICIPANT, body=m.DtmfRequest, since=10),
    _row(_P + "calls", Caller.SELF, _PARTICIPANT, body=m.CallRequest, result=m.CallResult),
    _row(_P + "role", Caller.HOST, _PARTICIPANT, body=m.RoleRequest, since=11),
    _row(_P + "transfer", Caller.HOST, _PARTICIPANT, body=m.TransferRequest, since=12),
    _row(_P + "take_floor", Caller.SELF, _FACTS_FLOOR, body=m.FloorRequest, result=NoneType, since=29),
    _row(_P + "release_floor", Caller.SELF, _FACTS_FLOOR, result=NoneType, since=29),
    _row(_P + "client_mute", Caller.SELF, _FACTS, since=36),
    _row(_P + "client_unmute", Caller.SELF, _FACTS, since=36),
    _row(_P + "video_muted", Caller.SELF_OR_HOST, _FACTS, since=23),
    _row(_P + "video_unmuted", Caller.SELF_OR_HOST, _FACTS, since=23),
    _row(_P + "buzz", Caller.SELF, _FACTS, since=29),
    _row(_P + "clearbuzz", Caller.SELF_OR_HOST, _FACTS, since=29),
    _row(_P + "overlaytext", Caller.SELF_OR_HOST, _FACTS, body=m.TextSetting, since=14),
    _row(_P + "message", Caller.TOKEN, _FACTS, body=m.Message, since=37),
    _row(_P + "fecc", Caller.TOKEN, _FACTS, body=m.FeccRequest, since=14),
    _row(_P + "hold", Caller.SELF_OR_HOST, _FACTS, since=14),
    _row(_P + "resume", Caller.SELF_OR_HOST, _FACTS, since=14),
    _row(_P + "preferred_aspect_ratio", Caller.SELF, _FACTS, body=m.AspectRatio, since=29),
    _row(_P + "pres_in_mix", Caller.SELF_OR_HOST, _FACTS, body=m.StateSetting, since=29),
    _row(_P + "notify_not_afk", Caller.SELF, _FACTS, since=36),
    _row(_P + "show_live_captions", Caller.SELF, _FACTS, result=NoneType, since=29, node=_NO_CAPTIONS),
    _row(_P + "hide_live_captions", Caller.SELF, _FACTS, result=NoneType, since=29, node=_NO_CAPTIONS),
    _row(_P + "studiosound", Caller.SELF_OR_HOST, _FACTS, body=m.EnabledSetting, since=38, node=_NO_ANALYSIS),
    _row(_P + "layout_group", Caller.HOST, _FACTS, body=m.LayoutGroup, since=38, node=_NO_MIXES),
    _row(_P + "send_to_audio_mixes", Caller.HOST, _FACTS, body=m.AudioMixes, since=38, node=_NO_MIXES),
    _row(_P + "receive_from_audio_mix", Caller.HOST, _FACTS, body=m.MixName, since=38, node=_NO_MIXES),
    _row(_P + "avatar.jpg", Caller.TOKEN, _FACTS, name="participant_avatar", verb="GET", result=bytes,
         answer=Answer.PICTURE, since=29),
    # A call
    _row(_C + "ack", Caller.SELF, _CALL, body=m.AckRequest),
    _row(_C + "disconnect", Caller.SELF, _CALL),
    _row(_C + "dtmf", Caller.SELF, _CALL, body=m.DtmfRequest),
    _row(_C + "update", Caller.SELF, _FACTS_CALLS, body=m.UpdateRequest, result=m.CallResult | str, since=23),
    _row(_C + "new_candidate", Caller.SELF, _FACTS_CALLS, body=m.CandidateRequest, result=NoneType, since=18),
    _row(_C + "statistics", Caller.SELF, _FACTS_CALLS, body=m.StatisticsRequest, result=NoneType, since=29),
    _row(_C + "fecc", Caller.TOKEN, _FACTS, body=m.FeccRequest, since=29),
)  # fmt: skip

OPERATIONS: Mapping[str, Operation] = MappingProxyType({row.name: row for row in _ROWS})
"""Every operation by name."""
