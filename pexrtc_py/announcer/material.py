"""What a user names becomes what is played: files one after the other, and a picture or a file as presentation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, repeat
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from ..errors import SourceError, UsageError
from ..media.frames import Codec, Kind, Source
from ..media.sources.encoded import EncodeConfig, EncodedSource
from ..media.sources.file import open_file, probe_file
from ..media.sources.sequence import Sequence as Joined
from ..media.sources.slides import Slide, slides
from ..webrtc.peer import PeerConfig
from .announcement import Announcement

__all__ = ["announcement_of_files", "presentation_of"]


def announcement_of_files(
    files: Sequence[Path], *, loop: int | None = 1, peer: PeerConfig | None = None
) -> Announcement:
    """Announce files one after the other without a seam, all of them `loop` times (None: until stopped).

    Blocks while it looks at the files.

    Raises:
        UsageError: one cannot be opened, or there is nothing to play in it; the message names it.
    """
    kinds: dict[Kind, Codec | None] = {}
    try:
        for path in files:
            for kind, track in probe_file(path).items():
                # A codec can be offered first only when all the files have it: a joint cannot change it.
                kinds[kind] = track.codec if kinds.get(kind, track.codec) is track.codec else None
    except SourceError as exc:
        raise UsageError(str(exc)) from exc

    def opener(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
        rounds = repeat(files) if loop is None else repeat(files, loop)
        return Joined(_openers(chain.from_iterable(rounds), accept))

    return Announcement(opener=opener, codecs=kinds, peer=peer or PeerConfig())


def _openers(paths: Iterator[Path], accept: Mapping[Kind, Sequence[Codec]]) -> Iterator[Callable[[], Source]]:
    return (partial(open_file, path, accept=accept) for path in paths)


def presentation_of(path: Path, *, peer: PeerConfig | None = None) -> Announcement:
    """Present a picture, held for as long as the presentation lasts, or the pictures of a media file, again and again.

    Blocks while it looks at the file.

    Raises:
        UsageError: it cannot be opened, or there is nothing to be seen in it; the message names it.
    """
    if not _is_still(path):
        announcement = announcement_of_files([path], loop=None, peer=peer)
        if Kind.VIDEO not in announcement.codecs:
            raise UsageError(f"{path}: there is no picture in it to present")
        return Announcement(
            opener=announcement.opener,
            codecs={Kind.VIDEO: announcement.codecs[Kind.VIDEO]},
            present=True,
            peer=announcement.peer,
        )

    def opener(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
        return EncodedSource(slides([Slide(path=path, at_s=0.0)]), accept=accept, config=EncodeConfig(screen=True))

    try:
        slides([Slide(path=path, at_s=0.0)])
    except SourceError as exc:
        raise UsageError(str(exc)) from exc
    return Announcement(opener=opener, codecs={Kind.VIDEO: None}, present=True, peer=peer or PeerConfig())


def _is_still(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return not getattr(image, "is_animated", False)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return False
