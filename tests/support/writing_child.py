"""A process that records until it is killed: `python -m tests.support.writing_child FILE CONTAINER`.

Pushes frames in real time into a file and says on stdout, before each, its time in milliseconds.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from pexrtc_py.media.writers.container import ContainerWriter
from pexrtc_py.media.writers.containers import CONTAINERS
from pexrtc_py.media.writers.tracks import TrackSpec
from tests.support.frames import h264_frames, merged, opus_frames, vp8_frames


async def main() -> None:
    """Record for ten seconds unless killed."""
    path, name = Path(sys.argv[1]), sys.argv[2]
    pictures = (h264_frames if name == "mp4" else vp8_frames)(300, width=160, height=90)
    sound = opus_frames(500)
    streams = [sound] if name == "ogg" else [sound, pictures]
    specs = [TrackSpec.of(stream[0]) for stream in streams]
    loop = asyncio.get_running_loop()
    async with ContainerWriter(CONTAINERS[name], path, specs, origin=0.0) as writer:
        began = loop.time()
        for index, frame in merged(*streams):
            await asyncio.sleep(max(0.0, began + frame.time - loop.time()))
            writer.tracks[index].push(frame)
            sys.stdout.write(f"{round(frame.time * 1000)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
