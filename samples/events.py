"""Watch what happens in a conference, without any media.

python samples/events.py http://127.0.0.1:8080 meet.alice
"""

from __future__ import annotations

import asyncio
import sys

import pexrtc_py
from pexrtc_py.protocol.events import MessageReceived, ParticipantCreate, ParticipantDelete


async def main(node_url: str, alias: str) -> None:
    """Join for control alone and print who comes, goes and says something."""
    names: dict[str, str] = {}
    async with pexrtc_py.connect(node_url, alias, display_name="Observer") as conference:
        async for event in conference.events():
            match event:
                case ParticipantCreate(participant=person):
                    names[person.uuid] = person.display_name
                    print(f"{person.display_name!r} is there", flush=True)
                case ParticipantDelete(uuid=uuid):
                    print(f"{names.pop(uuid, '?')!r} has left", flush=True)
                case MessageReceived(origin=origin, payload=text):
                    print(f"{origin!r} says {text!r}", flush=True)
                case _:
                    pass


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    asyncio.run(main(*sys.argv[1:]))
