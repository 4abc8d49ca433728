"""The participant object, and the bodies and results of the participant functions.

Sources: guide v14, Participant functions and participant_create; observed: captures of nodes up to v36 and real
clients, for what newer nodes add. Flags are words on the wire ("YES", "NO") or booleans, and stay as they came; the
properties read them.
"""

from __future__ import annotations

from typing import ClassVar

from .models_base import UNSET, Body, ParticipantRole, ParticipantUuid, Result, ServiceType, UnsetType, YesNo, is_yes

__all__ = [
    "AspectRatio",
    "AudioMix",
    "AudioMixes",
    "DtmfRequest",
    "FeccMovement",
    "FeccRequest",
    "FloorRequest",
    "LayoutGroup",
    "Message",
    "MixName",
    "Participant",
    "PersonalMix",
    "RoleRequest",
    "TransferRequest",
]


class AudioMix(Result, frozen=True, kw_only=True):
    """An audio mix a participant is heard in."""

    mix_name: str
    prominent: bool = False


class PersonalMix(Result, frozen=True, kw_only=True):
    """The video mix a participant sees."""

    mix_name: str = ""
    timestamp: float = 0


class Participant(Result, frozen=True, kw_only=True):
    """A participant of the conference as every list and event has it; always the whole object."""

    uuid: ParticipantUuid
    """Names the participant in all operations."""
    api_url: str = ""
    """Path of its functions, `/participants/<uuid>`."""
    call_direction: str = "in"
    """"in" or "out"."""
    display_name: str = ""
    """The name to show."""
    overlay_text: str = ""
    """Text over the picture instead of the name."""
    encryption: str = "Off"
    """"On" or "Off": whether its media is encrypted."""
    has_media: bool = False
    """Whether it has media, or is here to control only."""
    is_muted: YesNo = "NO"
    """Administratively muted."""
    is_presenting: YesNo = "NO"
    """The current presenter."""
    is_streaming_conference: bool = False
    """A streaming or recording participant."""
    is_video_call: YesNo = "NO"
    """Can do video."""
    is_audio_only_call: YesNo = "NO"
    """Audio only."""
    is_external: bool = False
    """From outside, a Skype for Business meeting for example."""
    local_alias: str = ""
    """The alias it called, or was called from."""
    presentation_supported: YesNo = "NO"
    fecc_supported: YesNo = "NO"
    transfer_supported: YesNo = "NO"
    disconnect_supported: YesNo = "NO"
    mute_supported: YesNo = "NO"
    protocol: str = ""
    """"api", "webrtc", "sip", "rtmp", "h323", "mssip" or ""."""
    role: ParticipantRole = ParticipantRole.UNKNOWN
    """Host ("chair") or guest."""
    rx_presentation_policy: str = "ALLOW"
    """"ALLOW" or "DENY": whether it may receive the presentation."""
    service_type: ServiceType = ServiceType.UNKNOWN
    """Where it is: connecting, waiting, asked for a PIN, or in."""
    spotlight: float = 0
    """Unix time of its spotlight, 0 without."""
    start_time: float = 0
    """Unix time of its joining."""
    uri: str = ""
    external_node_uuid: str = ""
    vendor: str = ""
    """Browser or endpoint."""
    buzz_time: float = 0
    """Unix time of its raised hand, 0 without."""
    call_tag: str = ""
    """The mark given at request_token."""
    is_video_muted: bool = False
    """It has told that it sends no picture."""
    is_video_silent: bool = False
    """Nothing moves in its picture."""
    is_main_video_dropped_out: bool = False
    needs_presentation_in_mix: bool = False
    """Sees the presentation inside the main picture."""
    show_live_captions: bool = False
    is_idp_authenticated: bool = False
    """An identity provider vouched for it."""
    is_client_muted: bool = False
    """It has told that its microphone is off (36 and later)."""
    is_conjoined: bool | UnsetType = UNSET
    is_transferring: bool | UnsetType = UNSET
    is_tx_muted: bool | UnsetType = UNSET
    is_on_hold: bool | UnsetType = UNSET
    is_public_streaming: bool | UnsetType = UNSET
    is_recording: bool | UnsetType = UNSET
    is_transcribing: bool | UnsetType = UNSET
    is_ai_enabled: bool | UnsetType = UNSET
    studiosound_enabled: bool | UnsetType = UNSET
    supports_direct_chat: bool | UnsetType = UNSET
    """Takes messages meant for it alone (37 and later)."""
    can_receive_personal_mix: bool | UnsetType = UNSET
    receive_from_video_mix: PersonalMix | UnsetType | None = UNSET
    send_to_audio_mixes: list[AudioMix] | UnsetType = UNSET
    receive_from_audio_mix: str | UnsetType = UNSET
    layout_group: str | UnsetType | None = UNSET
    last_spoken_time: float | UnsetType | None = UNSET
    custom_properties: dict[str, object] | UnsetType | None = UNSET
    """Set by the installation's policy (41 and later)."""

    @property
    def muted(self) -> bool:
        """Whether a Host, or it itself through the node, has muted it."""
        return is_yes(self.is_muted)

    @property
    def presenting(self) -> bool:
        """Whether it holds the presentation floor."""
        return is_yes(self.is_presenting)

    @property
    def has_video(self) -> bool:
        """Whether it can do video."""
        return is_yes(self.is_video_call)

    @property
    def audio_only(self) -> bool:
        """Whether its call is audio only."""
        return is_yes(self.is_audio_only_call)

    @property
    def is_host(self) -> bool:
        """Whether it has Host rights."""
        return self.role is ParticipantRole.CHAIR

    @property
    def in_conference(self) -> bool:
        """Whether it is past PIN entry and waiting room."""
        return self.service_type not in (ServiceType.CONNECTING, ServiceType.WAITING_ROOM, ServiceType.IVR)

    @property
    def may_receive_presentation(self) -> bool:
        """Whether a Host lets it receive the presentation."""
        return self.rx_presentation_policy != "DENY"

    @property
    def hand_raised(self) -> bool:
        """Whether its hand is up."""
        return self.buzz_time > 0

    @property
    def can_present(self) -> bool:
        """Whether it can take a presentation."""
        return is_yes(self.presentation_supported)

    @property
    def can_be_muted(self) -> bool:
        """Whether mute works on it."""
        return is_yes(self.mute_supported)

    @property
    def can_be_transferred(self) -> bool:
        """Whether transfer works on it."""
        return is_yes(self.transfer_supported)

    @property
    def can_be_disconnected(self) -> bool:
        """Whether disconnect works on it."""
        return is_yes(self.disconnect_supported)

    @property
    def has_far_end_camera(self) -> bool:
        """Whether its camera can be moved from afar."""
        return is_yes(self.fecc_supported)


class DtmfRequest(Body, frozen=True, kw_only=True):
    """The body of dtmf, for a participant or a call."""

    digits: str
    """`0-9`, `*`, `#`, `A-D`."""


class RoleRequest(Body, frozen=True, kw_only=True):
    """The body of role."""

    role: ParticipantRole


class TransferRequest(Body, frozen=True, kw_only=True):
    """The body of transfer."""

    secret: ClassVar[frozenset[str]] = frozenset({"pin"})

    conference_alias: str
    """Where to."""
    role: ParticipantRole
    """As what."""
    pin: str | None = None
    """PIN of that role at the target, when it has one."""


class Message(Body, frozen=True, kw_only=True, omit_defaults=False):
    """A chat message: the body of message, to all or to one participant."""

    type: str = "text/plain"
    """MIME type."""
    payload: str
    """The contents."""


class FeccMovement(Body, frozen=True, kw_only=True):
    """One axis of a camera's movement."""

    axis: str
    """"pan", "tilt" or "zoom"."""
    direction: str
    """"left", "right", "up", "down", "in" or "out"."""


class FeccRequest(Body, frozen=True, kw_only=True):
    """The body of fecc: move a camera far away."""

    action: str
    """"start", "continue" or "stop"."""
    movement: list[FeccMovement]
    timeout: int | None = None
    """How long, in milliseconds: 1000 to start, 200 to continue."""
    target: str | None = None
    """Participant whose camera it is."""


class FloorRequest(Body, frozen=True, kw_only=True):
    """The body of take_floor."""

    jpegs: bool | None = None
    """Whether the presentation will come as JPEG pictures by POST."""


class AspectRatio(Body, frozen=True, kw_only=True):
    """The body of preferred_aspect_ratio."""

    aspect_ratio: float | None = None
    """Width by height, 0 to 2; upright screens are below 1."""


class LayoutGroup(Body, frozen=True, kw_only=True):
    """The body of layout_group."""

    layout_group: str | None = None


class AudioMixes(Body, frozen=True, kw_only=True):
    """The body of send_to_audio_mixes."""

    mixes: list[AudioMix]


class MixName(Body, frozen=True, kw_only=True):
    """The body of receive_from_audio_mix and of video_mixes/create."""

    mix_name: str
