"""Presentations: each received for as long as it is shown, by a line of the main call or by a call of its own.

What goes wrong with one does not touch the main recording; it is called again until it ends.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from ..endpoint.call import Call, CallConfig
from ..endpoint.conference import Conference
from ..endpoint.presentation import receive_presentation
from ..errors import PexrtcError, SessionClosed
from ..media.frames import Codec
from ..protocol.backoff import Backoff
from ..protocol.models import Present
from ..protocol.sdp import Direction
from ..tasks import first_of, task_owner
from ..webrtc.peer import PeerConfig
from .recording import Recording
from .roles import Role

__all__ = ["SlidesReceiver"]

logger = logging.getLogger(__name__)

_STABLE_S = 5.0
"""A call that lasted so long is no false start: what ended it may be over at once."""


class SlidesReceiver:
    """Records presentations of a conference. `async with`; `start` begins, leaving ends it."""

    def __init__(
        self,
        recording: Recording,
        conference: Conference,
        *,
        codecs: Sequence[Codec],
        peer: PeerConfig,
        main: Callable[[], Call] | None = None,
    ) -> None:
        """Record into `recording`: by a line of the `main` call of the time, or with None by calls of their own."""
        self._recording = recording
        self._main = main
        self._receiving: Call | None = None
        self._conference = conference
        self._config = CallConfig(
            audio=Direction.INACTIVE,
            video=Direction.RECVONLY,
            present=Present.RECEIVE,
            video_codecs=codecs,
            peer=peer,
        )
        self._renewed = asyncio.Event()
        self._owner = task_owner()

    async def __aenter__(self) -> Self:
        self._tasks = await self._owner.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._owner.__aexit__(kind, error, trace)

    def start(self) -> None:
        """Begin to wait for presentations."""
        self._tasks.start(self._follow(), name="pexrtc slides")

    def renew(self) -> None:
        """Ask for the presentation that runs once more, unless the main call brings it: its path is likely gone."""
        if self._main is None or self._receiving is not self._main():
            self._renewed.set()

    async def _follow(self) -> None:
        backoff = Backoff(random.random, first_s=0.5)
        session, conference = self._conference.session, self._conference
        try:
            while True:
                await session.wait_for(lambda _: conference.presentation is not None)
                began = time.monotonic()
                try:
                    if await self._receive() or time.monotonic() - began >= _STABLE_S:
                        backoff.reset()
                        continue
                    why = "the node ended the call"
                except SessionClosed:
                    raise
                except PexrtcError as exc:
                    why = str(exc)
                delay = backoff.next_delay()
                logger.warning("! the presentation cannot be received, again in %.1f s: %s", delay, why)
                await asyncio.sleep(delay)
        except SessionClosed:
            return

    async def _receive(self) -> bool:
        """Record a presentation; return whether that ended because it did, or its call is to be another."""
        conference = self._conference
        self._renewed.clear()
        main = self._main() if self._main is not None else None
        why = ""
        try:
            async with receive_presentation(conference, main, self._config) as call:
                self._receiving = call
                if call.slides is not None and call.slides.receiver is not None:
                    self._recording.attach(Role.SLIDES, call.slides.receiver, codec=call.slides.codec)
                try:
                    await call.connected()
                    why, _ = await first_of(
                        stopped=conference.session.wait_for(lambda _: conference.presentation is None),
                        ended=call.ended(),
                        renewed=self._renewed.wait(),
                    )
                finally:
                    self._recording.detach(Role.SLIDES)
                    if main is None:
                        self._recording.note_overflow(call.peer.datagrams_overflowed)
        finally:
            self._receiving = None
            self._recording.detach(Role.SLIDES)
            if why != "stopped":
                self._recording.note_loss(Role.SLIDES)
        return why != "ended"
