"""The front door: one command a file."""

from .app import main

__all__ = ["main"]
