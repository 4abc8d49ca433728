"""What counts as a command, and what is only talk."""

from __future__ import annotations

import pytest

from pexrtc_py.recorder.commands import Command, DigitCommands, chat_command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("!pause", Command.PAUSE),
        (" !Resume\n", Command.RESUME),
        ("!stop", Command.STOP),
        ("stop", None),
        ("!stop now", None),
        ("!", None),
        ("", None),
        ("!delete", None),
    ],
)
def test_chat(text: str, command: Command | None) -> None:
    """A message is a command when it is nothing else."""
    assert chat_command(text) is command


def test_digits() -> None:
    """A star and a digit make a command; a lone digit, or one too many, does not."""
    commands = DigitCommands()
    assert [commands.push(digit) for digit in "1*1*29*9**1"] == [
        None,
        None,
        Command.PAUSE,
        None,
        Command.RESUME,
        None,
        None,
        Command.STOP,
        None,
        None,
        Command.PAUSE,
    ]
