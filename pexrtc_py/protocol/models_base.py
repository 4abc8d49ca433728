"""What every message of the wire is made of: identifiers, closed sets of words, reply envelope, tolerant decoding.

The rule kept here: Pexip adds fields, words and events at every release, so an unknown key is ignored, an unknown
word becomes `UNKNOWN`, an optional value of an unexpected type counts as not given, and only a missing required field
is an error. Bodies leave out what was not given (`None`); results leave out what is `UNSET`, and `UNSET` is false.
"""

from __future__ import annotations

from enum import StrEnum
from types import UnionType
from typing import Any, ClassVar, NewType, TypeVar, get_args, get_origin, overload

import msgspec
from msgspec import UNSET, UnsetType

from ..errors import RemoteProtocolError

__all__ = [
    "UNSET",
    "Body",
    "CallType",
    "CallUuid",
    "EnabledSetting",
    "ParticipantRole",
    "ParticipantUuid",
    "Reply",
    "Result",
    "Role",
    "ServiceType",
    "Setting",
    "StateSetting",
    "TextSetting",
    "Token",
    "UnsetType",
    "Version",
    "YesNo",
    "decode_model",
    "decode_reply",
    "encode_failure",
    "encode_model",
    "encode_success",
    "is_yes",
    "yes_no",
]

ParticipantUuid = NewType("ParticipantUuid", str)
CallUuid = NewType("CallUuid", str)
Token = NewType("Token", str)
"""A secret: models that carry one leave it out of their `repr`."""

YesNo = str
"""A flag as participants carry it: the word "YES" or "NO"."""

T = TypeVar("T")


def is_yes(flag: YesNo) -> bool:
    """Read a flag of a participant."""
    return flag.upper() == "YES"


def yes_no(*, flag: bool) -> YesNo:
    """Write a flag of a participant."""
    return "YES" if flag else "NO"


class Role(StrEnum):
    """A role as tokens and `dial` spell it."""

    HOST = "HOST"
    GUEST = "GUEST"
    UNKNOWN = "UNKNOWN"

    @classmethod
    def _missing_(cls, value: object) -> Role:
        # `dial` has chair and guest in guide v14, HOST and GUEST from real clients.
        return {"host": cls.HOST, "chair": cls.HOST, "guest": cls.GUEST}.get(str(value).lower(), cls.UNKNOWN)


class ParticipantRole(StrEnum):
    """A role as participant objects, `role` and `transfer` spell it."""

    CHAIR = "chair"
    GUEST = "guest"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> ParticipantRole:
        # `transfer` is documented with chair and typed with host by Pexip's own client.
        return {"host": cls.CHAIR, "chair": cls.CHAIR, "guest": cls.GUEST}.get(str(value).lower(), cls.UNKNOWN)


class ServiceType(StrEnum):
    """Where a participant is: guide v14, participant_create and request_token; newer words observed."""

    CONNECTING = "connecting"
    WAITING_ROOM = "waiting_room"
    IVR = "ivr"
    CONFERENCE = "conference"
    LECTURE = "lecture"
    GATEWAY = "gateway"
    TEST_CALL = "test_call"
    MEDIA_PLAYBACK = "media_playback"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> ServiceType:
        return cls.WAITING_ROOM if value == "waiting room" else cls.UNKNOWN


class CallType(StrEnum):
    """What media a call may carry."""

    VIDEO = "video"
    VIDEO_ONLY = "video-only"
    AUDIO = "audio"
    UNKNOWN = "unknown"

    @classmethod
    def _missing_(cls, value: object) -> CallType:
        return cls.UNKNOWN


class _Reticent(msgspec.Struct, frozen=True, kw_only=True):
    """A struct whose `repr` leaves out the values of its secret fields."""

    secret: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (
            f"{name}=…" if name in self.secret and value else f"{name}={value!r}"
            for name, value in ((name, getattr(self, name)) for name in self.__struct_fields__)
            if value is not UNSET and value is not None
        )
        return f"{type(self).__name__}({', '.join(shown)})"


class Body(_Reticent, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON body of a request; what is at its default is not sent."""


class Result(_Reticent, frozen=True, kw_only=True):
    """The `result` of a reply, or the data of an event; what is `UNSET` is not sent."""


class Version(Result, frozen=True, kw_only=True):
    """The version of a node."""

    version_id: str = ""
    """The release, "36" for example."""
    pseudo_version: str = ""
    """The build, "79019.0.0" for example."""


class Setting(Body, frozen=True, kw_only=True):
    """The body of operations that switch something of the conference."""

    setting: bool


class EnabledSetting(Body, frozen=True, kw_only=True):
    """The body of operations that switch a feature."""

    enabled: bool


class StateSetting(Body, frozen=True, kw_only=True):
    """The body of operations that switch something of a participant."""

    state: bool


class TextSetting(Body, frozen=True, kw_only=True):
    """The body of operations that set a text."""

    text: str


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope of every JSON reply: guide v14, Using the API."""

    status: str = ""
    """"success" or "failed" ("failure" in the guide, which no client takes)."""
    result: msgspec.Raw = msgspec.Raw(b"null")
    """Not yet decoded: what it is depends on the operation."""

    @property
    def succeeded(self) -> bool:
        """Whether the node processed the command; some replies have a result and no status."""
        return self.status in ("success", "")


def decode_reply(data: bytes) -> Reply:
    """Read the envelope of a reply.

    Raises:
        RemoteProtocolError: this is no JSON object with a result.
    """
    try:
        return msgspec.json.decode(data, type=Reply)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"no reply of the client API: {_one_line(exc)}") from exc


def encode_success(result: object) -> bytes:
    """Write a reply that carries a result (any model, bool, string, list or None)."""
    return msgspec.json.encode({"status": "success", "result": result})


def encode_failure(reason: str) -> bytes:
    """Write a reply that carries an error string: always "failed"."""
    return msgspec.json.encode({"status": "failed", "result": reason})


def encode_model(model: object) -> bytes:
    """Write a body or a result as JSON."""
    return msgspec.json.encode(model)


@overload
def decode_model(data: bytes | msgspec.Raw, model: type[T]) -> T: ...
@overload
def decode_model(data: bytes | msgspec.Raw, model: UnionType) -> object: ...
def decode_model(data: bytes | msgspec.Raw, model: Any) -> Any:
    """Read JSON into a model, tolerantly: see the rule at the top of this module.

    Args:
        data: JSON text in UTF-8.
        model: a struct, a builtin type, a union, or a list of a struct.

    Raises:
        RemoteProtocolError: no JSON, or a required field is missing or of the wrong type; the message has the path.
    """
    try:
        return msgspec.json.decode(data, type=model)
    except msgspec.ValidationError as exc:
        first = exc
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise RemoteProtocolError(f"no JSON: {_one_line(exc)}") from exc
    try:
        return _convert(msgspec.json.decode(data), model)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise RemoteProtocolError(_one_line(first)) from first


def _convert(value: object, model: Any) -> Any:
    """Convert field by field, so that one odd optional value does not cost the whole."""
    if get_origin(model) is list and isinstance(value, list):
        (item,) = get_args(model)
        return [_convert(element, item) for element in value]
    if not (isinstance(value, dict) and isinstance(model, type) and issubclass(model, msgspec.Struct)):
        return msgspec.convert(value, model, strict=False)
    known: dict[str, object] = {}
    for field in msgspec.structs.fields(model):
        if field.encode_name not in value:
            continue
        try:
            known[field.encode_name] = msgspec.to_builtins(_convert(value[field.encode_name], field.type))
        except msgspec.ValidationError:
            if field.required:
                raise
    return msgspec.convert(known, model)


def _one_line(exc: Exception, limit: int = 200) -> str:
    text = str(exc).encode("unicode_escape").decode("ascii")
    return text if len(text) <= limit else text[:limit] + "…"
