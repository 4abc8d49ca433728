"""What is public, loaded at once; `pexrtc_py` itself loads it when the first of it is asked for.

A name is added to the imports and to `__all__`, and to the changelog.
"""

from . import errors
from .announcer.announcement import Announcement, Played, announce, play, play_with_slides
from .announcer.material import announcement_of_files, presentation_of
from .endpoint.call import Call, CallConfig
from .endpoint.conference import BOT_TAG, RECORDER_TAG, Conference, connect, is_bot, open_conference
from .endpoint.presentation import PresentationWay
from .errors import PexrtcError
from .media.clips import clip_path
from .media.decoding_taps import AudioDecoder, VideoDecoder
from .media.frames import Codec, EncodedFrame, Gap, Kind, Source, Tap, TrackFormat
from .media.player import Player
from .media.sources.file import open_file
from .node.config import NodeConfig
from .node.server import Node
from .protocol.models import Participant, Present
from .protocol.sdp import Direction
from .recorder.file_series import SegmentRules
from .recorder.job import Recorded, RecordJob, record
from .recorder.persistence import Interruption, Remedy, StayRules
from .recorder.recording import Recording
from .recorder.recording_config import RecordingConfig
from .recorder.roles import Role
from .recorder.stopping import StopRules
from .signalling import SessionConfig
from .version import __version__
from .webrtc.peer import IceServer, PeerConfig

__all__ = [
    "BOT_TAG",
    "RECORDER_TAG",
    "Announcement",
    "AudioDecoder",
    "Call",
    "CallConfig",
    "Codec",
    "Conference",
    "Direction",
    "EncodedFrame",
    "Gap",
    "IceServer",
    "Interruption",
    "Kind",
    "Node",
    "NodeConfig",
    "Participant",
    "PeerConfig",
    "PexrtcError",
    "Played",
    "Player",
    "Present",
    "PresentationWay",
    "RecordJob",
    "Recorded",
    "Recording",
    "RecordingConfig",
    "Remedy",
    "Role",
    "SegmentRules",
    "SessionConfig",
    "Source",
    "StayRules",
    "StopRules",
    "Tap",
    "TrackFormat",
    "VideoDecoder",
    "__version__",
    "announce",
    "announcement_of_files",
    "clip_path",
    "connect",
    "errors",
    "is_bot",
    "open_conference",
    "open_file",
    "play",
    "play_with_slides",
    "presentation_of",
    "record",
]
