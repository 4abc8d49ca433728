"""Where a node sends a participant, one transfer after the other (guide: event `refer`), and where to come back to.

The rules kept here: a one-time token is used once, so that coming back takes the PIN one was given; who is sent on
more than twenty times is sent round in circles.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from ..errors import TransportError
from .session_config import SessionConfig

__all__ = ["Transfers"]

_MOST: Final = 20


class Transfers:
    """Follows transfers for whoever opens the sessions; does no more than to say where the next one is opened.

    Args:
        config: where it begins; its PIN is used again wherever one has to join without a one-time token.
    """

    def __init__(self, config: SessionConfig) -> None:
        self._pin = config.pin
        self._count = 0
        self.here = config
        """What the next session is opened with."""

    def follow(self, transfer: SessionConfig) -> None:
        """Go where a closed session was transferred to, see `Session.transfer`.

        Raises:
            TransportError: there were too many.
        """
        self._count += 1
        if self._count > _MOST:
            raise TransportError(f"more than {_MOST} transfers in a row")
        self.here = transfer

    def settle(self) -> None:
        """Learn that one has stayed a while: the next transfer is the first of another row."""
        self._count = 0

    def come_back(self) -> None:
        """Join the same conference anew with the next session: a token of a transfer is used up."""
        self.here = replace(self.here, one_time_token=None, pin=self._pin)
