"""Where the clips that come with the project lie.

In a checkout they are the files of `media/`; in an installed wheel `pexrtc_py/clips/` (pyproject.toml, force-include).
`media/README.md` says what they show. Their pictures carry marks: `marks_reading.MarkReader` tells which picture it is.
"""

from __future__ import annotations

from pathlib import Path

from ..errors import UsageError

__all__ = ["clip_path", "list_clips"]

_SUFFIXES = (".mkv", ".mp4", ".png")


def _folder() -> Path:
    package = Path(__file__).parents[1]
    installed = package / "clips"
    return installed if installed.is_dir() else package.parent / "media"


def list_clips() -> list[str]:
    """Name the clips that are there, in alphabetical order."""
    folder = _folder()
    return sorted(p.name for p in folder.iterdir() if p.suffix in _SUFFIXES) if folder.is_dir() else []


def clip_path(name: str) -> Path:
    """Return where the clip `name` lies, `announcement.mkv` for example.

    Raises:
        UsageError: there is no such clip; the message names those that are.
    """
    if name not in (names := list_clips()):
        raise UsageError(f"no clip is called {name!r}; there are: {', '.join(names) or 'none'}")
    return _folder() / name
