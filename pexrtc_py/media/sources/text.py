"""Sources as people write them on a command line or into a configuration.

    clip.mkv                  a file                    list.m3u              a playlist
    picture.png               a picture, standing still
    https://... rtsp://...    an address                -                     standard input (Matroska and the like)
    stdin:s16le,48000,2       raw samples on it         tone:440              a tone
    silence:                  black:640x360             pattern:1280x720@25   test pattern with clock and counter
    slides:a.png@0,b.png@5    pictures with times       speech:Hello          a voice
    camera:/dev/video0        microphone:default        screen::0             lavfi:testsrc2 and the like
    gain:-6:SOURCE            fade:2:SOURCE             mix:SOURCE|SOURCE     overlay:SOURCE|SOURCE
    then:SOURCE|SOURCE        for:10:SOURCE (seconds)

`parse_source` reads them and opens nothing; `open_source` opens what was read.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from ...errors import UsageError
from ..frames import Source
from . import compose, live
from .encoded import EncodeConfig, EncodedSource
from .file import open_file, open_raw_file
from .generated import Screen, black, silence, tone
from .pattern import pattern
from .playlist import open_playlist, read_m3u
from .raw import DEFAULT_ACCEPT, Accept, RawSource
from .sequence import Sequence
from .slides import parse_slides, slides
from .speech import SpeechEngine, espeak, speech

__all__ = ["SourceSpec", "Way", "open_raw_source", "open_source", "parse_source"]


class Way(StrEnum):
    """What a source is made of: the word before the colon."""

    FILE = "file"
    PLAYLIST = "playlist"
    ADDRESS = "address"
    STDIN = "-"
    TONE = "tone"
    SILENCE = "silence"
    BLACK = "black"
    PATTERN = "pattern"
    SLIDES = "slides"
    SPEECH = "speech"
    CAMERA = "camera"
    MICROPHONE = "microphone"
    SCREEN = "screen"
    LAVFI = "lavfi"
    GAIN = "gain"
    FADE = "fade"
    MIX = "mix"
    OVERLAY = "overlay"
    THEN = "then"
    FOR = "for"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceSpec:
    """A source as it was written, read and not opened."""

    way: Way
    """What it is made of."""
    value: str = ""
    """What came after the colon: a path, a frequency, a text, a number."""
    parts: tuple[SourceSpec, ...] = ()
    """Sources it is composed of."""

    @property
    def is_live(self) -> bool:
        """Whether it makes its own pace, so that it can be neither prepared nor looped."""
        return self.way in _LIVE or any(part.is_live for part in self.parts)


_LIVE: Final = frozenset({Way.ADDRESS, Way.STDIN, Way.CAMERA, Way.MICROPHONE, Way.SCREEN, Way.LAVFI})
_PLAYLISTS: Final = (".m3u", ".m3u8")
_PICTURES: Final = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
_PARTS: Final[Mapping[Way, tuple[int, int]]] = {Way.MIX: (2, 16), Way.OVERLAY: (2, 2), Way.THEN: (2, 100)}
# The number before a source, from and to: decibels that a sample of 16 bits can tell from nothing, seconds.
_WRAPPED: Final[Mapping[Way, tuple[float, float]]] = {
    Way.GAIN: (-100.0, 100.0),
    Way.FADE: (0.0, 86400.0),
    Way.FOR: (0.02, 10_000_000.0),
}


_MOST_NESTED: Final = 16
"""Each is another pass over the sound; a program's mistake shall not end who plays."""
_NESTED: Final = re.compile(rf"(?:(?:{'|'.join(_WRAPPED)}):[^:|]*:){{{_MOST_NESTED + 1}}}")


def parse_source(text: str) -> SourceSpec:
    """Read a source.

    Raises:
        UsageError: it makes no sense; the message says what is missing.
    """
    if not text.strip():
        raise UsageError("a source is empty")
    if "\0" in text:
        raise UsageError("a source cannot have a NUL in it")
    if _NESTED.search(text):
        raise UsageError(f"a source can be softened, faded and cut {_MOST_NESTED} times at most, one in the other")
    if live.is_address(text):
        if text.split(":", 1)[0].lower() not in live.NETWORK_SCHEMES:
            raise UsageError(f"{live.shown(text)}: only {', '.join(live.NETWORK_SCHEMES)} can be played")
        return SourceSpec(way=Way.ADDRESS, value=text)
    word, colon, value = text.partition(":")
    if word in ("-", "stdin"):  # a command line takes what begins with "-:" for an option
        _pcm(value)
        return SourceSpec(way=Way.STDIN, value=value)
    if not colon or word not in set(Way) or word == Way.ADDRESS:
        return SourceSpec(way=_way_of_file(text), value=text)
    way = Way(word)
    if way in _PARTS:
        parts = tuple(parse_source(part) for part in value.split("|"))
        least, most = _PARTS[way]
        if not least <= len(parts) <= most:
            raise UsageError(f"{word}: needs {least} to {most} sources, divided by |")
        return SourceSpec(way=way, parts=parts)
    if way in _WRAPPED:
        number, colon, inner = value.partition(":")
        if not colon:
            raise UsageError(f"{word}: needs a number and a source, {word}:3:clip.mkv for example")
        low, high = _WRAPPED[way]
        if not low <= _number(word, number) <= high:
            raise UsageError(f"{word}: {number} must be between {low:g} and {high:g}")
        return SourceSpec(way=way, value=number, parts=(parse_source(inner),))
    _check(way, value)
    return SourceSpec(way=way, value=value)


def _way_of_file(name: str) -> Way:
    if name.lower().endswith(_PLAYLISTS):
        return Way.PLAYLIST
    # A picture alone stands still; a name that `slides:` would read otherwise stays a file, of one picture.
    is_still = name.lower().endswith(_PICTURES) and not set("@,") & set(name)
    return Way.SLIDES if is_still else Way.FILE


def open_source(
    spec: SourceSpec,
    *,
    accept: Accept = DEFAULT_ACCEPT,
    loop: int | None = 1,
    config: EncodeConfig | None = None,
    engine: SpeechEngine = espeak,
) -> Source:
    """Open a source to be sent.

    Args:
        spec: what `parse_source` read.
        accept: codecs that can be sent.
        loop: how often it is played, without a seam; None: until stopped. A live source is played once.
        config: how to encode what has to be encoded.
        engine: what speaks.

    Raises:
        SourceError: it cannot be opened.
        UsageError: it makes no sense.
    """
    match spec.way:
        case Way.FILE:
            return open_file(spec.value, accept=accept, loop=loop, config=config)
        case Way.PLAYLIST:
            return open_playlist(read_m3u(Path(spec.value)), accept=accept, loop=loop, config=config)
        case Way.ADDRESS:
            return live.open_address(spec.value, accept=accept, config=config)
        case Way.STDIN:
            return live.open_pipe(pcm=_pcm(spec.value), accept=accept, config=config)
        case _:
            pass

    def opener() -> Source:
        return EncodedSource(open_raw_source(spec, engine=engine), accept=accept, config=config)

    if loop == 1 or spec.is_live:
        return opener()
    played = iter(int, 1) if loop is None else range(loop)
    return Sequence(opener for _ in played)


def open_raw_source(spec: SourceSpec, *, engine: SpeechEngine = espeak) -> RawSource:
    """Open a source to be composed or measured.

    Raises:
        SourceError: it cannot be opened.
        UsageError: it makes no sense.
    """
    value, parts = spec.value, [open_raw_source(part, engine=engine) for part in spec.parts]
    ways: Mapping[Way, Callable[[], RawSource]] = {
        Way.FILE: lambda: open_raw_file(value),
        Way.PLAYLIST: lambda: compose.concatenate(*(_raw_entry(entry) for entry in read_m3u(Path(value)))),
        Way.ADDRESS: lambda: live.raw_address(value),
        Way.STDIN: lambda: live.raw_pipe(pcm=_pcm(value)),
        Way.TONE: lambda: tone(_number("tone", value or "440")),
        Way.SILENCE: lambda: silence(),
        Way.BLACK: lambda: black(_screen("black", value, 5.0)),
        Way.PATTERN: lambda: pattern(_screen("pattern", value, 30.0)),
        Way.SLIDES: lambda: slides(parse_slides(value)),
        Way.SPEECH: lambda: speech(value, engine=engine),
        Way.CAMERA: lambda: live.camera(value or "/dev/video0"),
        Way.MICROPHONE: lambda: live.microphone(value or "default"),
        Way.SCREEN: lambda: live.screen(value),
        Way.LAVFI: lambda: live.capture("lavfi", value),
        Way.GAIN: lambda: compose.gain(parts[0], _number("gain", value)),
        Way.FADE: lambda: compose.fade(parts[0], in_s=_number("fade", value)),
        Way.MIX: lambda: compose.mix(*parts),
        Way.OVERLAY: lambda: compose.overlay(*parts),
        Way.THEN: lambda: compose.concatenate(*parts),
        Way.FOR: lambda: compose.cut(parts[0], _number("for", value)),
    }
    return ways[spec.way]()


def _raw_entry(entry: str) -> RawSource:
    return live.raw_address(entry) if live.is_address(entry) else open_raw_file(entry)


def _check(way: Way, value: str) -> None:
    """Read a value early, so that a mistake is told before anything is opened."""
    match way:
        case Way.TONE:
            _number("tone", value or "440")
        case Way.BLACK | Way.PATTERN:
            _screen(way, value, 30.0)
        case Way.SLIDES:
            parse_slides(value)
        case Way.SPEECH if not value.strip():
            raise UsageError("speech: there is nothing to say, write speech:Hello")
        case Way.FILE | Way.PLAYLIST | Way.LAVFI if not value:
            raise UsageError(f"{way}: says nothing after the colon")
        case _:
            pass


def _number(word: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):  # float() reads "nan" and "inf" too
        raise UsageError(f"{word}: {text!r} is no number")
    return number


def _screen(word: str, text: str, usual_rate: float) -> Screen:
    found = re.fullmatch(r"(?:(\d+)x(\d+))?(?:@([\d.]+))?", text)
    if found is None:
        raise UsageError(f"{word}: {text!r} is no size, write 1280x720 or 1280x720@25")
    rate = _number(word, found[3]) if found[3] else usual_rate
    return Screen(width=int(found[1] or 1280), height=int(found[2] or 720), frame_rate=rate)


def _pcm(text: str) -> live.PcmFormat | None:
    if not text:
        return None
    found = re.fullmatch(r"([a-z]\d+[lb]e|u8|s8),(\d+),([12])", text)
    if found is None:
        raise UsageError(f"-: {text!r} is no layout of samples, write stdin:s16le,48000,1")
    return live.PcmFormat(sample_format=found[1], sample_rate=int(found[2]), channels=int(found[3]))
