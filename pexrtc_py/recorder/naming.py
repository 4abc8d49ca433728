"""Names of recordings: what a template may ask for, and what the far side's words may not do to a path."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from ..errors import UsageError

__all__ = ["expand_home", "expand_template", "recording_paths", "role_path", "safe_component", "segment_path"]

_MAX_BYTES = 120
"""Of one value: a file's name may have 255 bytes, and role, number and ending come on top."""


def expand_template(template: str, values: Mapping[str, str], now: datetime) -> Path:
    """Return the path that `template` asks for: `{alias}`, `{date}` (2026-11-22), `{time}` (154500) or any of `values`.

    A value stays within one path component, whatever it holds, so the result cannot leave the template's directory. A
    `~` is somebody's home only where the template has it: an alias may begin with one.

    Raises:
        UsageError: the template is malformed, or names what there is not.
    """
    template = expand_home(template)
    known = {key: safe_component(value) for key, value in values.items()}
    known |= {"date": now.strftime("%Y-%m-%d"), "time": now.strftime("%H%M%S")}
    parts: list[str] = []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(template):
            parts.append(literal)
            if name is None:
                continue
            if spec or conversion or name not in known:
                allowed = ", ".join(f"{{{key}}}" for key in sorted(known))
                raise UsageError(f"{template}: {{{name}}} is not known; there is {allowed}")
            parts.append(known[name])
    except ValueError as exc:
        raise UsageError(f"{template}: {exc}") from exc
    path = Path("".join(parts))
    if not path.name or path.name in {".", ".."}:
        raise UsageError(f"{template}: names no file")
    return path


def expand_home(template: str) -> str:
    """Return the template with the `~` it begins with as the home it means; one in front of a value is a character.

    Raises:
        UsageError: nobody has this name.
    """
    first, _, rest = template.partition("/")
    if not first.startswith("~") or "{" in first:
        return template
    try:
        home = Path(first).expanduser()
    except RuntimeError as exc:
        raise UsageError(f"{template}: nobody here is called {first[1:]}") from exc
    return f"{str(home).replace('{', '{{').replace('}', '}}')}/{rest}"


def safe_component(text: str) -> str:
    """Return `text` as a part of a file's name: no separator, no control character, no leading dot or dash."""
    text = unicodedata.normalize("NFC", text.encode("utf-8", "replace").decode("utf-8"))
    kept = "".join("_" if char in '/\\:*?"<>|' or not char.isprintable() else char for char in text)
    kept = kept.encode()[:_MAX_BYTES].decode("utf-8", "ignore").strip(" ").lstrip(".-").rstrip(". ")
    return kept or "_"


def role_path(path: Path, role: str) -> Path:
    """Return the path of a role that has a file of its own: `talk.mkv` and `slides` give `talk.slides.mkv`."""
    return path.with_name(f"{path.stem}.{role}{path.suffix}")


def segment_path(path: Path, number: int) -> Path:
    """Return the path of a segment, numbered from 1: `talk.mkv` gives `talk.002.mkv`."""
    return path.with_name(f"{path.stem}.{number:03d}{path.suffix}")


def recording_paths(file: Path) -> tuple[Path, ...]:
    """Return what the recording may be called that a file is of, the likeliest first.

    `talk.slides.002.mkv` may be one of its own, or of `talk.slides.mkv`, or of `talk.mkv`; so may be one under way.
    """
    stem = file.stem.removesuffix(".part")
    stems = [stem]
    for ending in (r"\.\d{3,}", r"\.slides"):
        stem = re.sub(ending + "$", "", stem)
        stems.append(stem)
    return tuple(file.with_name(f"{one}{file.suffix}") for one in dict.fromkeys(stems))
