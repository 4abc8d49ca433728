"""`pexrtc doctor --capture`: a visit that asks what any client may ask, and writes how the node answered."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from ..endpoint.call import CallConfig
from ..endpoint.conference import Conference, open_conference
from ..errors import PexrtcError, SessionClosed, UsageError, WriteError
from ..protocol.sdp import Direction
from ..signalling import SessionConfig
from ..signalling.wire_capture import WireCapture
from ..webrtc.peer import PeerConfig
from .screen import Screen

__all__ = ["capture_node", "check_target"]

T = TypeVar("T")

_ASK_S = 10.0
"""How long each question of a capture may take."""
_LISTEN_S = 1.5
"""How long a capture listens to events after it has asked everything: what the answers set off comes within that."""


def check_target(path: Path) -> None:
    """Make sure that a capture can be written there.

    Raises:
        UsageError: it cannot.
    """
    if path.exists() or not path.absolute().parent.is_dir():
        raise UsageError(f"--capture {path}: " + ("it exists already" if path.exists() else "there is no such folder"))


async def capture_node(session: SessionConfig, peer: PeerConfig, path: Path, screen: Screen) -> None:
    """Visit the conference and write what was said; also when the node refused, that is an answer too.

    Raises:
        PexrtcError: as joining does; what the node said until then is written first.
    """
    wire = WireCapture()
    known = {session.alias: "meet.captured", session.display_name: "Doctor"}
    for text in (session.conference_extension, session.call_tag):
        if text:
            known[text] = f"given-{len(known)}"
    try:
        await _visit(replace(session, http=replace(session.http, capture=wire)), peer, screen)
    finally:
        await asyncio.to_thread(_write, path, wire.render(known))
        screen.note(f"{path}: read it before you pass it on")


async def _visit(session: SessionConfig, peer: PeerConfig, screen: Screen) -> None:
    async with open_conference(session) as conference, AsyncExitStack() as stack:
        client = conference.client
        await _ask("events", conference.session.wait_for(lambda s: s.roster.synced), screen)
        await _ask("conference_status", client.conference_status(), screen)
        await _ask("participants", client.participants(), screen)
        await _ask("theme", client.theme(), screen)
        await _ask("available_layouts", client.available_layouts(), screen)
        await _ask("refresh_token", conference.session.refresh_now(), screen)
        config = CallConfig(audio=Direction.RECVONLY, video=Direction.RECVONLY, slides=Direction.INACTIVE, peer=peer)
        call = await _ask("calls", stack.enter_async_context(conference.call(config)), screen)
        if call is not None:
            await _ask("media", call.connected(), screen)
            await _ask("update", call.set_slides(Direction.RECVONLY), screen)
        await _listen(conference)


async def _ask(what: str, asked: Awaitable[T], screen: Screen) -> T | None:
    """Ask one thing; a refusal is an answer, and only told."""
    try:
        async with asyncio.timeout(_ASK_S):
            answer = await asked
    except SessionClosed:
        raise
    except (PexrtcError, TimeoutError) as exc:
        screen.note(f"{what}: " + ("no answer in time" if isinstance(exc, TimeoutError) else str(exc)))
        return None
    screen.note(f"{what}: captured")
    return answer


async def _listen(conference: Conference) -> None:
    try:
        async with asyncio.timeout(_LISTEN_S):
            await conference.ended()
    except TimeoutError:
        return


def _write(path: Path, text: bytes) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text)
    except OSError as exc:
        raise WriteError(f"{path}: {exc.strerror or exc}") from exc
