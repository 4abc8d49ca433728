"""Bodies and results of request_token, refresh_token and release_token, and what a node may ask for first.

Sources: guide v14, Client control requests; observed: captures of nodes up to v36 and real clients, for what those add.
"""

from __future__ import annotations

from typing import ClassVar

from ..errors import RemoteProtocolError
from .models_base import UNSET, Body, CallType, ParticipantUuid, Result, Role, ServiceType, Token, UnsetType, Version

__all__ = [
    "IdentityProvider",
    "RefreshResult",
    "ReleaseRequest",
    "StunServer",
    "TokenPrompt",
    "TokenRequest",
    "TokenResult",
    "TurnServer",
]


class TokenRequest(Body, frozen=True, kw_only=True):
    """The body of request_token. A PIN is not here: it travels as the header `pin`."""

    secret: ClassVar[frozenset[str]] = frozenset({"token", "sso_token", "registration_token"})

    display_name: str = ""
    """The name by which this participant should be known."""
    call_tag: str | None = None
    """A mark that every participant list shows."""
    conference_extension: str | None = None
    """Where to go from a Virtual Reception: alias of the target conference."""
    token: str | None = None
    """One-time token of a `refer` event."""
    node: str | None = None
    """host[:port] under which the client reached the node."""
    direct_media: bool | None = None
    """Whether the client can do without a transcoding node between two parties."""
    supports_direct_chat: bool | None = None
    """Whether the client takes messages meant for it alone."""
    client_id: str | None = None
    """The kind of client."""
    chosen_idp: str | None = None
    """UUID of the identity provider chosen, or "none"."""
    sso_token: str | None = None
    """What the identity provider gave, or "none"."""
    sso_redirect_target: str | None = None
    """URL to come back to from the identity provider."""
    registration_token: str | None = None
    """Token of a registration, of a registered device."""
    breakout_capable: bool | None = None
    """Whether the client takes part in breakouts (Android SDK)."""
    breakout_rooms: bool | None = None
    """The same, as Pexip's JavaScript client spells it."""
    start_conference_if_host: bool | None = None
    """Whether a Host without media starts the conference by coming."""


class StunServer(Result, frozen=True, kw_only=True):
    """A STUN server, as the token result lists it."""

    url: str


class TurnServer(Result, frozen=True, kw_only=True):
    """A TURN server with its credentials."""

    secret: ClassVar[frozenset[str]] = frozenset({"username", "credential"})

    urls: list[str]
    username: str | UnsetType = UNSET
    credential: str | UnsetType = UNSET


_SHORTEST_S = 1.0
"""A token of less could not be refreshed in time over many a way, and would be in tens of requests a second."""


def _seconds(text: str | float) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST_S <= seconds < 10**7:  # infinity and NaN fail this too
        raise RemoteProtocolError("token result: expires is no number of seconds for which a token can be kept")
    return seconds


class TokenResult(Result, frozen=True, kw_only=True):
    """The result of request_token."""

    secret: ClassVar[frozenset[str]] = frozenset({"token"})

    token: Token
    """Authenticates all that follows."""
    expires: str | float = "120"
    """Lifetime of the token in seconds; a string on the wire."""
    participant_uuid: ParticipantUuid
    """Who we are in the participant list."""
    display_name: str = ""
    """The name the node knows us by; it may differ from the one asked for."""
    role: Role = Role.UNKNOWN
    """Host or guest."""
    version: Version = Version()
    """The node's version."""
    service_type: ServiceType | UnsetType = UNSET
    """What the alias leads to."""
    current_service_type: ServiceType = ServiceType.CONFERENCE
    """Where we are now: `waiting_room` or `ivr` before the conference proper."""
    service_name: str | UnsetType = UNSET
    """Name of the service, as configured."""
    conference_name: str | UnsetType = UNSET
    """Name of the conference, as configured."""
    call_type: CallType | UnsetType = UNSET
    """What media the service allows."""
    call_tag: str | UnsetType = UNSET
    """Echo of the mark asked for."""
    chat_enabled: bool = False
    """Whether `message` is available."""
    analytics_enabled: bool = False
    """Whether the installation sends usage statistics to Pexip."""
    fecc_enabled: bool | UnsetType = UNSET
    """Whether cameras may be controlled from afar."""
    rtmp_enabled: bool | UnsetType = UNSET
    """Whether calls of type RTMP are available."""
    rtsp_enabled: bool | UnsetType = UNSET
    allow_1080p: bool | UnsetType = UNSET
    """Whether 1920x1080 is available."""
    vp9_enabled: bool | UnsetType = UNSET
    """Whether VP9 may be offered."""
    guests_can_present: bool | UnsetType = UNSET
    breakout_rooms: bool | UnsetType = UNSET
    live_captions_available: bool | UnsetType = UNSET
    trickle_ice_enabled: bool | UnsetType = UNSET
    """Whether candidates may follow the offer by new_candidate."""
    direct_media: bool | UnsetType = UNSET
    """Whether the conference may run without a transcoding node between two parties."""
    pex_datachannel_id: int | UnsetType = UNSET
    """Id of the data channel of direct media."""
    client_stats_update_interval: float | UnsetType = UNSET
    """Milliseconds between statistics the node wants; may be fractional."""
    use_relay_candidates_only: bool | UnsetType = UNSET
    """Whether media must go through TURN."""
    bandwidth_in: int | UnsetType = UNSET
    """Most the node takes, in kbit/s."""
    bandwidth_out: int | UnsetType = UNSET
    """Most the node sends, in kbit/s."""
    stun: list[StunServer] | UnsetType = UNSET
    """STUN servers; a node without any leaves the key out, for an empty list breaks Pexip's client."""
    turn: list[TurnServer] | UnsetType = UNSET
    """TURN servers."""
    idp_uuid: str | UnsetType = UNSET
    """Identity provider we came by."""
    route_via_registrar: bool | UnsetType = UNSET
    parent_participant_uuid: ParticipantUuid | UnsetType = UNSET
    """In a breakout: who we are in the main conference."""

    @property
    def lifetime_s(self) -> float:
        """Seconds the token lives.

        Raises:
            RemoteProtocolError: the node sent no number, or less than a second.
        """
        return _seconds(self.expires)


class RefreshResult(Result, frozen=True, kw_only=True):
    """The result of refresh_token."""

    secret: ClassVar[frozenset[str]] = frozenset({"token"})

    token: Token
    """Replaces the one before."""
    expires: str | float = "120"
    """Lifetime in seconds; a string on the wire."""
    role: Role | UnsetType = UNSET
    """Our role now."""
    client_stats_update_interval: float | UnsetType = UNSET
    """Milliseconds between statistics the node wants."""

    @property
    def lifetime_s(self) -> float:
        """Seconds the token lives.

        Raises:
            RemoteProtocolError: the node sent no number, or less than a second.
        """
        return _seconds(self.expires)


class ReleaseRequest(Body, frozen=True, kw_only=True):
    """The body of release_token; the guide has none, clients of today give a reason."""

    reason: str | None = None
    """Why we leave."""
    error: str | None = None
    """What went wrong (PexRTC)."""


class IdentityProvider(Result, frozen=True, kw_only=True):
    """An identity provider that can vouch for us."""

    name: str = ""
    uuid: str = ""
    img: str | UnsetType = UNSET
    """Path of a picture."""
    disable_popup_flow: bool | UnsetType = UNSET


class TokenPrompt(Result, frozen=True, kw_only=True):
    """The result of a 403 to request_token: what the node wants to know first."""

    pin: str | UnsetType = UNSET
    """"required" or "none": for Hosts."""
    guest_pin: str | UnsetType = UNSET
    """"required" or "none": for Guests."""
    conference_extension: str | UnsetType = UNSET
    """"required"; "standard" or "mssip" in the guide's own example."""
    conference_extension_type: str | UnsetType = UNSET
    """"standard" or "mssip"."""
    idp: list[IdentityProvider] | UnsetType = UNSET
    """Identity providers to choose from."""
    redirect_url: str | UnsetType = UNSET
    """Page of the identity provider to open."""
    redirect_idp: IdentityProvider | UnsetType = UNSET
    """The identity provider of that page."""
    disable_popup_flow: bool | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    """"required" when a name must be given."""
    version: Version | UnsetType = UNSET
    """The node's version; Pexip's client wants it beside pin and idp."""
