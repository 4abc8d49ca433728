"""A bad network as people write it: the name of a preset, values of one's own, or a preset with some changed.

It means both directions, unless it begins with one of them: `send:3g`, `receive:loss=5%`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from ..errors import UsageError
from ..webrtc.impairment import PRESETS, Impairment, TwoWayImpairment

__all__ = ["KEYS", "parse_impairment", "parse_time"]

_TIME: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,9})?)(ms|s|m|h|d)?")
_TIME_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_RATE: Final = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?)([kM]?)(?:b/s|bps|bit/s)?")
_SHARE: Final = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,9})?)(%?)")
_LONGEST_DELAY_S: Final = 10.0
_DIRECTIONS: Final = ("send", "receive")


def parse_time(text: str, *, what: str, unit: str = "s") -> float:
    """Read a time such as 500ms, 30s, 5m, 1h; a bare number is in `unit`.

    Raises:
        UsageError: it is none; the message begins with `what`.
    """
    match = _TIME.fullmatch(text)
    if match is None:
        raise UsageError(f"{what} {text}: say a time such as 500ms, 30s, 5m, 1h")
    return float(match[1]) * _TIME_UNITS[match[2] or unit]


def _delay(text: str) -> float:
    seconds = parse_time(text, what="--impair delay", unit="ms")
    if seconds > _LONGEST_DELAY_S:
        raise UsageError(f"--impair: {text} is longer than {_LONGEST_DELAY_S:g} s")
    return seconds


def _share(text: str) -> float:
    match = _SHARE.fullmatch(text)
    share = float(match[1]) * (0.01 if match[2] else 1.0) if match else 2.0
    if not 0 <= share <= 1:
        raise UsageError(f"--impair: {text} is no share; say 5% or 0.05")
    return share


def _rate(text: str) -> int:
    match = _RATE.fullmatch(text)
    rate = float(match[1]) * {"": 1, "k": 1e3, "M": 1e6}[match[2]] if match else 0.0
    if not 1000 <= rate <= 1e10:
        raise UsageError(f"--impair: {text} is no rate; say 500k or 2M, bits per second")
    return round(rate)


def _burst(text: str) -> float:
    match = _SHARE.fullmatch(text)
    if match is None or match[2] or float(match[1]) < 1:
        raise UsageError(f"--impair: burst {text} is no mean number of packets; say 3")
    return float(match[1])


KEYS: Final[Mapping[str, tuple[str, Callable[[str], float]]]] = {
    "loss": ("loss", _share),
    "burst": ("burst", _burst),
    "delay": ("delay_s", _delay),
    "jitter": ("jitter_s", _delay),
    "reorder": ("reorder", _share),
    "duplicate": ("duplicate", _share),
    "rate": ("rate_bps", _rate),
    "queue": ("queue_s", _delay),
}
"""Words of `--impair`, the fields they set, and how each is read."""


def parse_impairment(*texts: str) -> Impairment | TwoWayImpairment | None:
    """Read each `--impair`: `3g`, `loss=5%,delay=100ms`, `3g,loss=10%`; of one direction `send:3g`, `receive:loss=5%`.

    Raises:
        UsageError: it is none, or said twice of one direction; the message names the part that is wrong.
    """
    ways: dict[str, Impairment] = {}
    for text in texts:
        direction, colon, rest = text.partition(":")
        if colon and direction.strip() not in _DIRECTIONS:
            raise UsageError(f"--impair {text}: before a colon only {' or '.join(_DIRECTIONS)}")
        for way in (direction.strip(),) if colon else _DIRECTIONS:
            if way in ways:
                raise UsageError(f"--impair {text}: what is wrong with what we {way} was said before")
            ways[way] = _read(rest if colon else text)
    if not texts:
        return None
    if len(texts) == 1 and len(ways) == len(_DIRECTIONS):
        return ways["send"]
    return TwoWayImpairment(**ways)


def _read(text: str) -> Impairment:
    first, *rest = (part.strip() for part in text.split(","))
    impairment = Impairment()
    if "=" in first:
        rest = [first, *rest]
    elif first in PRESETS:
        impairment = PRESETS[first]
    else:
        raise UsageError(f"--impair {first}: only {', '.join(PRESETS)}, or values such as loss=5%,delay=100ms")
    changes: dict[str, float] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        if not equals or key not in KEYS:
            raise UsageError(f"--impair {part!r}: only {', '.join(f'{name}=' for name in KEYS)}")
        field, read = KEYS[key]
        changes[field] = read(value)
    return replace(impairment, **changes)  # type: ignore[arg-type]  # each field by its own reader
