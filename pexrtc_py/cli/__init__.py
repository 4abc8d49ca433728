"""The front door: one command a file."""

from .entry import main

__all__ = ["main"]
