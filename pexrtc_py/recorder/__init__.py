"""Tracks to files: safe, in sync, with what was said and by whom beside them."""

from __future__ import annotations

from .file_series import SegmentRules
from .job import Recorded, record
from .persistence import Interruption, Remedy, StayRules
from .record_job import RecordJob
from .recording import Recording
from .recording_config import RecordingConfig
from .results import Hole, RecordingResult, StreamResult
from .roles import Role
from .sidecars import Sidecars, read_story
from .stopping import Ended, StopRules
from .tap_source import TapSource

__all__ = [
    "Ended",
    "Hole",
    "Interruption",
    "RecordJob",
    "Recorded",
    "Recording",
    "RecordingConfig",
    "RecordingResult",
    "Remedy",
    "Role",
    "SegmentRules",
    "Sidecars",
    "StayRules",
    "StopRules",
    "StreamResult",
    "TapSource",
    "read_story",
    "record",
]
