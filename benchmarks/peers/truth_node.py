"""Our node in a process of its own, with one conference and its layout: says `{"url": ...}`, ends with its input.

Asked for `{"late": true}` it says how late its event loop was in each second since it was asked before, milliseconds.
Args: the alias, the layout.
"""

from __future__ import annotations

import json
import sys
import time

import uvloop

from benchmarks._children import read_commands, say
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.lateness import LoopWatch
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.protocol.room_settings import RoomSettings


async def run() -> None:
    """Serve until the input ends."""
    alias, layout = sys.argv[1:3]
    config = NodeConfig(conferences={alias: RoomSettings(layout=layout)})
    book, told = SeriesBook(), 0
    async with read_commands() as reader, Node(config) as node, LoopWatch(book, time.monotonic()):
        say(url=node.url)
        while line := await reader.readline():
            if "late" in json.loads(line):
                found = book.values("self.loop_late_ms")
                say(late=found[told:])
                told = len(found)


if __name__ == "__main__":
    uvloop.run(run())
