"""WebVTT of chat and speakers (https://www.w3.org/TR/webvtt1/), hostile names and texts included."""

from __future__ import annotations

from collections.abc import Iterable

from .story import ChatMessage, Stretch

__all__ = ["chat_vtt", "escape", "speakers_vtt", "timestamp"]

_SHOW_S = 6.0
"""How long a chat message stands, unless the next comes before."""


def timestamp(at_s: float) -> str:
    """Return `hh:mm:ss.mmm` (section 4.4)."""
    ms = max(0, round(at_s * 1000))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"


def escape(text: str) -> str:
    """Return `text` as one line of a cue: no tag, no arrow, no end of the cue (section 4.2.2)."""
    text = text.encode("utf-8", "replace").decode()
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def speakers_vtt(speeches: Iterable[Stretch]) -> str:
    """Return a file that shows who speaks."""
    return _file(
        (speech.start_s, speech.end_s, f"<v {escape(speech.name) or '?'}>{escape(speech.name) or '?'}</v>")
        for speech in speeches
    )


def chat_vtt(messages: Iterable[ChatMessage]) -> str:
    """Return a file that shows what is written, each message until the next, for some seconds at most."""
    messages = list(messages)
    ends = [message.at_s for message in messages[1:]] + [float("inf")]
    return _file(
        (message.at_s, min(end, message.at_s + _SHOW_S), f"<v {escape(message.name) or '?'}>{escape(message.text)}</v>")
        for message, end in zip(messages, ends, strict=False)
    )


def _file(cues: Iterable[tuple[float, float, str]]) -> str:
    lines = ["WEBVTT", ""]
    for start, end, text in cues:
        # A cue must last (section 4.1).
        lines += [f"{timestamp(start)} --> {timestamp(max(end, start + 0.001))}", text, ""]
    return "\n".join(lines)
