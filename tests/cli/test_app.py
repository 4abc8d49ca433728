"""What `pexrtc --help` says of all commands together."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from pexrtc_py.cli.app import COMMANDS, make_app


@pytest.mark.parametrize("columns", ["80", "78"])
def test_no_word_of_the_list_is_cut_off(columns: str) -> None:
    """Each command is told in one whole line on an ordinary terminal."""
    outcome = CliRunner().invoke(make_app(["--help"]), ["--help"], env={"COLUMNS": columns, "TERMINAL_WIDTH": columns})
    told = outcome.stdout.partition("Commands:\n")[2].splitlines()
    assert len(told) == len([command for command in COMMANDS.values() if not command.hidden])
    assert all(line.endswith(".") and not line.endswith("...") for line in told), told


def test_the_list_loads_no_command() -> None:
    """Whoever asks what there is waits for no codec; and whoever asks for one command gets that one."""
    code = "import sys; from pexrtc_py.cli.app import make_app; make_app({}); print(*sys.modules)"
    loaded = [
        subprocess.run((sys.executable, "-c", code.format(words)), capture_output=True, check=True, text=True).stdout
        for words in (["--help"], ["--version"], ["roster", "--help"])
    ]
    commands = [{name for name in names.split() if name.startswith("pexrtc_py.cli.ro")} for names in loaded]
    assert commands == [set(), set(), {"pexrtc_py.cli.roster"}]
    assert all("aiortc" not in names and "httpx" not in names for names in loaded[:2])
    assert "pexrtc_py.cli.record" not in loaded[2]
