"""Operations on the conference, as methods."""

from __future__ import annotations

from typing import cast

from ..protocol.models import (
    AvailableLayout,
    BreakoutMove,
    BreakoutRequest,
    BreakoutResult,
    Classification,
    ClassificationLevel,
    ConferenceStatus,
    DialRequest,
    LayoutsQuery,
    Message,
    MixName,
    Participant,
    ParticipantUuid,
    PinningConfig,
    PresentationQuery,
    RefreshResult,
    ReleaseRequest,
    Setting,
    SilentVideoDetection,
    TextSetting,
    ThemeScreen,
    TokenRequest,
    TokenResult,
    TransformLayout,
    Transforms,
    VideoMixConfiguration,
)
from ..protocol.operations import OPERATIONS
from .exchange import Exchange

__all__ = ["ConferenceOperations"]


class ConferenceOperations(Exchange):
    """What can be asked about the conference as a whole; errors as `Exchange.ask` has them."""

    async def request_token(self, request: TokenRequest, *, pin: str = "none") -> TokenResult:
        """Ask for a token: become a participant."""
        return cast(TokenResult, await self.ask(OPERATIONS["request_token"], body=request, headers={"pin": pin}))

    async def refresh_token(self) -> RefreshResult:
        """Exchange the token for a new one."""
        return cast(RefreshResult, await self.ask(OPERATIONS["refresh_token"]))

    async def release_token(self, request: ReleaseRequest | None = None) -> bool:
        """Give the token back: leave the conference."""
        return cast(bool, await self.ask(OPERATIONS["release_token"], body=request))

    async def presentation_jpeg(self, event_id: str) -> bytes:
        """Fetch a picture of the presentation."""
        return cast(bytes, await self.ask(OPERATIONS["presentation_jpeg"], query=PresentationQuery(id=event_id)))

    async def presentation_high_jpeg(self, event_id: str) -> bytes:
        """Fetch a large picture of the presentation."""
        return cast(bytes, await self.ask(OPERATIONS["presentation_high_jpeg"], query=PresentationQuery(id=event_id)))

    async def presentation_upload(self, jpeg: bytes) -> bool:
        """Present a picture, after `take_floor` with `jpegs` or a call of type presentation."""
        return cast(bool, await self.ask(OPERATIONS["presentation_upload"], file=jpeg))

    async def dial(self, request: DialRequest) -> list[ParticipantUuid]:
        """Call somebody into the conference."""
        return cast(list[ParticipantUuid], await self.ask(OPERATIONS["dial"], body=request))

    async def conference_status(self) -> ConferenceStatus:
        """Read how the conference is set."""
        return cast(ConferenceStatus, await self.ask(OPERATIONS["conference_status"]))

    async def conference_lock(self) -> bool:
        """Lock the conference: newcomers wait to be let in."""
        return cast(bool, await self.ask(OPERATIONS["conference_lock"]))

    async def conference_unlock(self) -> bool:
        """Unlock the conference."""
        return cast(bool, await self.ask(OPERATIONS["conference_unlock"]))

    async def start_conference(self) -> bool:
        """Start the conference without media of a Host: guests are let out of the waiting room."""
        return cast(bool, await self.ask(OPERATIONS["start_conference"]))

    async def muteguests(self) -> bool:
        """Mute all guests, those to come included."""
        return cast(bool, await self.ask(OPERATIONS["muteguests"]))

    async def unmuteguests(self) -> bool:
        """Unmute all guests."""
        return cast(bool, await self.ask(OPERATIONS["unmuteguests"]))

    async def conference_disconnect(self) -> bool:
        """Disconnect everybody, ourselves included."""
        return cast(bool, await self.ask(OPERATIONS["conference_disconnect"]))

    async def conference_message(self, request: Message) -> bool:
        """Send a chat message to everybody."""
        return cast(bool, await self.ask(OPERATIONS["conference_message"], body=request))

    async def participants(self) -> list[Participant]:
        """Read the complete list of participants."""
        return cast(list[Participant], await self.ask(OPERATIONS["participants"]))

    async def clearallbuzz(self) -> bool:
        """Lower all hands."""
        return cast(bool, await self.ask(OPERATIONS["clearallbuzz"]))

    async def clearspotlights(self) -> bool:
        """Take all spotlights away."""
        return cast(bool, await self.ask(OPERATIONS["clearspotlights"]))

    async def set_guests_can_unmute(self, *, setting: bool) -> bool:
        """Set whether guests may unmute themselves."""
        return cast(bool, await self.ask(OPERATIONS["set_guests_can_unmute"], body=Setting(setting=setting)))

    async def transform_layout(self, request: TransformLayout) -> bool:
        """Change the layout, names, indicators; empty transforms reset everything."""
        return cast(bool, await self.ask(OPERATIONS["transform_layout"], body=request))

    async def override_layout(self, request: Transforms) -> bool:
        """Change the layout as web clients until 2024 do."""
        return cast(bool, await self.ask(OPERATIONS["override_layout"], body=request))

    async def available_layouts(self, *, annotate: bool = False) -> list[str | AvailableLayout]:
        """List the layouts that transform_layout takes."""
        return cast(
            list[str | AvailableLayout],
            await self.ask(OPERATIONS["available_layouts"], query=LayoutsQuery(annotate=True) if annotate else None),
        )

    async def layout_svgs(self) -> dict[str, str]:
        """Fetch a drawing of each layout."""
        return cast(dict[str, str], await self.ask(OPERATIONS["layout_svgs"]))

    async def theme(self) -> dict[str, ThemeScreen] | None:
        """Read the screens of the conference's theme."""
        return cast(dict[str, ThemeScreen] | None, await self.ask(OPERATIONS["theme"]))

    async def theme_file(self, path: str) -> bytes:
        """Fetch a picture of the theme."""
        return cast(bytes, await self.ask(OPERATIONS["theme_file"], path={"path": path}))

    async def set_message_text(self, text: str) -> bool:
        """Show a text to everybody."""
        return cast(bool, await self.ask(OPERATIONS["set_message_text"], body=TextSetting(text=text)))

    async def get_message_text(self) -> TextSetting | str | None:
        """Read the text shown to everybody."""
        return cast(TextSetting | str | None, await self.ask(OPERATIONS["get_message_text"]))

    async def set_classification_level(self, level: int) -> bool:
        """Set the classification level."""
        return cast(bool, await self.ask(OPERATIONS["set_classification_level"], body=ClassificationLevel(level=level)))

    async def get_classification_level(self) -> Classification | None:
        """Read the classification levels and which is in force."""
        return cast(Classification | None, await self.ask(OPERATIONS["get_classification_level"]))

    async def set_pinning_config(self, pinning_config: str) -> bool:
        """Choose who is pinned to the layout's places."""
        return cast(
            bool, await self.ask(OPERATIONS["set_pinning_config"], body=PinningConfig(pinning_config=pinning_config))
        )

    async def get_pinning_config(self) -> PinningConfig | str | None:
        """Read who is pinned."""
        return cast(PinningConfig | str | None, await self.ask(OPERATIONS["get_pinning_config"]))

    async def available_pinning_configs(self) -> list[str]:
        """List what set_pinning_config takes."""
        return cast(list[str], await self.ask(OPERATIONS["available_pinning_configs"]))

    async def silent_video_detection(self, request: SilentVideoDetection) -> bool:
        """Set when a picture counts as silent."""
        return cast(bool, await self.ask(OPERATIONS["silent_video_detection"], body=request))

    async def video_mix_create(self, mix_name: str) -> bool:
        """Make a personal video mix."""
        return cast(bool, await self.ask(OPERATIONS["video_mix_create"], body=MixName(mix_name=mix_name)))

    async def video_mix_configure(self, mix: str, request: VideoMixConfiguration) -> bool:
        """Change the layout of a video mix."""
        return cast(bool, await self.ask(OPERATIONS["video_mix_configure"], body=request, path={"mix": mix}))

    async def video_mix_delete(self, mix: str) -> bool:
        """Take a video mix away."""
        return cast(bool, await self.ask(OPERATIONS["video_mix_delete"], path={"mix": mix}))

    async def breakout_create(self, request: BreakoutRequest) -> BreakoutResult:
        """Open a breakout."""
        return cast(BreakoutResult, await self.ask(OPERATIONS["breakout_create"], body=request))

    async def breakouts_disconnect(self) -> bool:
        """End all breakouts."""
        return cast(bool, await self.ask(OPERATIONS["breakouts_disconnect"]))

    async def breakouts_empty(self) -> bool:
        """Take everybody out of all breakouts."""
        return cast(bool, await self.ask(OPERATIONS["breakouts_empty"]))

    async def breakouts_message(self, request: Message) -> bool:
        """Send a chat message to all breakouts."""
        return cast(bool, await self.ask(OPERATIONS["breakouts_message"], body=request))

    async def breakout_move(self, request: BreakoutMove) -> bool:
        """Send participants to a breakout."""
        return cast(bool, await self.ask(OPERATIONS["breakout_move"], body=request))

    async def breakout_request_guest_token(self, breakout: str) -> str:
        """Ask for a token to look into a breakout."""
        return cast(str, await self.ask(OPERATIONS["breakout_request_guest_token"], path={"breakout": breakout}))

    async def leavebreakout(self) -> bool:
        """Go back from the breakout to the main conference."""
        return cast(bool, await self.ask(OPERATIONS["leavebreakout"]))

    async def breakoutbuzz(self) -> bool:
        """Call a Host to the breakout."""
        return cast(bool, await self.ask(OPERATIONS["breakoutbuzz"]))

    async def clearbreakoutbuzz(self) -> bool:
        """Call no Host to the breakout any more."""
        return cast(bool, await self.ask(OPERATIONS["clearbreakoutbuzz"]))
