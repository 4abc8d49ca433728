"""The version, in one place: the package, the user agent and every report tell it."""

__all__ = ["__version__"]

__version__ = "0.1.0"
