"""Digits with pauses, as people write telephone numbers: `1234,,#`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from ..errors import UsageError

__all__ = ["Dial", "parse_dialling"]

# What a comma means on every telephone and modem since Hayes.
_COMMA_S: Final = 2.0
# More than any number, menu and PIN in a row; a programme's mistake must not dial for days.
_MOST: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Digits that are sent in one go."""

    digits: str
    """0-9, *, #, A-D; may be empty at the end."""
    wait_s: float
    """Seconds to wait before them."""


def parse_dialling(text: str) -> list[Dial]:
    """Read digits and pauses; spaces, dots and hyphens between digits mean nothing.

    Raises:
        UsageError: there is something else in it, no digit, or too much.
    """
    bare = re.sub(r"[\s.-]", "", text).upper()
    if len(bare) > _MOST:
        raise UsageError(f"{len(bare)} digits and commas are too many to dial: {_MOST} at most")
    if not re.fullmatch(r"[0-9*#A-D,]+", bare) or not bare.strip(","):
        raise UsageError(f"{text!r} is nothing to dial: digits, *, #, A to D, a comma for each pause of two seconds")
    return [
        Dial(digits=digits, wait_s=len(commas) * _COMMA_S)
        for commas, digits in re.findall(r"(,*)([0-9*#A-D]*)", bare)
        if commas or digits
    ]
