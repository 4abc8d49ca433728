"""What a recording takes its frames from, and the tap it puts there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ..media.frames import EncodedFrame, Gap, Tap
from .roles import Role

__all__ = ["RoleTap", "TapSource"]


class TapSource(Protocol):
    """What a recording needs of a receiver."""

    def add_tap(self, tap: Tap) -> None:
        """Give every frame to `tap` as well."""

    def remove_tap(self, tap: Tap) -> None:
        """Give it no more."""

    def request_key_frame(self) -> None:
        """Ask the sender for one."""


class RoleTap:
    """Tells the recording what a stream is."""

    def __init__(self, role: Role, take: Callable[[Role, EncodedFrame | Gap], None]) -> None:
        """Hand every frame to `take`, with the role."""
        self._role = role
        self._take = take

    def push(self, item: EncodedFrame | Gap) -> None:
        """Take the next frame of this role."""
        self._take(self._role, item)

    def end(self) -> None:
        """A stream ended; the recording goes on, another may come."""
