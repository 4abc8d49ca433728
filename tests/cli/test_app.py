"""What `pexrtc --help` says of all commands together."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from pexrtc_py.cli.app import app


@pytest.mark.parametrize("columns", ["80", "78"])
def test_no_word_of_the_list_is_cut_off(columns: str) -> None:
    """Each command is told in one whole line on an ordinary terminal."""
    outcome = CliRunner().invoke(app, ["--help"], env={"COLUMNS": columns, "TERMINAL_WIDTH": columns})
    told = outcome.stdout.partition("Commands:\n")[2].splitlines()
    assert len(told) == len([command for command in app.registered_commands if not command.hidden])
    assert all(line.endswith(".") and not line.endswith("...") for line in told), told
