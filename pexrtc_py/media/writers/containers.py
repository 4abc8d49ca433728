"""The kinds of files a recording can be, by name and by the ending of a file's name."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from ...errors import UsageError
from ..frames import Codec
from .container import Container
from .libav_muxer import LibavMuxer, OggOpusMuxer
from .matroska import MATROSKA, WEBM
from .wav_muxer import WavMuxer

__all__ = ["CONTAINERS", "MP4", "OGG", "WAV", "container_for"]

MP4 = Container(
    name="MP4",
    suffix=".mp4",
    codecs=frozenset({Codec.H264, Codec.OPUS}),
    muxer=partial(
        LibavMuxer,
        "mp4",
        {
            # Fragments that a kill cannot hurt; closed well, a plain file with an index. Without `delay_moov` a track
            # that begins later than 0 has its first frame at 0.
            "movflags": "hybrid_fragmented+delay_moov",
            "frag_duration": "500000",
            "flush_packets": "1",
            "max_interleave_delta": "200000",
        },
    ),
    changes_size=False,
)
"""H.264 and Opus; a change of picture size begins another file."""

OGG = Container(name="Ogg", suffix=".ogg", codecs=frozenset({Codec.OPUS}), muxer=OggOpusMuxer)
"""Opus alone."""

WAV = Container(
    name="WAV",
    suffix=".wav",
    codecs=frozenset({Codec.OPUS, Codec.G722, Codec.PCMU, Codec.PCMA}),
    muxer=WavMuxer,
)
"""Sound alone, decoded."""

CONTAINERS: Mapping[str, Container] = {"mkv": MATROSKA, "webm": WEBM, "mp4": MP4, "ogg": OGG, "wav": WAV}
"""By what `--container` calls them."""


def container_for(path: Path) -> Container:
    """Return the container that a file's name asks for by its ending.

    Raises:
        UsageError: no container has this ending.
    """
    for container in CONTAINERS.values():
        if container.suffix == path.suffix.lower():
            return container
    known = ", ".join(container.suffix for container in CONTAINERS.values())
    raise UsageError(f"{path}: the ending says no container that is known ({known})")
