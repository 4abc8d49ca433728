"""Bodies and results of the conference control functions.

Sources: guide v14, Conference control functions; observed: captures of nodes up to v36 and real clients, for what newer
nodes add.
"""

from __future__ import annotations

from .models_base import UNSET, Body, CallType, ParticipantUuid, Result, Role, UnsetType

__all__ = [
    "AvailableLayout",
    "BreakoutMove",
    "BreakoutRequest",
    "BreakoutResult",
    "Classification",
    "ClassificationLevel",
    "ConferenceStatus",
    "DialRequest",
    "LayoutsQuery",
    "PinningConfig",
    "PresentationQuery",
    "SilentVideoConfig",
    "SilentVideoDetection",
    "StreamingLayout",
    "ThemeBackground",
    "ThemeScreen",
    "ThemeText",
    "TransformLayout",
    "Transforms",
    "VideoMixConfiguration",
    "VideoMixLayout",
]


class DialRequest(Body, frozen=True, kw_only=True):
    """The body of dial."""

    role: Role
    """Host or guest: chair and guest in the guide, HOST and GUEST from Pexip's clients; these are sent, both read."""
    destination: str
    """The address to call."""
    protocol: str
    """"sip", "h323", "rtmp", "mssip" or "auto" (by the node's call routing rules)."""
    presentation_url: str | None = None
    """For RTMP: a second destination, for the presentation."""
    presentation_uri: str | None = None
    """The same as the oldest web clients spell it."""
    streaming: str | None = None
    """"yes" for a streaming or recording participant, or "no"."""
    dtmf_sequence: str | None = None
    """Digits to send once the call has started."""
    source_display_name: str | None = None
    """The name to call under."""
    source: str | None = None
    """The URI to call from; must belong to the conference."""
    call_type: CallType | None = None
    """What media the call may carry; video when not given."""
    keep_conference_alive: str | None = None
    """"keep_conference_alive", "keep_conference_alive_if_multiple" or "keep_conference_alive_never"."""
    remote_display_name: str | None = None
    """The name to show for the participant."""
    text: str | None = None
    """Text over its picture instead of the name."""
    prefer_ipv6: str | None = None
    custom_sip_headers: dict[str, str] | None = None


class Classification(Result, frozen=True, kw_only=True):
    """Classification levels of a conference."""

    levels: dict[str, str] = {}  # noqa: RUF012 - msgspec copies an empty default
    """Number of a level to its name."""
    current: int | None = None
    """The level in force."""


class ConferenceStatus(Result, frozen=True, kw_only=True):
    """The result of conference_status, and the data of conference_update.

    The guide knows `locked` and `guests_muted`; all else is newer, and left out by nodes that do not know it.
    """

    locked: bool = False
    """Whether newcomers wait to be let in."""
    guests_muted: bool = False
    """Whether guests are muted as they come."""
    started: bool | UnsetType = UNSET
    """Whether a Host has come, so that guests are let out of the waiting room."""
    all_muted: bool | UnsetType = UNSET
    guests_can_unmute: bool | UnsetType | None = UNSET
    guests_can_present: bool | UnsetType = UNSET
    presentation_allowed: bool | UnsetType = UNSET
    chat_enabled: bool | UnsetType = UNSET
    direct_media: bool | UnsetType = UNSET
    live_captions_available: bool | UnsetType = UNSET
    classification: Classification | UnsetType | None = UNSET
    message_text: str | UnsetType | None = UNSET
    pinning_config: str | UnsetType | None = UNSET
    recording: bool | UnsetType = UNSET
    transcribing: bool | UnsetType = UNSET
    streaming: bool | UnsetType = UNSET
    public_streaming: bool | UnsetType = UNSET
    ai_enabled: bool | UnsetType = UNSET
    external_media_processing: bool | UnsetType = UNSET
    breakout_rooms: bool | UnsetType = UNSET
    breakout: bool | UnsetType = UNSET
    breakout_name: str | UnsetType = UNSET
    breakout_description: str | UnsetType = UNSET
    end_action: str | UnsetType = UNSET
    """What the end of a breakout does to its participants: "transfer" or "disconnect"."""
    end_time: float | UnsetType | None = UNSET
    """Unix time of the end of a breakout."""
    breakout_guests_allowed_to_leave: bool | UnsetType = UNSET
    breakoutbuzz: dict[str, object] | UnsetType | None = UNSET


class StreamingLayout(Body, frozen=True, kw_only=True):
    """How a streaming participant sees the conference."""

    layout: str | None = None
    waiting_screen_enabled: bool | None = None
    plus_n_pip_enabled: bool | None = None
    indicators_enabled: bool | None = None


class Transforms(Body, frozen=True, kw_only=True):
    """What to change of the layout; an empty one resets everything."""

    layout: str | None = None
    """The layout for all, "1:7" for example."""
    host_layout: str | None = None
    guest_layout: str | None = None
    enable_overlay_text: bool | None = None
    """Whether names are drawn."""
    enable_active_speaker_indication: bool | None = None
    enable_extended_ac: bool | None = None
    recording_indicator: bool | None = None
    streaming_indicator: bool | None = None
    free_form_overlay_text: list[str] | None = None
    streaming: StreamingLayout | None = None


class TransformLayout(Body, frozen=True, kw_only=True):
    """The body of transform_layout."""

    transforms: Transforms


class AvailableLayout(Result, frozen=True, kw_only=True):
    """A layout of available_layouts, when asked for with `annotate`."""

    name: str
    tags: list[str] | UnsetType = UNSET


class LayoutsQuery(Body, frozen=True, kw_only=True):
    """The query of available_layouts."""

    annotate: bool | None = None
    """Whether each layout comes with its tags."""


class PresentationQuery(Body, frozen=True, kw_only=True):
    """The query of presentation.jpeg."""

    id: str
    """Id of the presentation_frame event."""


class SilentVideoConfig(Body, frozen=True, kw_only=True):
    """When a picture counts as silent."""

    enable: bool | None = None
    silent_after: float | None = None
    """Seconds."""
    require_no_faces: bool | None = None
    reactivate_after: float | None = None
    """Seconds."""


class SilentVideoDetection(Body, frozen=True, kw_only=True):
    """The body of silent_video_detection."""

    config: SilentVideoConfig


class ClassificationLevel(Body, frozen=True, kw_only=True):
    """The body of set_classification_level."""

    level: int


class PinningConfig(Body, frozen=True, kw_only=True):
    """The body of set_pinning_config."""

    pinning_config: str


class VideoMixLayout(Body, frozen=True, kw_only=True):
    """The layout of a video mix."""

    layout: str | None = None


class VideoMixConfiguration(Body, frozen=True, kw_only=True):
    """The body of video_mixes/<mix>/configure."""

    transform_layout: VideoMixLayout


class ThemeBackground(Result, frozen=True, kw_only=True):
    """The picture behind a screen of the theme."""

    path: str


class ThemeText(Result, frozen=True, kw_only=True):
    """A text on a screen of the theme."""

    type: str = "text"
    color: int = 0
    text: str = ""


class ThemeScreen(Result, frozen=True, kw_only=True):
    """A screen of the conference's theme; the result of theme maps names such as `direct_media_welcome` to these."""

    layout_type: str = ""
    background: ThemeBackground | UnsetType = UNSET
    elements: list[ThemeText] | UnsetType = UNSET


class BreakoutRequest(Body, frozen=True, kw_only=True):
    """The body of breakouts."""

    name: str
    duration: int | None = None
    """Seconds."""
    end_action: str | None = None
    """"transfer" or "disconnect"."""
    participants: dict[str, list[str]] | None = None
    """Who goes there: room of origin ("main" or a breakout's UUID) to participant UUIDs."""
    guests_allowed_to_leave: bool | None = None


class BreakoutResult(Result, frozen=True, kw_only=True):
    """The result of breakouts."""

    breakout_uuid: str


class BreakoutMove(Body, frozen=True, kw_only=True):
    """The body of participants/breakout."""

    breakout_uuid: str
    participants: list[ParticipantUuid]
