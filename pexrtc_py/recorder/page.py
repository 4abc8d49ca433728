"""The page beside a recording: player, timeline and chat in one file that loads nothing but the media.

What strangers wrote reaches the page only as text nodes, out of JSON in which `<` is escaped; scripts and styles run by
their hashes (CSP level 3), so that nothing else can.
"""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib.resources import files

import msgspec

__all__ = ["make_page"]


def make_page(manifest: bytes) -> bytes:
    """Return the page for a recording's manifest (JSON)."""
    page, style, script = _parts()
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "media-src 'self' file: blob:; base-uri 'none'; form-action 'none'"
    )
    # No end tag and no comment can begin in it (HTML living standard, section 4.12.1.3). Filled in last: what it holds
    # is not looked at again.
    data = msgspec.json.format(manifest, indent=-1).decode().replace("<", "\\u003c")  # a third of it is indentation
    for place, content in [("policy", policy), ("style", style), ("script", script), ("data", data)]:
        before, _, after = page.partition("{{" + place + "}}")
        page = before + content + after
    return page.encode()


@cache
def _parts() -> tuple[str, str, str]:
    folder = files(__package__) / "page_files"
    page, style, script = ((folder / name).read_text("utf-8") for name in ("page.html", "page.css", "page.js"))
    return page, style, script


def _hash(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
