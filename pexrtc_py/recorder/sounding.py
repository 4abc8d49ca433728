"""A recorder that says aloud that it records: once in each conference, in the call it records from.

What it says was prepared before in a child (`media.prepare`), so nothing is encoded where recordings are written. The
node does not send us our own voice: the announcement is heard, and not recorded.
"""

from __future__ import annotations

import logging
from pathlib import Path

from ..endpoint.call import Call
from ..errors import PexrtcError
from ..media.frames import Kind
from ..media.player import Player
from ..media.sources.file import open_file

__all__ = ["say_aloud"]

logger = logging.getLogger(__name__)


async def say_aloud(call: Call, prepared: Path, alias: str) -> None:
    """Play a prepared file into a call; what goes wrong is logged. Cancelling ends it."""
    if call.audio is None or call.audio.sender is None or call.audio.codec is None:
        logger.warning("! %s: the announcement could not be made: the node takes no sound of ours", alias)
        return
    try:
        source = open_file(prepared, accept={Kind.AUDIO: (call.audio.codec,)})
        async with Player(source, {Kind.AUDIO: [call.audio.sender]}) as player:
            await player.finished()
    except PexrtcError as exc:
        logger.warning("! %s: the announcement could not be made: %s", alias, exc)
    else:
        logger.info("= %s: recording was announced", alias)
