"""docs/operating.md says nothing that the commands do not have."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from pexrtc_py.cli.app import app

PAGE = Path(__file__).parents[2] / "docs/operating.md"


def test_the_page_names_what_there_is() -> None:
    """Every command and every option on the page exists."""
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    text = PAGE.read_text()
    commands = set(re.findall(r"\bpexrtc ([a-z]+)\b", text))
    assert commands >= {"record", "announce", "roster", "node"}
    assert commands <= group.commands.keys()
    known = {"--help"} | {
        name for command in group.commands.values() for option in command.params for name in option.opts
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
    assert set(re.findall(r"\bPEXRTC_[A-Z_]+", text)) <= {"PEXRTC_NODE", "PEXRTC_PIN"}
