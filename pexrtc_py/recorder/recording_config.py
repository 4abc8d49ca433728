"""What a recording is asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..media.writers.container import Container, WriterConfig
from .file_series import SegmentRules
from .stopping import StopRules

__all__ = ["RecordingConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingConfig:
    """What to record, where, and for how long."""

    path: Path
    """Name of the recording; its ending says the container, unless that is given."""
    container: Container | None = None
    """Kind of file; None to go by the ending."""
    slides_in_same_file: bool = False
    """Record a presentation as a track beside the main picture instead of in `NAME.slides.mkv`."""
    start_budget_s: float = 2.0
    """How long the first stream waits for the others, and for the reports that put all on one clock."""
    stop: StopRules = field(default_factory=StopRules)
    """When to end by itself."""
    segments: SegmentRules = field(default_factory=SegmentRules)
    """When to begin another file. The slides' own file is not cut."""
    writer: WriterConfig = field(default_factory=WriterConfig)
    """How files are written."""
