"""Speech from text: espeak-ng when it is installed, or any other engine that can be called.

An engine is a function that takes text and returns a WAV file as bytes. Text goes to espeak-ng on its standard input:
nothing in it is ever an option or a command.
"""

from __future__ import annotations

import io
import subprocess
from collections.abc import Callable
from typing import Final

from ...errors import SourceError, UsageError
from ..frames import Kind
from .demuxed import Demuxed
from .file import RawFile
from .opening import Opening, open_input

__all__ = ["SpeechEngine", "espeak", "speech", "spoken_wav"]

SpeechEngine = Callable[[str], bytes]
"""Takes text, returns a WAV file; raises SourceError when it cannot."""

_LONGEST_TEXT: Final = 20_000
_SLOWEST_S: Final = 60.0


def espeak(text: str, *, voice: str = "en-gb", words_per_minute: int = 160) -> bytes:
    """Speak with espeak-ng.

    Args:
        text: what to say.
        voice: one of `espeak-ng --voices`.
        words_per_minute: 80 to 450.

    Raises:
        SourceError: it is not installed, does not know the voice, or fails.
    """
    command = ["espeak-ng", "-v", voice, "-s", str(words_per_minute), "--stdin", "--stdout"]
    try:
        done = subprocess.run(command, input=text.encode(), capture_output=True, check=True, timeout=_SLOWEST_S)
    except FileNotFoundError as exc:
        raise SourceError("speech: espeak-ng is not installed (Debian: apt install espeak-ng)") from exc
    except subprocess.TimeoutExpired as exc:
        raise SourceError(f"speech: espeak-ng took longer than {_SLOWEST_S:.0f} s") from exc
    except (subprocess.CalledProcessError, OSError) as exc:
        said = exc.stderr.decode(errors="replace").strip() if isinstance(exc, subprocess.CalledProcessError) else exc
        raise SourceError(f"speech: espeak-ng failed: {' '.join(str(said).split())}") from exc
    return done.stdout


def speech(text: str, *, engine: SpeechEngine = espeak) -> RawFile:
    """Return `text` spoken.

    Raises:
        UsageError: there is nothing to say, or too much.
        SourceError: the engine failed.
    """
    opening = Opening(name="speech", url=io.BytesIO(spoken_wav(text, engine=engine)), format="wav")
    return RawFile(Demuxed("speech", open_input(opening), (Kind.AUDIO,)), (0, 0))


def spoken_wav(text: str, *, engine: SpeechEngine = espeak) -> bytes:
    """Return `text` spoken, as a WAV file.

    Raises:
        UsageError: there is nothing to say, or too much.
        SourceError: the engine failed.
    """
    if not text.strip():
        raise UsageError("speech: there is nothing to say")
    if len(text) > _LONGEST_TEXT:
        raise UsageError(f"speech: {len(text)} characters are too many, {_LONGEST_TEXT} at most")
    return _with_length(engine(text))


def _with_length(wav: bytes) -> bytes:
    """Write the true length into a WAV header: espeak-ng, writing to a pipe, cannot know it and says 2 GB."""
    place = wav.find(b"data", 12)
    if not wav.startswith(b"RIFF") or place < 0:
        return wav
    length = len(wav) - place - 8
    return (
        wav[:4]
        + (len(wav) - 8).to_bytes(4, "little")
        + wav[8 : place + 4]
        + length.to_bytes(4, "little")
        + wav[place + 8 :]
    )
