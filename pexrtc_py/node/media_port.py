"""What a conference of the node needs of its media, and what its media tells it.

The room decides who may do what; the media moves packets and knows nothing of rights. `MediaPort` is the whole border:
`conference_media.ConferenceMedia` stands behind it in earnest, a do-nothing object in tests of HTTP alone. Whoever adds
a method here adds it at both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from ..protocol.models import CallUuid, ParticipantUuid
from ..protocol.room_settings import RoomSettings

__all__ = ["CallAnswer", "CallOffer", "MediaFactory", "MediaListener", "MediaPort", "StreamOffer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOffer:
    """A WebRTC call as a client asks for it."""

    participant: ParticipantUuid
    """Who calls."""
    call: CallUuid
    """The call's name, drawn by the room."""
    sdp: str
    """The client's offer, as it came."""
    present: str | None = None
    """None for main audio and video, `send` or `receive` for a presentation call of its own, `main` for a presentation
    mixed into the main picture."""
    media_type: str | None = None
    """`video`, `video-only` or `audio` when the client says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallAnswer:
    """What the media made of an offer."""

    sdp: str
    """The node's answer, CRLF."""
    has_audio: bool
    """Whether main audio was negotiated in any direction."""
    has_video: bool
    """Whether main video was negotiated in any direction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamOffer:
    """An RTMP call that is to be made."""

    participant: ParticipantUuid
    """Whose call it is."""
    call: CallUuid
    """The call's name, drawn by the room."""
    host: str = ""
    """Publisher: the name it knows this node by."""
    url: str = ""
    """Stream: where to send it."""
    slides_url: str = ""
    """Stream: where to send the presentation; mixed into the picture when empty."""
    has_video: bool = True
    """Whether pictures are wanted."""


class MediaPort(Protocol):
    """The media of one conference. Calls that only set a state return at once and never raise for an unknown name."""

    async def add_call(self, offer: CallOffer) -> CallAnswer:
        """Answer an offer and start ICE and DTLS; media waits for `ack`.

        Cancelling leaves no call behind.

        Raises:
            SdpError: the offer cannot be used.
            CodecMismatch: no codec in common.
        """

    async def update_call(self, call: CallUuid, sdp: str) -> CallAnswer:
        """Answer a new offer on the same transport.

        Raises:
            SdpError: the offer cannot be used.
            CodecMismatch: no codec in common.
        """

    async def add_candidate(self, call: CallUuid, candidate: str, mid: str | None) -> None:
        """Take one ICE candidate of the client; an empty one means there are no more."""

    def ack(self, call: CallUuid) -> None:
        """Let media flow once it is connected. May come twice or not at all."""

    async def listen_stream(self, offer: StreamOffer) -> str:
        """Wait for an RTMP publisher; returns the URL it is to publish to. What becomes of it is told as of any call.

        Cancelling leaves no call behind.

        Raises:
            MediaError: there is no port or no process for it.
        """

    async def push_stream(self, offer: StreamOffer) -> None:
        """Send the conference to an RTMP server, from the time this returns until the call is removed or lost.

        Cancelling leaves no call behind.

        Raises:
            MediaError: the server does not take it.
        """

    async def remove_call(self, call: CallUuid) -> None:
        """End a call and release all it holds. Idempotent."""

    def set_muted(self, participant: ParticipantUuid, *, muted: bool) -> None:
        """Take a participant's voice out of the mix, or put it back."""

    def set_admitted(self, participant: ParticipantUuid, *, admitted: bool) -> None:
        """Let a participant hear, see, be heard and be seen, or keep it outside: it is in the waiting room.

        Told before the first call of a participant; who was never told of is outside.
        """

    def set_name(self, participant: ParticipantUuid, name: str) -> None:
        """Tell what to write under a participant's picture where pictures are composed."""

    def set_stage(self, order: Sequence[ParticipantUuid]) -> None:
        """Tell who is to be seen, main speaker first; whoever stands first sees the second."""

    def set_layout(self, view: str) -> None:
        """Set the layout of the picture, `1:0` for the main speaker alone."""

    def set_floor(self, presenter: ParticipantUuid | None) -> None:
        """Forward this participant's presentation, or none."""

    def set_receives_presentation(self, participant: ParticipantUuid, *, allowed: bool) -> None:
        """Keep presentations from a participant, or let it have them again."""

    def send_digits(self, participant: ParticipantUuid, digits: str) -> None:
        """Play DTMF digits to a participant."""

    def remove_participant(self, participant: ParticipantUuid) -> None:
        """Forget a participant that has left; its calls are removed one by one."""

    async def aclose(self) -> None:
        """End every call. Idempotent."""


class MediaListener(Protocol):
    """What the media reports; each is called in the event loop and returns at once."""

    def on_voice(self, participant: ParticipantUuid, *, speaking: bool) -> None:
        """Learn that a participant began or ceased to speak."""

    def on_digits(self, participant: ParticipantUuid, digits: str) -> None:
        """Learn of DTMF digits a participant sent within its media."""

    def on_call_lost(self, call: CallUuid, reason: str) -> None:
        """Learn that a call's transport failed for good, with one of the reasons that Pexip's client knows."""

    def on_presentation_frame(self, jpeg: bytes) -> None:
        """Take a new picture of the running presentation."""


MediaFactory: TypeAlias = Callable[[RoomSettings, MediaListener], MediaPort]
"""Makes the media of one conference (settings tell alias, layout, `service_type` `test_call`); closed with it."""
