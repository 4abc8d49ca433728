"""Operations on participants, as methods."""

from __future__ import annotations

from typing import cast

from ..protocol.models import (
    AspectRatio,
    AudioMixes,
    CallRequest,
    CallResult,
    DtmfRequest,
    EnabledSetting,
    FeccRequest,
    FloorRequest,
    LayoutGroup,
    Message,
    MixName,
    ParticipantRole,
    ParticipantUuid,
    RoleRequest,
    StateSetting,
    TextSetting,
    TransferRequest,
)
from ..protocol.operations import OPERATIONS
from .exchange import Exchange

__all__ = ["ParticipantOperations"]


class ParticipantOperations(Exchange):
    """What can be asked about one participant; errors as `Exchange.ask` has them."""

    async def participant_disconnect(self, participant: ParticipantUuid) -> bool:
        """Disconnect a participant."""
        return cast(bool, await self.ask(OPERATIONS["participant_disconnect"], path={"participant": participant}))

    async def participant_mute(self, participant: ParticipantUuid) -> bool:
        """Mute a participant."""
        return cast(bool, await self.ask(OPERATIONS["participant_mute"], path={"participant": participant}))

    async def participant_unmute(self, participant: ParticipantUuid) -> bool:
        """Unmute a participant."""
        return cast(bool, await self.ask(OPERATIONS["participant_unmute"], path={"participant": participant}))

    async def participant_allowrxpresentation(self, participant: ParticipantUuid) -> bool:
        """Let a participant receive the presentation."""
        return cast(
            bool, await self.ask(OPERATIONS["participant_allowrxpresentation"], path={"participant": participant})
        )

    async def participant_denyrxpresentation(self, participant: ParticipantUuid) -> bool:
        """Keep the presentation from a participant."""
        return cast(
            bool, await self.ask(OPERATIONS["participant_denyrxpresentation"], path={"participant": participant})
        )

    async def participant_spotlighton(self, participant: ParticipantUuid) -> bool:
        """Hold a participant in the first places of the stage."""
        return cast(bool, await self.ask(OPERATIONS["participant_spotlighton"], path={"participant": participant}))

    async def participant_spotlightoff(self, participant: ParticipantUuid) -> bool:
        """Take a participant's spotlight away."""
        return cast(bool, await self.ask(OPERATIONS["participant_spotlightoff"], path={"participant": participant}))

    async def participant_unlock(self, participant: ParticipantUuid) -> bool:
        """Let a participant in from the waiting room of a locked conference."""
        return cast(bool, await self.ask(OPERATIONS["participant_unlock"], path={"participant": participant}))

    async def participant_dtmf(self, participant: ParticipantUuid, digits: str) -> bool:
        """Send digits to a participant."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_dtmf"], body=DtmfRequest(digits=digits), path={"participant": participant}
            ),
        )

    async def participant_calls(self, participant: ParticipantUuid, request: CallRequest) -> CallResult:
        """Start a call: media by WebRTC, or a stream by RTMP."""
        return cast(
            CallResult, await self.ask(OPERATIONS["participant_calls"], body=request, path={"participant": participant})
        )

    async def participant_role(self, participant: ParticipantUuid, role: ParticipantRole) -> bool:
        """Make a participant a Host, or a guest."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_role"], body=RoleRequest(role=role), path={"participant": participant}
            ),
        )

    async def participant_transfer(self, participant: ParticipantUuid, request: TransferRequest) -> bool:
        """Send a participant to another conference."""
        return cast(
            bool, await self.ask(OPERATIONS["participant_transfer"], body=request, path={"participant": participant})
        )

    async def participant_take_floor(self, participant: ParticipantUuid, request: FloorRequest | None = None) -> None:
        """Take the presentation floor."""
        await self.ask(OPERATIONS["participant_take_floor"], body=request, path={"participant": participant})

    async def participant_release_floor(self, participant: ParticipantUuid) -> None:
        """Give the presentation floor back."""
        await self.ask(OPERATIONS["participant_release_floor"], path={"participant": participant})

    async def participant_client_mute(self, participant: ParticipantUuid) -> bool:
        """Tell that our microphone is off."""
        return cast(bool, await self.ask(OPERATIONS["participant_client_mute"], path={"participant": participant}))

    async def participant_client_unmute(self, participant: ParticipantUuid) -> bool:
        """Tell that our microphone is on."""
        return cast(bool, await self.ask(OPERATIONS["participant_client_unmute"], path={"participant": participant}))

    async def participant_video_muted(self, participant: ParticipantUuid) -> bool:
        """Tell that our camera is off, or have a participant's picture taken away."""
        return cast(bool, await self.ask(OPERATIONS["participant_video_muted"], path={"participant": participant}))

    async def participant_video_unmuted(self, participant: ParticipantUuid) -> bool:
        """Tell that our camera is on, or let a participant's picture be seen again."""
        return cast(bool, await self.ask(OPERATIONS["participant_video_unmuted"], path={"participant": participant}))

    async def participant_buzz(self, participant: ParticipantUuid) -> bool:
        """Raise our hand."""
        return cast(bool, await self.ask(OPERATIONS["participant_buzz"], path={"participant": participant}))

    async def participant_clearbuzz(self, participant: ParticipantUuid) -> bool:
        """Lower a hand."""
        return cast(bool, await self.ask(OPERATIONS["participant_clearbuzz"], path={"participant": participant}))

    async def participant_overlaytext(self, participant: ParticipantUuid, text: str) -> bool:
        """Set the text over a participant's picture."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_overlaytext"], body=TextSetting(text=text), path={"participant": participant}
            ),
        )

    async def participant_message(self, participant: ParticipantUuid, request: Message) -> bool:
        """Send a chat message to one participant."""
        return cast(
            bool, await self.ask(OPERATIONS["participant_message"], body=request, path={"participant": participant})
        )

    async def participant_fecc(self, participant: ParticipantUuid, request: FeccRequest) -> bool:
        """Move a participant's camera."""
        return cast(
            bool, await self.ask(OPERATIONS["participant_fecc"], body=request, path={"participant": participant})
        )

    async def participant_hold(self, participant: ParticipantUuid) -> bool:
        """Put a participant on hold."""
        return cast(bool, await self.ask(OPERATIONS["participant_hold"], path={"participant": participant}))

    async def participant_resume(self, participant: ParticipantUuid) -> bool:
        """Take a participant off hold."""
        return cast(bool, await self.ask(OPERATIONS["participant_resume"], path={"participant": participant}))

    async def participant_preferred_aspect_ratio(
        self, participant: ParticipantUuid, request: AspectRatio | None = None
    ) -> bool:
        """Ask for a picture of this shape."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_preferred_aspect_ratio"], body=request, path={"participant": participant}
            ),
        )

    async def participant_pres_in_mix(self, participant: ParticipantUuid, *, state: bool) -> bool:
        """Set whether a participant sees the presentation inside the main picture."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_pres_in_mix"], body=StateSetting(state=state), path={"participant": participant}
            ),
        )

    async def participant_notify_not_afk(self, participant: ParticipantUuid) -> bool:
        """Tell that somebody is there."""
        return cast(bool, await self.ask(OPERATIONS["participant_notify_not_afk"], path={"participant": participant}))

    async def participant_show_live_captions(self, participant: ParticipantUuid) -> None:
        """Ask for live captions."""
        await self.ask(OPERATIONS["participant_show_live_captions"], path={"participant": participant})

    async def participant_hide_live_captions(self, participant: ParticipantUuid) -> None:
        """Ask for no more live captions."""
        await self.ask(OPERATIONS["participant_hide_live_captions"], path={"participant": participant})

    async def participant_studiosound(self, participant: ParticipantUuid, *, enabled: bool) -> bool:
        """Set whether the node cleans a participant's sound."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_studiosound"],
                body=EnabledSetting(enabled=enabled),
                path={"participant": participant},
            ),
        )

    async def participant_layout_group(self, participant: ParticipantUuid, request: LayoutGroup | None = None) -> bool:
        """Put a participant into a layout group."""
        return cast(
            bool,
            await self.ask(OPERATIONS["participant_layout_group"], body=request, path={"participant": participant}),
        )

    async def participant_send_to_audio_mixes(self, participant: ParticipantUuid, request: AudioMixes) -> bool:
        """Choose the audio mixes a participant is heard in."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_send_to_audio_mixes"], body=request, path={"participant": participant}
            ),
        )

    async def participant_receive_from_audio_mix(self, participant: ParticipantUuid, mix_name: str) -> bool:
        """Choose the audio mix a participant hears."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["participant_receive_from_audio_mix"],
                body=MixName(mix_name=mix_name),
                path={"participant": participant},
            ),
        )

    async def participant_avatar(self, participant: ParticipantUuid) -> bytes:
        """Fetch a participant's picture."""
        return cast(bytes, await self.ask(OPERATIONS["participant_avatar"], path={"participant": participant}))
