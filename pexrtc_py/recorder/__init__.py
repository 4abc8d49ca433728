"""Tracks to files: safe, in sync, with what was said and by whom beside them."""

from __future__ import annotations

from .file_series import SegmentRules
from .recording import Recording, RecordingConfig, TapSource
from .results import Hole, RecordingResult, StreamResult
from .roles import Role
from .sidecars import Sidecars, read_story
from .stopping import Ended, StopRules

__all__ = [
    "Ended",
    "Hole",
    "Recording",
    "RecordingConfig",
    "RecordingResult",
    "Role",
    "SegmentRules",
    "Sidecars",
    "StopRules",
    "StreamResult",
    "TapSource",
    "read_story",
]
