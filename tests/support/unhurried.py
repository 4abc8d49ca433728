"""Runs in real time that are made again where the machine was too slow for them: no bound is loosened for load."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from typing import Final

from pexrtc_py.probe.result import ProbeResult

__all__ = ["TRIES", "unhurried"]

TRIES: Final = 3
"""Runs in all."""


async def unhurried(run: Callable[[], Awaitable[ProbeResult]]) -> ProbeResult:
    """Return the first result that the machine was fast enough for, by the probe's own account, or the last one.

    The last one is judged by the test like any other: what it then finds is told beside why it may be the machine's.
    """
    for left in reversed(range(TRIES)):
        result = await run()
        if not result.caveats:
            break
        sys.stderr.write(f"{', '.join(result.caveats)}{'; again' if left else ''}\n")
    return result
