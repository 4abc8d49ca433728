"""Being in the conference, for as long as there is something to record: one visit after the other.

A visit is one session. Within it one call after the other is kept; when that does not help, another visit begins. The
recording goes on over all of them, on its one timeline. What is given up and when is decided in `persistence`.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace

from ..endpoint.call import Call, CallConfig
from ..endpoint.conference import Conference, open_conference
from ..endpoint.phases import JoinPhases
from ..endpoint.presentation import PresentationWay, presentation_way
from ..errors import (
    NodeError,
    NoMedia,
    PexrtcError,
    SessionClosed,
    SessionClosedError,
    SignallingError,
    Throttled,
    TokenExpired,
    TransportError,
)
from ..protocol.backoff import Backoff
from ..protocol.events import Event
from ..protocol.sdp import Direction
from ..signalling import SessionConfig, Transfers
from ..tasks import first_of, task_owner
from ..webrtc.clock import SenderMemory
from ..webrtc.peer import PeerState
from .company import Company
from .persistence import Interruption, Patience, Remedy, is_final, may_come_to_life, may_wait_on
from .record_job import RecordJob
from .recording import Recording
from .roles import Role
from .slides import SlidesReceiver
from .sounding import say_aloud
from .stopping import Ended

__all__ = ["Visits"]

logger = logging.getLogger(__name__)

_CEILING_S = 2.0
"""Longest wait between two tries: each second of it may be one that is not recorded."""
_CHECK_S = 0.25
_MAX_SILENCE_S = 60.0
"""Longest wait for media of a call before the next is tried, when none of those before had any."""
_RENEW_S = 3.0
"""Longest wait for another path of the same call: a node that takes part in it has one in a fraction of a second."""
_WORD_S = 1.0
"""How long to wait, when a call is refused, for the node to say why."""


class Visits:
    """Attends a conference for a recording. Driven by `attend`, once; everything else reads."""

    def __init__(
        self,
        job: RecordJob,
        recording: Recording,
        *,
        note: Callable[[Event], None],
        on_recording: Callable[[Recording, Conference], None] | None = None,
    ) -> None:
        """Attend for `recording`, told to `on_recording` at each visit; events go to `note`."""
        takes = recording.container.codecs
        self._job = job
        self._recording = recording
        self._company = Company(job, recording, note)
        self._on_recording = on_recording
        self._audio_codecs = tuple(codec for codec in job.audio_codecs if codec in takes)
        self._video_codecs = tuple(codec for codec in job.video_codecs if codec in takes)
        self._has_video = job.video and bool(self._video_codecs)
        self._peer = replace(job.peer, relaxed=True, memory=SenderMemory())  # who records may read late
        self._patience = Patience(job.stay.rejoin_for_s, Backoff(random.random, ceiling_s=_CEILING_S))
        self._was_in = False
        self._turned_out_at: float | None = None
        """When the place in the waiting room was lost, the first time of several in a row."""
        self._fruitless = 0
        self._announced: set[str] = set()
        self.interruptions: list[Interruption] = []
        """What was lost, in order."""
        self._phases: JoinPhases | None = None

    @property
    def join_ms(self) -> dict[str, float]:
        """Milestones of the first joining, milliseconds."""
        return {} if self._phases is None else self._phases.as_ms()

    async def attend(self) -> str:
        """Stay until the conference is over, or lost for good; return why. Cancelling leaves it.

        Raises:
            PexrtcError: nothing could ever be recorded.
        """
        self._recording.watch.note_waiting()
        transfers = Transfers(self._job.session)
        begun = time.monotonic()
        waiting = Backoff(random.random, ceiling_s=_CEILING_S)
        while True:
            transfer: SessionConfig | None = None
            came_at = time.monotonic()
            try:
                async with open_conference(transfers.here) as conference:
                    closed = await self._visit(conference)
                    transfer = conference.session.transfer
                if transfer is None and not isinstance(closed, SessionClosedError):
                    self._recording.stop(Ended.CONFERENCE_OVER)
                    return closed.reason
                if transfer is None:
                    raise closed
            except PexrtcError as exc:
                if not self._was_in:
                    await self._wait_for_life(exc, begun=begun, came_at=came_at, waiting=waiting)
                    if may_wait_on(exc):
                        transfers.come_back()
                    continue
                if not await self._may_return(exc):
                    return str(exc)
                transfers.come_back()
                continue
            if time.monotonic() - came_at >= self._job.stay.settled_s:
                transfers.settle()
            transfers.follow(transfer)
            self._begin_interruption(closed.reason, Remedy.TRANSFER)

    async def _wait_for_life(self, exc: PexrtcError, *, begun: float, came_at: float, waiting: Backoff) -> None:
        """Wait a little, if there may be another answer later."""
        now, stay = time.monotonic(), self._job.stay
        if may_wait_on(exc) and (self._turned_out_at is None or now - came_at >= stay.settled_s):
            self._turned_out_at = now
            waiting.reset()
        may_come = may_come_to_life(exc) and now - begun < stay.wait_for_s
        may_come_back = (
            self._turned_out_at is not None
            and (may_wait_on(exc) or may_come_to_life(exc))
            and now - self._turned_out_at < stay.rejoin_for_s
        )
        if not may_come and not may_come_back:
            raise exc
        delay = waiting.next_delay()
        logger.info("- %s: not yet (%s), again in %.1f s", self._job.session.alias, exc, delay)
        await asyncio.sleep(delay)

    async def _may_return(self, exc: PexrtcError) -> bool:
        """Wait until it is time to join anew; False when that shall not be, the recording is stopped then."""
        delay = None
        if not is_final(exc):
            self._begin_interruption(str(exc), Remedy.SESSION)
            if isinstance(exc, TokenExpired | SessionClosedError):
                self._patience.hasten()
            delay = self._patience.next_delay(time.monotonic())
        if delay is not None:
            logger.info("- %s: lost (%s), joining anew in %.1f s", self._job.session.alias, exc, delay)
            await asyncio.sleep(delay)
            return True
        if not self._recording.has_started:
            raise exc
        self._recording.stop(Ended.REMOVED)
        return False

    async def _visit(self, conference: Conference) -> SessionClosed:
        """Live one session until it has ended; return why.

        Raises:
            PexrtcError: it lives, and is of no use.
        """
        events = conference.events()
        async with task_owner() as tasks:
            following = tasks.start(self._company.follow(conference, events), name="pexrtc events")
            try:
                # A waiting room has a picture of its own, which nobody wants in a recording.
                await conference.session.wait_in_conference()
                _, closed = await first_of(over=conference.ended(), calls=self._keep_calls(conference))
            except SessionClosed:
                closed = await conference.ended()
            except SignallingError:
                try:
                    async with asyncio.timeout(_WORD_S):
                        closed = await conference.ended()
                except TimeoutError:
                    closed = None
                if closed is None:
                    raise
            if conference.session.closed is not None:
                await following  # what the node said last belongs to the story
        assert isinstance(closed, SessionClosed)
        return closed

    # calls

    async def _keep_calls(self, conference: Conference) -> None:
        """Keep one call after the other; never returns.

        Raises:
            PexrtcError: another session may help.
        """
        stack = AsyncExitStack()
        try:
            call = await self._call(conference, stack, attach=True)
            self._was_in = True
            self._recording.watch.note_joined()
            if self._phases is None:
                self._phases = conference.phases
            if self._on_recording is not None:
                self._on_recording(self._recording, conference)
            async with (
                task_owner() as tasks,
                SlidesReceiver(
                    self._recording,
                    conference,
                    codecs=self._video_codecs,
                    peer=self._peer,
                    main=(lambda: call) if self._slides_by_line(conference) else None,
                ) as slides,
            ):
                tasks.start(self._company.give_notice(conference), name="pexrtc recording notice")
                if self._job.announcement is not None and conference.session.config.alias not in self._announced:
                    self._announced.add(alias := conference.session.config.alias)
                    tasks.start(say_aloud(call, self._job.announcement, alias), name="pexrtc announcement")
                if self._job.slides and self._has_video:
                    slides.start()
                while True:
                    why, is_silent = await self._until_lost(conference, call)
                    self._begin_interruption(why, Remedy.CALL)
                    if self._fruitless % 2:
                        raise NoMedia(why)
                    trial = AsyncExitStack()
                    try:
                        back = self._until_heard() if is_silent else asyncio.Event().wait()
                        again = self._call_again(conference, trial, why, silent=call if is_silent else None)
                        _, new = await first_of(back=back, again=again)
                        if new is call:
                            self.interruptions[-1] = replace(self.interruptions[-1], remedy=Remedy.PATH)
                            slides.renew()
                        elif isinstance(new, Call):
                            if is_silent:  # until now the old one could have come back
                                self._attach(new)
                            call, stack, trial = new, trial, stack
                            slides.renew()
                    finally:
                        await trial.aclose()
        finally:
            await stack.aclose()
            for role in (Role.AUDIO, Role.VIDEO):
                self._recording.detach(role)

    async def _call(self, conference: Conference, stack: AsyncExitStack, *, attach: bool) -> Call:
        job = self._job
        hears = Direction.RECVONLY if job.announcement is None else Direction.SENDRECV
        config = CallConfig(
            audio=hears if job.audio and self._audio_codecs else Direction.INACTIVE,
            video=Direction.RECVONLY if self._has_video else Direction.INACTIVE,
            slides=Direction.INACTIVE if self._slides_by_line(conference) else None,
            audio_codecs=self._audio_codecs,
            video_codecs=self._video_codecs,
            peer=self._peer,
        )
        call = await stack.enter_async_context(conference.call(config))
        stack.callback(lambda: self._recording.note_overflow(call.peer.datagrams_overflowed))
        if attach:
            self._attach(call)
        await call.connected()
        return call

    def _slides_by_line(self, conference: Conference) -> bool:
        wanted = presentation_way(conference.session, self._job.slides_by)
        return self._job.slides and self._has_video and wanted is PresentationWay.LINE

    async def _call_again(
        self, conference: Conference, stack: AsyncExitStack, why: str, *, silent: Call | None
    ) -> Call:
        """Call until the node takes it, or a `silent` call has another path; return the one that there is then.

        What is behind the network is asked as long as patience lasts.
        """
        while True:
            delay = self._patience.next_delay(time.monotonic())
            if delay is None:
                raise NoMedia(why)
            await asyncio.sleep(delay)
            if silent is not None and await self._renew_path(silent):
                return silent
            try:
                return await self._call(conference, stack, attach=silent is None)
            except (TransportError, NodeError, Throttled) as exc:
                logger.info("- %s: no new call yet: %s", self._job.session.alias, exc)
                await stack.aclose()

    async def _renew_path(self, call: Call) -> bool:
        """Have the call go on over another path, where the one it has is silent and the node takes part in it."""
        if call.peer.state is not PeerState.DISCONNECTED:
            return False
        try:
            async with asyncio.timeout(_RENEW_S):
                return await call.renew_path()
        except (PexrtcError, TimeoutError) as exc:
            logger.info("- %s: no new path yet: %s", self._job.session.alias, exc)
            return False

    def _attach(self, call: Call) -> None:
        for role, line in ((Role.AUDIO, call.audio), (Role.VIDEO, call.video)):
            if line is not None and line.receiver is not None:
                self._recording.attach(role, line.receiver, codec=line.codec)
        if self._job.digit_control and call.audio is not None and call.audio.receiver is not None:
            call.audio.receiver.on_digit = self._company.handle_digit

    async def _until_lost(self, conference: Conference, call: Call) -> tuple[str, bool]:
        """Wait until the call has ended, or is silent; return why, and whether it may come back by itself."""
        name, why = await first_of(ended=call.ended(), silent=self._until_silent(conference, call))
        return str(why), name == "silent"

    async def _until_silent(self, conference: Conference, call: Call) -> str:
        since = time.monotonic()
        limit_s = self._job.stay.silence_s
        while True:
            await asyncio.sleep(_CHECK_S)
            now = time.monotonic()
            heard_at = self._main_heard_at()
            if heard_at is not None and heard_at > since:
                self._fruitless = 0
                self._end_interruption()
            else:
                limit_s = min(_MAX_SILENCE_S, self._job.stay.silence_s * 2 ** max(0, self._fruitless - 1))
            if now - max(since, heard_at or since) < limit_s or not self._job.stay.rejoin_for_s:
                continue
            has_path = call.peer.state is PeerState.CONNECTED
            if has_path and len(conference.participants) < 2:
                continue  # nobody is there who could be heard or seen
            if heard_at is None or heard_at <= since:
                self._fruitless += 1
            return "no media came any more" if has_path else "the media path fell silent"

    async def _until_heard(self) -> None:
        since = time.monotonic()
        while True:
            await asyncio.sleep(_CHECK_S)
            if (self._main_heard_at() or since) > since:
                return

    def _main_heard_at(self) -> float | None:
        return self._recording.watch.heard_at(Role.AUDIO, Role.VIDEO)

    def _begin_interruption(self, reason: str, remedy: Remedy) -> None:
        self._patience.lose(time.monotonic(), self._main_heard_at())
        self._recording.note_loss(Role.AUDIO, Role.VIDEO)
        if self.interruptions and self.interruptions[-1].back_s is None:
            self.interruptions[-1] = replace(self.interruptions[-1], remedy=remedy)
            return
        at_s = self._recording.position()
        logger.info("! %s: %s at %.1f s", self._job.session.alias, reason, at_s)
        self.interruptions.append(Interruption(at_s=at_s, reason=reason, remedy=remedy))

    def _end_interruption(self) -> None:
        if self.interruptions and self.interruptions[-1].back_s is None:
            self.interruptions[-1] = replace(self.interruptions[-1], back_s=self._recording.position())
