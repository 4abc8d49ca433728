"""What is public is public on purpose."""

import subprocess
import sys

import pexrtc_py


def test_all_is_what_is_there() -> None:
    """Every public name of the package is exported, and every class that is there is public."""
    for name in pexrtc_py.__all__:
        assert hasattr(pexrtc_py, name)
    classes = {name for name, value in vars(pexrtc_py).items() if isinstance(value, type)}
    assert classes <= set(pexrtc_py.__all__) | {"PathFinder"}
    assert set(pexrtc_py.__all__) <= set(dir(pexrtc_py))


def python(code: str) -> list[str]:
    """Run a program, and return the lines it printed."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.splitlines()


def test_loaded_when_asked_for() -> None:
    """The package and the command's beginning load no codec, no HTTP and nothing of ours but errors and signals."""
    heavy = "{name.partition('.')[0] for name in sys.modules} & {'av', 'numpy', 'aiortc', 'httpx', 'aiohttp', 'typer'}"
    ours = "sorted(name for name in sys.modules if name.startswith('pexrtc_py'))"
    printed = python(f"import sys, pexrtc_py.cli; print({heavy}, {ours})")
    names = ["", ".cli", ".cli.early_signals", ".cli.entry", ".errors", ".version"]
    assert printed == [f"set() {[f'pexrtc_py{name}' for name in names]}"]


def test_parts_are_no_public_names() -> None:
    """A part of the package is imported without all that is public, and what is neither is no attribute."""
    printed = python(
        "import sys\n"
        "from pexrtc_py import protocol, errors\n"
        "print('pexrtc_py.exports' in sys.modules)\n"
        "import pexrtc_py\n"
        "try: pexrtc_py.nothing\n"
        "except AttributeError as exc: print(exc)\n"
        "from pexrtc_py import *\n"
        "print(connect is pexrtc_py.connect, __version__ == pexrtc_py.__version__)\n"
    )
    assert printed == ["False", "module 'pexrtc_py' has no attribute 'nothing'", "True True"]
