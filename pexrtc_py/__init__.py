"""A Pexip Infinity endpoint in Python: a participant without a browser, and a node to try it on.

What this module exports is public; all else may change.
"""

from .errors import PexrtcError

__all__ = ["PexrtcError", "__version__"]

__version__ = "0.1.0"
