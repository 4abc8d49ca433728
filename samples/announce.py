"""Play a file into a conference, and leave when it has been heard to the end.

python samples/announce.py http://127.0.0.1:8080 meet.alice media/announcement.mkv
"""

from __future__ import annotations

import asyncio
import sys

import pexrtc_py


async def main(node_url: str, alias: str, source: str) -> None:
    """Join, play, leave."""
    async with pexrtc_py.connect(node_url, alias, display_name="Announcer") as conference:
        played = await pexrtc_py.announce(conference, source)
    print(f"played {played.duration_s:.1f} s")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
