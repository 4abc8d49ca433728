"""A Pexip Infinity endpoint in Python: a participant without a browser, and a node to try it on.

    async with pexrtc_py.connect("https://node.example.com", "meet.alice") as conference:
        await conference.say("Hello")

What this module exports is public; all else may change. It is loaded when the first of it is asked for: a command is
ready for Ctrl-C before the codecs are loaded, and a child process does not load what it has no use for.
"""

from __future__ import annotations

import importlib
from importlib.machinery import PathFinder

from . import errors as errors
from .version import __version__ as __version__

TYPE_CHECKING = False  # `typing` alone takes longer to load than all of this

if TYPE_CHECKING:
    from .exports import *  # noqa: F403 - the names and their types, for whoever reads without running
    from .exports import __all__ as __all__
else:

    def __getattr__(name: str) -> object:
        """Load what is public (PEP 562). Parts of the package are left to the import system, which asks here first."""
        folders = __spec__.submodule_search_locations
        if name == "__all__" or not (name.startswith("_") or PathFinder.find_spec(f"{__name__}.{name}", folders)):
            public = importlib.import_module(".exports", __name__)
            names = {exported: getattr(public, exported) for exported in public.__all__}
            globals().update(names, __all__=public.__all__)
            if name in globals():
                return globals()[name]
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Name what is public, loaded or not."""
        return sorted({*globals(), *importlib.import_module(".exports", __name__).__all__})
