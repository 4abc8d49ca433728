"""What to record and how: one conference, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..endpoint.call import AUDIO_CODECS, VIDEO_CODECS
from ..endpoint.presentation import PresentationWay
from ..media.frames import Codec
from ..signalling import SessionConfig
from ..webrtc.peer import PeerConfig
from .persistence import StayRules
from .recording_config import RecordingConfig

__all__ = ["RecordJob"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordJob:
    """What to record and how."""

    session: SessionConfig
    """Which conference, as whom."""
    recording: RecordingConfig
    """Where to, and when to stop."""
    audio: bool = True
    """Whether to record sound."""
    video: bool = True
    """Whether to record pictures, where the container takes them."""
    slides: bool = True
    """Whether to record presentations, likewise."""
    slides_by: PresentationWay = PresentationWay.AUTO
    """How they come: by a line of the main call, or by calls of their own."""
    audio_codecs: tuple[Codec, ...] = AUDIO_CODECS
    """In order of preference; those that the container does not take are not offered."""
    video_codecs: tuple[Codec, ...] = VIDEO_CODECS
    """Likewise."""
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports, TURN, impairment."""
    stay: StayRules = field(default_factory=StayRules)
    """What to do when something is lost."""
    sidecars: bool = False
    """Whether to write events, roster, speakers, chat, a manifest and a page beside the recording."""
    notice: str | None = None
    """Chat message to everybody once recording begins."""
    announcement: Path | None = None
    """What everybody hears once recording begins: any file with sound. It is not part of the recording."""
    announcement_cache: Path | None = None
    """Where what is made of it for sending is kept for the next time; where nothing can be kept, it is made anew."""
    slides_as_track: bool = False
    """Whether to put a presentation into the file of sound and picture, when that is complete."""
    thumbnails: bool = False
    """Whether to make a picture of the complete recording, and one of each slide."""
    transcode: str | None = None
    """Make another form of the complete recording: a preset of `media.transcoding`. The recording stays."""
    chat_control: bool = False
    """Whether Hosts may say `!pause`, `!resume` and `!stop` in chat."""
    digit_control: bool = False
    """Whether digits sent to the recorder count: `*1` pauses, `*2` resumes, `*9` stops."""
