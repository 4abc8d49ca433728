"""Which event loop our processes run on; whoever embeds us brings a loop of their own."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable

__all__ = ["loop_factory"]


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Prefer uvloop: a fifth to a third less CPU for received media (`make bench record`).

    Returns:
        What makes it; None where it is not installed, or `PEXRTC_LOOP=asyncio` says so: asyncio's own.
    """
    if os.environ.get("PEXRTC_LOOP") == "asyncio":
        return None
    try:
        import uvloop  # noqa: PLC0415 - an optional extra
    except ImportError:
        return None
    factory: Callable[[], asyncio.AbstractEventLoop] = uvloop.new_event_loop
    return factory
