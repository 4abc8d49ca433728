"""Matroska, the container of every recording that nobody asked to be another, and WebM, the part browsers play."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ..frames import Codec
from .container import Container, ContainerWriter, WriterConfig
from .matroska_muxer import MatroskaMuxer
from .tracks import TrackSpec

__all__ = ["MATROSKA", "WEBM", "MatroskaWriter"]

MATROSKA = Container(name="Matroska", suffix=".mkv", codecs=frozenset(Codec), muxer=partial(MatroskaMuxer, "matroska"))
"""Takes every codec of a call as it is, changes of picture size included."""

WEBM = Container(
    name="WebM",
    suffix=".webm",
    codecs=frozenset({Codec.VP8, Codec.VP9, Codec.OPUS}),
    muxer=partial(MatroskaMuxer, "webm"),
)
"""The same for VP8, VP9 and Opus only."""


class MatroskaWriter(ContainerWriter):
    """A `ContainerWriter` for Matroska."""

    def __init__(
        self, path: Path, specs: Sequence[TrackSpec], *, origin: float, config: WriterConfig | None = None
    ) -> None:
        super().__init__(MATROSKA, path, specs, origin=origin, config=config)
