"""Compositions brought into the wire form: what is made of files is mixed, faded and encoded once, like a file.

What can be: all that ends by itself, is made of files at least in part, and comes neither from a device nor from the
network. The result is kept by how it is composed and by the content of its files, and levelled as a whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import msgspec

from ..errors import SourceError
from .frames import Kind
from .prepare import (
    PrepareConfig,
    Prepared,
    Progress,
    _answer_for,
    _answered,
    _ask_child,
    _encoding,
    _gain,
    _path,
    _write,
    cache_key,
)
from .sources.slides import parse_slides
from .sources.text import SourceSpec, Way, open_raw_source
from .writers.matroska import MATROSKA

__all__ = ["can_be_prepared", "compose_here", "prepare_composed"]

_ENDLESS: Final = frozenset({Way.TONE, Way.SILENCE, Way.BLACK, Way.PATTERN, Way.SLIDES})


def can_be_prepared(spec: SourceSpec) -> bool:
    """Whether a source is a composition that ends by itself and is made of files, and of nothing live."""
    return bool(spec.parts) and not spec.is_live and _ends(spec) and any(part.way is Way.FILE for part in _all(spec))


async def prepare_composed(
    spec: SourceSpec, cache_dir: Path, config: PrepareConfig | None = None, *, on_progress: Progress | None = None
) -> Prepared:
    """Bring a composition into its wire form, in a child process. Safe to cancel: nothing half is left.

    Args:
        spec: one that `can_be_prepared`; speech in it has been spoken into files, playlists taken apart.
        cache_dir: where results are kept; made when missing.
        config: what is wanted.
        on_progress: told what is being done and how many seconds of it are done, twice a second.

    Raises:
        SourceError: a part cannot be read, or there is nothing to play in it.
        WriteError: the cache cannot be written.
        UsageError: the parts do not fit, or the cache is no folder that can be used.
    """
    config = config or PrepareConfig()
    made = await asyncio.to_thread(_made_path, spec, cache_dir, config)
    if made.exists():
        return Prepared(path=made, cached=True, gain_db=0.0, encoded=frozenset())
    order = msgspec.json.encode((spec, cache_dir, config), enc_hook=str)
    return _answered(await _ask_child(order, spec.way, made, on_progress, module="pexrtc_py.media.prepare_composed"))


def compose_here(
    spec: SourceSpec, cache_dir: Path, config: PrepareConfig | None = None, *, on_progress: Progress | None = None
) -> Prepared:
    """Bring a composition into its wire form, in this process and thread; see `prepare_composed`.

    Raises:
        SourceError: a part cannot be read, or there is nothing to play in it.
        WriteError: the cache cannot be written.
        UsageError: the parts do not fit, or the cache is no folder that can be used.
    """
    config = config or PrepareConfig()
    made = _made_path(spec, cache_dir, config)
    first = open_raw_source(spec)
    kinds = tuple(first.formats)
    first.close()
    gain = _gain(lambda: open_raw_source(spec), config, on_progress) if Kind.AUDIO in kinds else 0.0
    sources = [_encoding(open_raw_source(spec), kind, gain, config) for kind in kinds]
    try:
        _write(sources, made, on_progress)
    finally:
        for source in sources:
            source.close()
    return Prepared(path=made, cached=False, gain_db=gain, encoded=frozenset(kinds))


def _all(spec: SourceSpec) -> Iterator[SourceSpec]:
    yield spec
    for part in spec.parts:
        yield from _all(part)


def _ends(spec: SourceSpec) -> bool:
    if spec.way in _ENDLESS:
        return False
    if spec.way is Way.FOR:
        return True
    if spec.way is Way.OVERLAY:
        return _ends(spec.parts[0])  # what is below says when it is over
    return all(_ends(part) for part in spec.parts)


def _made_path(spec: SourceSpec, cache_dir: Path, config: PrepareConfig) -> Path:
    digest = hashlib.sha256(_identity(spec, config).encode())
    return cache_dir / f"{digest.hexdigest()[:32]}{MATROSKA.suffix}"


def _identity(spec: SourceSpec, config: PrepareConfig) -> str:
    """Say what a composition is made of: by the content of its files, whatever their names."""
    value = spec.value
    if spec.way is Way.FILE:
        value = cache_key(Path(value), config)
    elif spec.way is Way.SLIDES:
        value = ",".join(f"{cache_key(slide.path, config)}@{slide.at_s}" for slide in parse_slides(value))
    elif spec.way is Way.PLAYLIST:
        raise SourceError("a playlist within a composition is taken apart before it is prepared")
    return f"{spec.way}:{value}({'|'.join(_identity(part, config) for part in spec.parts)})"


# The child.

_Order: TypeAlias = tuple[SourceSpec, Path, PrepareConfig]


def _main() -> None:
    spec, cache_dir, config = msgspec.json.decode(sys.stdin.buffer.read(), type=_Order, dec_hook=_path)
    _answer_for(lambda tell: compose_here(spec, cache_dir, config, on_progress=tell))


if __name__ == "__main__":
    _main()
