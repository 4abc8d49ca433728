"""How the tests of sessions join their node."""

from __future__ import annotations

from pexrtc_py.signalling import SessionConfig, open_session

from .small_node import SmallNode


def config(node: SmallNode, **changes: object) -> SessionConfig:
    values: dict[str, object] = {"node_url": node.url, "alias": "meet alice/é", "display_name": "Recorder"}
    return SessionConfig(**(values | changes))  # type: ignore[arg-type]  # a test's keywords


async def join_and_leave(values: SessionConfig) -> None:
    async with open_session(values):
        pass
