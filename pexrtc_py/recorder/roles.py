"""What a stream is in a recording."""

from __future__ import annotations

from enum import StrEnum

from ..media.frames import Kind

__all__ = ["Role"]


class Role(StrEnum):
    """What a stream is in a conference."""

    AUDIO = "audio"
    VIDEO = "video"
    SLIDES = "slides"

    @property
    def kind(self) -> Kind:
        """Audio or video."""
        return Kind.AUDIO if self is Role.AUDIO else Kind.VIDEO
