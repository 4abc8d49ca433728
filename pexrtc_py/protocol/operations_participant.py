"""Rows of the table of operations: participants and their calls."""

from __future__ import annotations

from types import NoneType

from . import models as m
from .operations_row import Answer, Caller, row

__all__ = ["PARTICIPANT_ROWS"]

_P = "participants/{participant}/"
_C = "participants/{participant}/calls/{call}/"
_PARTICIPANT = "guide: Participant functions"
_CALL = "guide: Call functions"
_OBSERVED = "observed"
_NO_MIXES = "the embedded node makes one mix for all"
_NO_ANALYSIS = "the embedded node does not look into pictures"
_NO_CAPTIONS = "the embedded node does not transcribe"

PARTICIPANT_ROWS = (
    # A participant
    row(_P + "disconnect", Caller.SELF_OR_HOST, _PARTICIPANT, "Disconnect a participant."),
    row(_P + "mute", Caller.SELF_OR_HOST, _PARTICIPANT, "Mute a participant."),
    row(_P + "unmute", Caller.SELF_OR_HOST, _PARTICIPANT, "Unmute a participant."),
    row(_P + "allowrxpresentation", Caller.HOST, _PARTICIPANT, "Let a participant receive the presentation."),
    row(_P + "denyrxpresentation", Caller.HOST, _PARTICIPANT, "Keep the presentation from a participant."),
    row(_P + "spotlighton", Caller.HOST, _PARTICIPANT, "Hold a participant in the first places of the stage."),
    row(_P + "spotlightoff", Caller.HOST, _PARTICIPANT, "Take a participant's spotlight away."),
    row(_P + "unlock", Caller.HOST, _PARTICIPANT, "Let a participant in from the waiting room of a locked conference."),
    row(_P + "dtmf", Caller.SELF_OR_HOST, _PARTICIPANT, "Send digits to a participant.", body=m.DtmfRequest, since=10),
    row(
        _P + "calls",
        Caller.SELF,
        _PARTICIPANT,
        "Start a call: media by WebRTC, or a stream by RTMP.",
        body=m.CallRequest,
        result=m.CallResult,
    ),
    row(_P + "role", Caller.HOST, _PARTICIPANT, "Make a participant a Host, or a guest.", body=m.RoleRequest, since=11),
    row(
        _P + "transfer",
        Caller.HOST,
        _PARTICIPANT,
        "Send a participant to another conference.",
        body=m.TransferRequest,
        since=12,
    ),
    row(
        _P + "take_floor",
        Caller.SELF,
        _OBSERVED,
        "Take the presentation floor.",
        body=m.FloorRequest,
        result=NoneType,
        since=29,
    ),
    row(_P + "release_floor", Caller.SELF, _OBSERVED, "Give the presentation floor back.", result=NoneType, since=29),
    row(_P + "client_mute", Caller.SELF, _OBSERVED, "Tell that our microphone is off.", since=36),
    row(_P + "client_unmute", Caller.SELF, _OBSERVED, "Tell that our microphone is on.", since=36),
    row(
        _P + "video_muted",
        Caller.SELF_OR_HOST,
        _OBSERVED,
        "Tell that our camera is off, or have a participant's picture taken away.",
        since=23,
    ),
    row(
        _P + "video_unmuted",
        Caller.SELF_OR_HOST,
        _OBSERVED,
        "Tell that our camera is on, or let a participant's picture be seen again.",
        since=23,
    ),
    row(_P + "buzz", Caller.SELF, _OBSERVED, "Raise our hand.", since=29),
    row(_P + "clearbuzz", Caller.SELF_OR_HOST, _OBSERVED, "Lower a hand.", since=29),
    row(
        _P + "overlaytext",
        Caller.SELF_OR_HOST,
        _OBSERVED,
        "Set the text over a participant's picture.",
        body=m.TextSetting,
        since=14,
    ),
    row(_P + "message", Caller.TOKEN, _OBSERVED, "Send a chat message to one participant.", body=m.Message, since=37),
    row(_P + "fecc", Caller.TOKEN, _OBSERVED, "Move a participant's camera.", body=m.FeccRequest, since=14),
    row(_P + "hold", Caller.SELF_OR_HOST, _OBSERVED, "Put a participant on hold.", since=14),
    row(_P + "resume", Caller.SELF_OR_HOST, _OBSERVED, "Take a participant off hold.", since=14),
    row(
        _P + "preferred_aspect_ratio",
        Caller.SELF,
        _OBSERVED,
        "Ask for a picture of this shape.",
        body=m.AspectRatio,
        since=29,
    ),
    row(
        _P + "pres_in_mix",
        Caller.SELF_OR_HOST,
        _OBSERVED,
        "Set whether a participant sees the presentation inside the main picture.",
        body=m.StateSetting,
        since=29,
    ),
    row(_P + "notify_not_afk", Caller.SELF, _OBSERVED, "Tell that somebody is there.", since=36),
    row(
        _P + "show_live_captions",
        Caller.SELF,
        _OBSERVED,
        "Ask for live captions.",
        result=NoneType,
        since=29,
        node=_NO_CAPTIONS,
    ),
    row(
        _P + "hide_live_captions",
        Caller.SELF,
        _OBSERVED,
        "Ask for no more live captions.",
        result=NoneType,
        since=29,
        node=_NO_CAPTIONS,
    ),
    row(
        _P + "studiosound",
        Caller.SELF_OR_HOST,
        _OBSERVED,
        "Set whether the node cleans a participant's sound.",
        body=m.EnabledSetting,
        since=38,
        node=_NO_ANALYSIS,
    ),
    row(
        _P + "layout_group",
        Caller.HOST,
        _OBSERVED,
        "Put a participant into a layout group.",
        body=m.LayoutGroup,
        since=38,
        node=_NO_MIXES,
    ),
    row(
        _P + "send_to_audio_mixes",
        Caller.HOST,
        _OBSERVED,
        "Choose the audio mixes a participant is heard in.",
        body=m.AudioMixes,
        since=38,
        node=_NO_MIXES,
    ),
    row(
        _P + "receive_from_audio_mix",
        Caller.HOST,
        _OBSERVED,
        "Choose the audio mix a participant hears.",
        body=m.MixName,
        since=38,
        node=_NO_MIXES,
    ),
    row(
        _P + "avatar.jpg",
        Caller.TOKEN,
        _OBSERVED,
        "Fetch a participant's picture.",
        name="participant_avatar",
        verb="GET",
        result=bytes,
        answer=Answer.PICTURE,
        since=29,
    ),
    # A call
    row(_C + "ack", Caller.SELF, _CALL, "Start the media of a call.", body=m.AckRequest),
    row(_C + "disconnect", Caller.SELF, _CALL, "End a call."),
    row(_C + "dtmf", Caller.SELF, _CALL, "Send digits into a call.", body=m.DtmfRequest),
    row(
        _C + "update",
        Caller.SELF,
        _OBSERVED,
        "Offer anew within a call.",
        body=m.UpdateRequest,
        result=m.CallResult | str,
        since=23,
    ),
    row(
        _C + "new_candidate",
        Caller.SELF,
        _OBSERVED,
        "Tell a candidate of ours that came after the offer.",
        body=m.CandidateRequest,
        result=NoneType,
        since=18,
    ),
    row(
        _C + "statistics",
        Caller.SELF,
        _OBSERVED,
        "Tell how the media of a call fares.",
        body=m.StatisticsRequest,
        result=NoneType,
        since=29,
    ),
    row(
        _C + "fecc",
        Caller.TOKEN,
        _OBSERVED,
        "Move the camera at the other end of a call.",
        body=m.FeccRequest,
        since=29,
    ),
)
