"""What a user names becomes what is played: files one after the other, and a picture or a file as presentation."""

from __future__ import annotations

import asyncio
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
from ..media.sources.text import SourceSpec, Way, open_raw_source, open_source, parse_source
from ..webrtc.peer import PeerConfig
from .played import Announcement, SourceOpener
from .readiness import Readiness, Ready, make_ready

__all__ = ["announcement_of_files", "announcement_of_ready", "announcement_of_sources", "presentation_of"]


def announcement_of_files(
    files: Sequence[Path], *, loop: int | None = 1, hold: bool = True, peer: PeerConfig | None = None
) -> Announcement:
    """Announce files as they are, one after the other without a seam: not prepared, not levelled.

    Blocks while it looks at the files.

    Args:
        files: what.
        loop: how often all of them are played; None: until stopped.
        hold: whether to wait with the first word until the far side receives; without it pictures and sound are sent
            once and from the first moment on, for measurements.
        peer: addresses, ports, TURN, impairment.

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

    return Announcement(opener=opener, codecs=kinds, hold=hold, peer=peer or PeerConfig())


async def announcement_of_sources(
    sources: Sequence[str],
    *,
    loop: int | None = 1,
    how: Readiness | None = None,
    present: bool = False,
    peer: PeerConfig | None = None,
) -> Announcement:
    """Announce sources, as `media.sources.text` reads them, one after the other: prepared, levelled, held until heard.

    Safe to cancel.

    Args:
        sources: what.
        loop: how often all of it is played; None: until stopped.
        how: how it is made ready.
        present: whether it is a presentation: only its pictures count, and they end with what they are shown beside.
        peer: addresses, ports, TURN, impairment.

    Raises:
        UsageError: one makes no sense, cannot be opened, or has nothing to play; the message names it.
        WriteError: the cache cannot be written.
    """
    how = how or Readiness()
    try:
        specs = [parse_source(source) for source in sources]
        ready = [one for spec in specs for one in await make_ready(spec, how)]
        kinds = [await asyncio.to_thread(_kinds_of, one.spec) for one in ready]
    except SourceError as exc:
        raise UsageError(str(exc)) from exc
    return announcement_of_ready(ready, kinds, loop=loop, how=how, present=present, peer=peer)


def announcement_of_ready(
    ready: Sequence[Ready],
    kinds: Sequence[Mapping[Kind, Codec | None]],
    *,
    loop: int | None = 1,
    how: Readiness | None = None,
    present: bool = False,
    peer: PeerConfig | None = None,
) -> Announcement:
    """Announce what is ready, see `announcement_of_sources`.

    Raises:
        UsageError: there is nothing to be seen in what is to be presented.
    """
    level = (how or Readiness()).loudness_lufs
    engine = (how or Readiness()).engine
    codecs: dict[Kind, Codec | None] = {}
    for one in kinds:
        for kind, codec in one.items():
            codecs[kind] = codec if codecs.get(kind, codec) is codec else None
    if present:
        codecs = {kind: codec for kind, codec in codecs.items() if kind is Kind.VIDEO}
        if not codecs:
            raise UsageError(f"{ready[0].spec.value}: there is no picture in it to present")

    def opener_of(specs: Sequence[SourceSpec]) -> SourceOpener:
        def opener(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
            again = 1 if all(spec.is_live for spec in specs) else loop  # what is over on a pipe does not come again
            rounds = repeat(specs) if again is None else repeat(specs, again)
            encode = {
                spec: EncodeConfig(screen=present, level_lufs=level if spec.is_live else None) for spec in set(specs)
            }
            return Joined(
                partial(open_source, spec, accept=accept, config=encode[spec], engine=engine)
                for spec in chain.from_iterable(rounds)
            )

        return opener

    soft = [one.soft for one in ready if one.soft is not None]
    return Announcement(
        opener=opener_of([one.spec for one in ready]),
        codecs=codecs,
        present=present,
        peer=peer or PeerConfig(),
        replay=True,
        soft=opener_of(soft) if len(soft) == len(ready) else None,
        live=any(one.spec.is_live for one in ready),
    )


def _kinds_of(spec: SourceSpec) -> Mapping[Kind, Codec | None]:
    """Return what a source has to play: by looking into a file, by knowing it of the rest, which opens nothing live."""
    if spec.way is Way.FILE:
        return {kind: track.codec for kind, track in probe_file(Path(spec.value)).items()}
    if spec.way in (Way.TONE, Way.SILENCE, Way.MICROPHONE):
        return {Kind.AUDIO: None}
    if spec.way in (Way.BLACK, Way.CAMERA, Way.SCREEN, Way.SLIDES):
        if spec.way is Way.SLIDES:
            open_raw_source(spec).close()  # a picture that is missing is told before anybody is called
        return {Kind.VIDEO: None}
    if spec.parts:
        parts = spec.parts[:1] if spec.way in (Way.OVERLAY, Way.THEN) else spec.parts
        return {kind: None for part in parts for kind in _kinds_of(part)}
    if spec.way is Way.STDIN and spec.value:
        return {Kind.AUDIO: None}
    if spec.way is Way.ADDRESS and spec.value.lower().startswith(("rtsp", "rtmp")):
        # What comes so is H.264 nearly always, and can then be sent as it is.
        return {Kind.AUDIO: None, Kind.VIDEO: Codec.H264}
    return {Kind.AUDIO: None, Kind.VIDEO: None}


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
    return Announcement(opener=opener, codecs={Kind.VIDEO: None}, present=True, peer=peer or PeerConfig(), replay=True)


def _is_still(path: Path) -> bool:
    try:
        with Image.open(path) as image:
            return not getattr(image, "is_animated", False)
    except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
        return False
