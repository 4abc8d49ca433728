"""A node with a beacon in its conferences, as a process of their own: `python -m tests.support.beacon_process ALIAS`.

What a recording shows of time is measured against the beacon, so nobody who is tested may hold up what it sends, nor
the node. Says on stdout where the node is, then answers each line of stdin: the name of one whose calls are to end.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import msgspec

from pexrtc_py import Node, NodeConfig
from pexrtc_py.node.fault_injection import Restart, Whom
from tests.recorder.beacon import beacon
from tests.support.waiting import until

__all__ = ["BeaconProcess", "beacon_process"]

_START_S = 60.0
_LEAVE_S = 20.0


class _Doors(msgspec.Struct):
    url: str
    faults: str
    token: str


class BeaconProcess:
    """A node and its beacon that run elsewhere."""

    def __init__(self, doors: _Doors, process: asyncio.subprocess.Process, client: httpx.AsyncClient) -> None:
        self.url = doors.url
        self._doors = doors
        self._process = process
        self._client = client

    async def ask(self, fault: str, how: Whom | Restart) -> object:
        """Ask for a fault, `cut_events` for example; return the answer: how many it has struck, or True."""
        answer = await self._client.post(
            f"{self._doors.faults}/{fault}", content=msgspec.json.encode(how), headers={"token": self._doors.token}
        )
        assert answer.is_success, answer.text
        result: object = answer.json()["result"]
        return result

    async def end_call(self, name: str) -> None:
        """End the call of a participant, who stays, and wait until it has another."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{name}\n".encode())
        async with asyncio.timeout(_LEAVE_S):
            assert (await self._process.stdout.readline()).decode().strip() == name


@asynccontextmanager
async def beacon_process(*aliases: str) -> AsyncIterator[BeaconProcess]:
    """Run a node, with faults on request, and a beacon in these conferences, until the block is left."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", __name__, *aliases, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_START_S):
            doors = msgspec.json.decode(await process.stdout.readline(), type=_Doors)
        async with httpx.AsyncClient(trust_env=False) as client:
            yield BeaconProcess(doors, process, client)
    finally:
        process.kill()
        await process.communicate()


async def _serve(aliases: list[str]) -> None:
    async with Node(NodeConfig(faults=True)) as node, beacon(node.url, *aliases):
        assert node.faults is not None
        _say(msgspec.json.encode(_Doors(url=node.url, faults=node.faults.url, token=node.faults.token)))
        while line := await asyncio.to_thread(sys.stdin.readline):
            await _end_calls(node, line.strip())
            _say(line.strip().encode())


async def _end_calls(node: Node, name: str) -> None:
    for conference in node.state.conferences.values():
        for uuid in [uuid for uuid, one in conference.room.participants.items() if one.display_name == name]:
            before = set(conference.room.calls(uuid))
            for call in before:
                conference.end_call(uuid, call)
            await until(lambda room=conference.room, uuid=uuid, before=before: set(room.calls(uuid)) - before)  # type: ignore[misc]  # cannot be inferred


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1:]))
