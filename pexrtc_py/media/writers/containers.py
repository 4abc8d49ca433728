"""The kinds of files a recording can be, by name and by the ending of a file's name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from ...errors import UsageError
from .container import Container
from .matroska import MATROSKA, WEBM

__all__ = ["CONTAINERS", "container_for"]

CONTAINERS: Mapping[str, Container] = {"mkv": MATROSKA, "webm": WEBM}
"""By what `--container` calls them."""


def container_for(path: Path) -> Container:
    """Return the container that a file's name asks for by its ending.

    Raises:
        UsageError: no container has this ending.
    """
    for container in CONTAINERS.values():
        if container.suffix == path.suffix.lower():
            return container
    known = ", ".join(container.suffix for container in CONTAINERS.values())
    raise UsageError(f"{path}: the ending says no container that is known ({known})")
