"""What `pexrtc announce` is told, read and checked before anybody is called."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ..announcer.dialling import Dial, parse_dialling
from ..announcer.queue import MOST_WAITING, Rule
from ..announcer.triggers import AtTime, OnStart, Trigger, WhenQuiet, parse_trigger
from ..endpoint.presentation import PresentationWay
from ..errors import UsageError
from ..media.loudness import TARGET_LUFS
from ..media.sources.text import parse_source

__all__ = [
    "At", "Camera", "Digits", "DigitsAfter", "Duck", "Every", "Greet", "Log", "Loop", "Loudness", "Microphone",
    "Moments", "OnChat", "OnDigits", "Places", "Plays", "Present", "PresentBy", "Prove", "Queue", "Rooms", "Say",
    "SkipWhen", "StopWhen", "To", "When", "WhenPeople", "read_digits", "read_loudness", "read_moments", "read_places",
]  # fmt: skip

Loop = Annotated[int, typer.Option("--loop", min=0, metavar="N", help="Play everything N times; 0 until stopped.")]
Camera = Annotated[
    str | None,
    typer.Option("--camera", metavar="DEVICE", help="Show this camera (Video4Linux): /dev/video0."),
]
Microphone = Annotated[
    str | None,
    typer.Option("--microphone", metavar="DEVICE", help="Be heard by this microphone (ALSA)."),
]
Present = Annotated[
    str | None,
    typer.Option(
        "--present",
        metavar="SOURCE",
        help="Show this as a presentation meanwhile: a picture, a file, slides:a.png@0,b.png@5.",
    ),
]
PresentBy = Annotated[
    PresentationWay,
    typer.Option(
        "--present-by",
        help="How that is shown: by a line of the one call, or by a call of its own; `auto`: by a line "
        "beside pictures, where the node's release knows it.",
    ),
]
Loudness = Annotated[
    str,
    typer.Option(
        "--loudness", metavar="LUFS", help="Integrated loudness by EBU R128, -20 for example; `off`: as it is."
    ),
]
To = Annotated[
    list[str] | None,
    typer.Option(
        "--to", metavar="ALIAS", help="A conference; repeat for several, all at once. Then no ALIAS comes first."
    ),
]
Rooms = Annotated[
    Path | None,
    typer.Option("--rooms", metavar="FILE", help="Conferences, one a line, all at once; # begins a remark."),
]
When = Annotated[
    list[str] | None,
    typer.Option(
        "--when",
        metavar="MOMENT",
        help='When: now, "quiet 3s", "at 14:30", "every 10m", "people 3", join, "digits *1", "chat !play", start.',
    ),
]
At = Annotated[list[str] | None, typer.Option("--at", metavar="TIME", help="At a time: 14:30 or 2026-11-22T14:30.")]
Every = Annotated[str | None, typer.Option("--every", metavar="TIME", help="Again and again: 90s, 10m, 1h.")]
WhenPeople = Annotated[int | None, typer.Option("--when-people", min=1, metavar="N", help="When N people are there.")]
Greet = Annotated[bool, typer.Option("--greet", help="When somebody joins. Programs are not greeted and never count.")]
OnDigits = Annotated[str | None, typer.Option("--on-digits", metavar="DIGITS", help="When these digits are pressed.")]
OnChat = Annotated[str | None, typer.Option("--on-chat", metavar="WORDS", help="When somebody writes this: !play.")]
SkipWhen = Annotated[
    list[str] | None,
    typer.Option("--skip-when", metavar="MOMENT", help='End what is played, wait for the next: "chat !skip".'),
]
StopWhen = Annotated[
    list[str] | None, typer.Option("--stop-when", metavar="MOMENT", help='End and leave: "digits 9", "chat !stop".')
]
Plays = Annotated[int | None, typer.Option("--plays", min=1, metavar="N", help="Leave after N announcements.")]
Duck = Annotated[bool, typer.Option("--duck", help="Be softer, by 12 dB, while people speak.")]
Say = Annotated[str, typer.Option("--say", metavar="TEXT", help="Write this into the chat as it begins.")]
Digits = Annotated[
    str, typer.Option("--digits", metavar="DIGITS", help="Dial before it; a comma waits two seconds: 1234,,#")
]
DigitsAfter = Annotated[str, typer.Option("--digits-after", metavar="DIGITS", help="Dial after it.")]
Prove = Annotated[
    bool,
    typer.Option("--prove", help="Let a second participant listen, and report what was heard; exit code 1 if nothing."),
]
Log = Annotated[
    Path | None,
    typer.Option("--log", metavar="FILE", help="Append what was played where and when, a JSON line each."),
]
Queue = Annotated[
    str | None,
    typer.Option(
        "--queue",
        metavar="HOST:PORT",
        help="Let programs queue announcements by HTTP: 127.0.0.1:8090. The token is PEXRTC_QUEUE_TOKEN, or made up.",
    ),
]

_LOUDEST, _SOFTEST = -5.0, -50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where to announce what."""

    aliases: Sequence[str]
    """The conferences."""
    sources: Sequence[str]
    """The sources, none when only a queue feeds the announcer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """When to announce, to skip and to stop."""

    rules: Sequence[Rule]
    """Empty: at once."""
    skip: Sequence[Trigger]
    """Ends an announcement."""
    stop: Sequence[Trigger]
    """Ends the announcer."""
    watches_people: bool
    """Whether what happens in a conference counts, and not only the clock."""
    plays: int | None
    """After how many it has done what it was told; None: never."""


def read_places(words: Sequence[str], to: Sequence[str], rooms: Path | None, *, may_lack_source: bool) -> Places:
    """Tell conferences from sources.

    Raises:
        UsageError: one of them is missing, a source makes no sense, or the list cannot be read.
    """
    aliases = [*to, *(_listed(rooms) if rooms is not None else ())]
    rest = list(words)
    if not aliases:
        if not rest:
            raise UsageError("say into which conference: an ALIAS, --to or --rooms")
        aliases.append(rest.pop(0))
    if not rest and not may_lack_source:
        raise UsageError("say what to announce: a file, speech:Hello, tone:440 or another SOURCE")
    for source in rest:
        parse_source(source)
    return Places(aliases=list(dict.fromkeys(aliases)), sources=rest)


def _listed(path: Path) -> list[str]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"--rooms {path}: {getattr(exc, 'strerror', None) or exc}") from exc
    aliases = [line.split("#", 1)[0].strip() if not line.startswith("http") else line.strip() for line in lines]
    if not any(aliases):
        raise UsageError(f"--rooms {path}: there is no conference in it")
    return [alias for alias in aliases if alias]


def read_moments(
    when: Sequence[str],
    *,
    at: Sequence[str],
    every: str | None,
    people: int | None,
    greet: bool,
    digits: str | None,
    chat: str | None,
    skip_when: Sequence[str],
    stop_when: Sequence[str],
    plays: int | None,
) -> Moments:
    """Read all options that say when.

    Raises:
        UsageError: one makes no sense.
    """
    texts = [_with_colon(text) for text in when]
    texts += [f"at:{time}" for time in at]
    texts += [f"every:{every}"] if every is not None else []
    texts += [f"people:{people}"] if people is not None else []
    texts += ["join"] if greet else []
    texts += [f"digits:{digits}"] if digits is not None else []
    texts += [f"chat:{chat}"] if chat is not None else []
    now = time.time()
    rules = [Rule(trigger=parse_trigger(text, now), source="", why=text) for text in texts]
    skip, stop = ([parse_trigger(_with_colon(text), now) for text in some] for some in (skip_when, stop_when))
    triggers = [rule.trigger for rule in rules]
    if len(rules) > MOST_WAITING:
        raise UsageError(f"{len(rules)} moments are too many: {MOST_WAITING} at most, for so many may wait at once")
    if triggers and all(isinstance(each, (AtTime, OnStart, WhenQuiet)) for each in triggers):
        # Each of them says "now" once, so more are never played.
        plays = len(triggers) if plays is None else min(plays, len(triggers))
    clock = ("now", "at:", "every:")
    everything = [*texts, *map(_with_colon, skip_when), *map(_with_colon, stop_when)]
    return Moments(
        rules=rules,
        skip=skip,
        stop=stop,
        watches_people=not all(text.startswith(clock) for text in everything),
        plays=plays,
    )


def _with_colon(text: str) -> str:
    """Accept a blank where `parse_trigger` has a colon: it reads better on a command line."""
    word, blank, rest = text.strip().partition(" ")
    return f"{word}:{rest.strip()}" if blank and ":" not in word else text.strip()


def read_loudness(text: str) -> float | None:
    """Read `--loudness`.

    Raises:
        UsageError: it is no loudness that anything can have.
    """
    if text == "off":
        return None
    try:
        loudness = float(text)
    except ValueError:
        raise UsageError(f"--loudness {text}: say LUFS, {TARGET_LUFS:g} for example, or off") from None
    if not _SOFTEST <= loudness <= _LOUDEST:
        raise UsageError(f"--loudness {text}: must be between {_SOFTEST:g} and {_LOUDEST:g} LUFS")
    return loudness


def read_digits(text: str) -> Sequence[Dial]:
    """Read `--digits`.

    Raises:
        UsageError: something in it is no digit.
    """
    return parse_dialling(text) if text else ()
