"""What people in a conference may tell its recorder, by chat or by digits. Pure: texts go in, commands come out."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Command", "DigitCommands", "chat_command"]


class Command(StrEnum):
    """What a recorder can be told."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"


_DIGITS = {"*1": Command.PAUSE, "*2": Command.RESUME, "*9": Command.STOP}


def chat_command(text: str) -> Command | None:
    """Return what `!pause`, `!resume` or `!stop` asks for; None for any other message."""
    word = text.strip().lower()
    return Command(word[1:]) if word[:1] == "!" and word[1:] in set(Command) else None


class DigitCommands:
    """Reads digits as they come: `*1` pauses, `*2` resumes, `*9` stops."""

    def __init__(self) -> None:
        self._before = ""

    def push(self, digit: str) -> Command | None:
        """Take a digit; return the command it completes."""
        command = _DIGITS.get(self._before + digit)
        self._before = "" if command is not None else digit
        return command
