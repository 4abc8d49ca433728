"""How long control takes: from our request until the other participant knows.

Only run when asked for, and only on what is ours: the first end mutes itself, raises its own hand, writes to the second
end alone, sends digits to it alone, and presents. The layout of a conference belongs to everybody and is changed only
when told to. Each is undone. What does not arrive is a moment of the run, no error.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from ..endpoint.call import CallConfig
from ..errors import PexrtcError
from ..media.frames import Codec, Kind
from ..media.marks_source import Reference, ReferenceConfig
from ..media.player import Player
from ..protocol.events import Event, Layout, MessageReceived, ParticipantUpdate, PresentationStart
from ..protocol.models import Message, Participant, Present, TransformLayout, Transforms
from ..protocol.sdp import Direction
from .ends import End
from .reference import PictureListener, SentLog
from .result import Moment
from .series import SeriesBook

__all__ = ["ControlProbe"]

logger = logging.getLogger(__name__)

_PATIENCE_S: Final = 5.0
"""How long is waited for one effect."""
_SLIDE: Final = ReferenceConfig(width=640, height=360, frame_rate=10.0, first_id=3 << 22)
_DIGIT: Final = "7"
_WATCHED_S: Final = 3.0
"""How long a presentation is watched."""


class ControlProbe:
    """Measures control between two ends of one conference.

    Args:
        first: who asks; a Host.
        second: who is to know.
        book: where samples go.
        began: when the run began, `time.monotonic`.
    """

    def __init__(self, first: End, second: End, book: SeriesBook, began: float) -> None:
        self.moments: list[Moment] = []
        """What did not arrive."""
        self._first, self._second, self._book, self._began = first, second, book, began
        self._me = first.conference.participant_uuid
        self._player: Player | None = None
        self._sent = SentLog(_SLIDE.frame_rate, lambda: self._player.started_at if self._player is not None else None)

    async def measure(self, *, layout: bool = False) -> None:
        """Measure everything once, one after the other. Cancelling is safe, though something may stay undone.

        Args:
            layout: change the layout, too, and change it back: everybody in the conference sees it.
        """
        client, me = self._first.conference.client, self._me
        await self._effect(
            "roster", lambda: client.participant_buzz(me), self._changed(lambda p: p.hand_raised), "raised hand"
        )
        await self._quietly(client.participant_clearbuzz(me))
        sound = self._first.sent[Kind.AUDIO]
        sound.mute()
        await self._effect("mute", lambda: client.participant_mute(me), self._changed(lambda p: p.muted), "mute")
        await self._quietly(client.participant_unmute(me))
        sound.unmute()
        text = f"probe {time.monotonic_ns()}"
        message = Message(type="text/plain", payload=text)
        second = self._second.conference.participant_uuid
        await self._effect(
            "chat",
            lambda: client.participant_message(second, message),
            lambda event: isinstance(event, MessageReceived) and event.payload == text,
            "message",
        )
        if layout:
            shown = self._second.conference.roster.layout
            other = "1:7" if shown is not None and shown.view == "1:0" else "1:0"
            await self._effect(
                "layout",
                lambda: client.transform_layout(TransformLayout(transforms=Transforms(layout=other))),
                lambda event: isinstance(event, Layout) and event.view == other,
                "layout",
            )
            await self._quietly(client.transform_layout(TransformLayout(transforms=Transforms())))
        await self._measure_digit()
        await self._measure_presentation()

    def _changed(self, is_so: Callable[[Participant], object]) -> Callable[[Event], bool]:
        def matches(event: Event) -> bool:
            return (
                isinstance(event, ParticipantUpdate)
                and event.participant.uuid == self._me
                and bool(is_so(event.participant))
            )

        return matches

    async def _effect(
        self, name: str, ask: Callable[[], Awaitable[object]], matches: Callable[[Event], bool], words: str
    ) -> None:
        """Ask, and time until the second end is told."""
        events = self._second.conference.events()
        begin = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await ask()
                async for event in events:
                    if matches(event):
                        self._note(f"control.{name}_ms", begin)
                        return
        except TimeoutError:
            self._missed(f"{words}: the other participant was not told within {_PATIENCE_S:g} s")
        except PexrtcError as exc:
            self._missed(f"{words}: {exc}")

    async def _measure_digit(self) -> None:
        line = self._second.call.audio
        if line is None or line.receiver is None:
            return
        heard: asyncio.Future[float] = asyncio.get_running_loop().create_future()

        def on_digit(digit: str) -> None:
            if digit == _DIGIT and not heard.done():
                heard.set_result(time.monotonic())

        before, line.receiver.on_digit = line.receiver.on_digit, on_digit
        begin = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                second = self._second.conference.participant_uuid
                await self._first.conference.client.participant_dtmf(second, _DIGIT)
                await heard
            self._note("control.dtmf_ms", begin)
            self._book.add("audio.digits_missed", begin - self._began, 0)
        except TimeoutError:
            self._book.add("audio.digits_missed", begin - self._began, 1)
            self._missed("DTMF: the digit was not heard")
        except PexrtcError as exc:
            self._missed(f"DTMF: {exc}")
        finally:
            line.receiver.on_digit = before

    async def _measure_presentation(self) -> None:
        """Present from the first end, and watch at the second until its first slide is decoded."""
        events = self._second.conference.events()
        begin = time.monotonic()
        try:
            async with asyncio.timeout(2 * _PATIENCE_S + _WATCHED_S), AsyncExitStack() as stack:
                await self._present(stack)
                async for event in events:
                    if isinstance(event, PresentationStart) and event.presenter_uuid == self._me:
                        break
                told = time.monotonic()
                self._note("control.presentation_ms", begin)
                decoded, listener = await self._see_slide(stack)
                self._book.add("setup.presentation_receive_ms", told - self._began, 1000 * (decoded - told))
                self._book.add("setup.presentation_send_ms", begin - self._began, 1000 * (decoded - begin))
                # Nothing tells when enough was seen: the quality of slides is that of some seconds.
                await asyncio.sleep(_WATCHED_S)
                listener.watch.finish(time.monotonic())
        except TimeoutError:
            self._missed(f"presentation: nothing was seen within {2 * _PATIENCE_S:g} s")
        except PexrtcError as exc:
            self._missed(f"presentation: {exc}")

    async def _present(self, stack: AsyncExitStack) -> None:
        """Begin to present the reference's slides."""
        config = CallConfig(
            audio=Direction.INACTIVE,
            video=Direction.SENDONLY,
            present=Present.SEND,
            video_codecs=(Codec.VP8, Codec.H264),
            peer=self._first.config.peer,
        )
        call = await stack.enter_async_context(self._first.conference.call(config))
        await call.connected()
        line = call.video
        if line is None or line.sender is None:
            return
        source = Reference(_SLIDE).source(audio=None, video=line.sender.config.codec)
        player = Player(source, {line.sender.config.codec.kind: [self._sent, line.sender]})
        self._player = player
        line.sender.on_key_frame_request = player.request_key_frame
        await stack.enter_async_context(player)

    async def _see_slide(self, stack: AsyncExitStack) -> tuple[float, PictureListener]:
        """Return when the second end had decoded the first picture of the presentation, and who watches it."""
        config = CallConfig(
            audio=Direction.INACTIVE,
            video=Direction.RECVONLY,
            present=Present.RECEIVE,
            peer=self._second.config.peer,
        )
        call = await stack.enter_async_context(self._second.conference.call(config))
        decoded: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        line = call.video
        listener = PictureListener(
            self._book.part(f"{self._book.stream} presentation"),
            self._began,
            reference=Reference(_SLIDE),
            sent=self._sent,
            request_key_frame=line.receiver.request_key_frame if line is not None and line.receiver else None,
            on_first=decoded.set_result,
            group="presentation",
        )
        await stack.enter_async_context(listener)
        if line is not None and line.receiver is not None:
            line.receiver.add_tap(listener)
        await call.connected()
        return await decoded, listener

    def _note(self, metric: str, begin: float) -> None:
        now = time.monotonic()
        self._book.add(metric, begin - self._began, 1000 * (now - begin))

    def _missed(self, what: str) -> None:
        logger.info("! %s", what)
        self.moments.append(Moment(time=round(time.monotonic() - self._began, 3), what=what, stream=self._book.stream))

    async def _quietly(self, undo: Awaitable[object]) -> None:
        """Undo; what cannot be undone is told and no more."""
        try:
            await undo
        except PexrtcError as exc:
            self._missed(f"could not be undone: {exc}")
