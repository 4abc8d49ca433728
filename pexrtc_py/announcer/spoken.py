"""What was spoken, kept in files: the same words of the same voice are spoken once.

Whose voice it is can be told of a plain function of a module only, by its name. Two calls of `functools.partial`, two
lambdas or two objects may speak with different voices and have one name: they speak each time, and what they said is
kept by what it is.
"""

from __future__ import annotations

import hashlib
import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import mkstemp

from ..errors import SourceError, WriteError
from ..media.sources.speech import SpeechEngine, espeak, spoken_wav

__all__ = ["spoken_file"]


def spoken_file(text: str, folder: Path, *, engine: SpeechEngine = espeak) -> Path:
    """Speak into a file of a folder, which is made when missing; what was spoken before is not spoken again. Blocks.

    Several threads and processes may do so together: a file is whole as soon as it has its name.

    Args:
        text: what to say.
        folder: where to.
        engine: what speaks.

    Raises:
        UsageError: there is nothing to say, or too much.
        SourceError: the engine failed, or said nothing.
        WriteError: it cannot be kept.
    """
    voice = _voice_of(engine)
    path = _named(folder, f"{voice}:{text}".encode()) if voice is not None else None
    if path is not None and path.exists():
        return path
    wav = spoken_wav(text, engine=engine)
    if not wav:
        raise SourceError("speech: the engine said nothing")
    path = path or _named(folder, wav)
    try:
        _write(path, wav)
    except OSError as exc:
        raise WriteError(f"{folder}: cannot keep what was spoken: {(exc.strerror or str(exc)).lower()}") from exc
    return path


def _voice_of(engine: SpeechEngine) -> str | None:
    """Return a name that no other voice has, None when there is none."""
    module, name = getattr(engine, "__module__", None), getattr(engine, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str):
        return None
    is_plain = getattr(sys.modules.get(module), name, None) is engine
    return f"{module}.{name}" if is_plain else None


def _named(folder: Path, content: bytes) -> Path:
    return folder / f"speech-{hashlib.sha256(content).hexdigest()[:32]}.wav"


def _write(path: Path, wav: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, half = mkstemp(prefix=f".{path.stem}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(wav)
        Path(half).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(half).unlink()
        raise
