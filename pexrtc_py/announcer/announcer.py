"""An announcer that stays: it watches conferences, plays what its rules and its queue ask for, and is quiet between.

One announcer has one queue. Rules that watch people want one conference each; rules of the clock may play into any
number of conferences at once. Stopping and skipping are rules too.

Transferred, an announcer goes on in the other conference, and watches that: who is there already is counted and not
greeted. What was being played into one conference begins again, its chat text and its digits too, for nobody there
has heard the beginning; what is live, or played into several, goes on (see `broadcast`).
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from ..errors import PexrtcError, SessionClosedOK, UsageError
from ..media.frames import Kind, Tap
from ..media.player import Player, PlayerEnd
from ..tasks import first_of, task_owner
from .broadcast import broadcast, send_silence
from .conference_events import ConferenceEvents
from .dialling import Dial, parse_dialling
from .played import Announcement, Played
from .podium import Place, Podium
from .queue import PlayQueue, Programme, QueueItem, Rule
from .room_state import RoomEvent, Transferred, VoiceChanged
from .triggers import Trigger

__all__ = ["Announcer", "AnnouncerConfig"]

logger = logging.getLogger(__name__)

T = TypeVar("T")

Materials = Callable[[QueueItem], Awaitable[Announcement]]
"""Makes ready what an item names; raises UsageError when it cannot be played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnouncerConfig:
    """What an announcer does."""

    rules: Sequence[Rule] = ()
    """What is played when."""
    skip: Sequence[Trigger] = ()
    """When what is being played ends and the next begins."""
    stop: Sequence[Trigger] = ()
    """When everything ends."""
    plays: int | None = None
    """After how many announcements it ends; None: only when it is stopped."""
    stays: bool = True
    """Whether it waits for more when nothing is queued."""
    digits_before: Sequence[Dial] = ()
    """Dialled before each announcement."""
    digits_after: Sequence[Dial] = ()
    """Dialled after each, skipped ones included; not when everything is stopped."""
    chat: str = ""
    """Written into the chat as each begins."""
    slides: Announcement | None = None
    """Presented with each."""


class Announcer:
    """Plays into conferences what is asked for; run by `run`.

    Args:
        podiums: where; with more than one, what people do there asks for nothing.
        config: what it does.
        materials: makes ready what an item of the queue names.
        on_player: told each player.
        on_played: told what became of each announcement, while the calls are still up. An error of it ends an announcer
            that does not stay; one that stays logs it.
        on_begin: called before each announcement with the aliases it goes to; returns taps that get what is sent.
    """

    def __init__(
        self,
        podiums: Sequence[Podium],
        config: AnnouncerConfig,
        materials: Materials,
        *,
        on_player: Callable[[QueueItem, Player], None] | None = None,
        on_played: Callable[[QueueItem, list[Played]], Awaitable[None]] | None = None,
        on_begin: Callable[[QueueItem, Sequence[str]], Mapping[Kind, Tap]] | None = None,
    ) -> None:
        self.queue = PlayQueue()
        """What waits."""
        self.playing: QueueItem | None = None
        """What is being played."""
        self.is_over = False
        """Whether it has ended, and plays nothing more."""
        self._podiums = list(podiums)
        self._config = config
        self._materials = materials
        self._on_player, self._on_played, self._on_begin = on_player, on_played, on_begin
        self._programme = Programme(list(config.rules), self.queue, time.time(), lambda: secrets.token_hex(4))
        self._players: list[Player] = []
        self._news = asyncio.Event()
        self._changed = asyncio.Event()
        self._told = asyncio.Event()
        self._stopped = False
        self._interruption = asyncio.Event()  # set when what is being played, or made ready for it, shall end
        self._ready_in: list[Place] = []  # where the far side is known to receive

    def add(self, source: str, *, why: str, urgent: bool = False, chat: str = "", digits: str = "") -> str:
        """Queue a source; returns its id.

        Raises:
            UsageError: the queue is full, or nothing is played any more.
        """
        if self.is_over or self._stopped:
            raise UsageError("nothing is played here any more")
        item = QueueItem(id=secrets.token_hex(4), source=source, why=why, urgent=urgent, chat=chat, digits=digits)
        self.queue.add(item)
        self._news.set()
        return item.id

    def skip(self) -> bool:
        """End what is being played, and go on with the next; returns whether there was something."""
        self._interruption.set()
        for player in self._players:
            player.stop()
        return self.playing is not None

    def stop(self) -> None:
        """End what is being played, play nothing more, and leave. Idempotent."""
        self._stopped = True
        self.queue.clear()
        self.skip()
        self._news.set()

    async def run(self) -> str:
        """Play until it is stopped, has played enough, or no conference is left; return why. Cancelling leaves.

        Raises:
            SourceError: what was played broke in the middle, and nothing else waits or may come.
        """
        try:
            async with task_owner() as tasks:
                if len(self._podiums) == 1:
                    tasks.start(self._watch(self._podiums[0]), name="pexrtc announcer events")
                for podium in self._podiums:
                    tasks.start(self._follow(podium), name="pexrtc announcer transfers")
                tasks.start(self._keep_time(), name="pexrtc announcer clock")
                _, why = await first_of(gone=self._all_gone(), played=self._play_all())
        finally:
            self.is_over = True
            self.queue.clear()
        return str(why)

    async def _all_gone(self) -> str:
        reasons = await asyncio.gather(*(podium.gone() for podium in self._podiums))
        while self.playing is not None:  # what was played until then is told
            self._told.clear()
            await self._told.wait()
        if reasons:
            raise next((why for why in reasons if not isinstance(why, SessionClosedOK)), reasons[0])
        return "nowhere to play"

    async def _play_all(self) -> str:
        played = 0
        while not self._stopped:
            item = self.queue.next()
            if item is not None:
                await self._play(item)
                played += 1
                if played == self._config.plays:
                    return "finished"
            elif not self._config.stays:
                return "finished"
            else:
                await self._wait_quietly()
        return "stopped"

    async def _wait_quietly(self) -> None:
        """Send silence until something is asked for: a call without media is ended by many a node."""
        self._news.clear()
        if len(self.queue) or self._stopped:
            return
        await first_of(news=self._news.wait(), quiet=send_silence([podium.main for podium in self._podiums]))

    async def _play(self, item: QueueItem) -> None:
        self.playing = item
        self._interruption.clear()
        there: Sequence[Podium] = ()
        try:
            try:
                played = []
                while True:
                    there = await self._there()
                    where = [podium.place for podium in there]
                    played += (now := await self._announce(item, there))
                    if not await self._begins_again(now, where):
                        break
            except PexrtcError as exc:
                if not self._config.stays:
                    raise
                logger.warning("! %s: %s", item.source or "announcement", exc)
                played += [Played(alias=podium.alias, ended=str(exc), error=exc) for podium in there]
            await self._tell(item, played)
            if self._config.digits_after and not self._stopped:
                self._interruption.clear()
                there = [podium for podium in self._podiums if not podium.place.is_over]
                await self._unless_interrupted(there, self._dial(there, self._config.digits_after))
        finally:
            self.playing = None
            self._players.clear()
            self._told.set()

    async def _there(self) -> Sequence[Podium]:
        """Return where can be played, as soon as there is anywhere; nowhere, when all is lost."""
        while True:
            there = [podium for podium in self._podiums if not podium.place.is_over]
            coming = [podium for podium in self._podiums if podium.place.is_over and podium.lost is None]
            if there or not coming or self._interruption.is_set():
                return there
            await first_of(
                interrupted=self._interruption.wait(),
                **{f"podium {number}": podium.after(podium.place) for number, podium in enumerate(coming)},
            )

    async def _begins_again(self, played: Sequence[Played], where: Sequence[Place]) -> bool:
        """Whether what was being played alone in one conference is to be played anew in another, where we are now."""
        if len(self._podiums) > 1 or not played or self._interruption.is_set():
            return False
        podium = self._podiums[0]
        ended_well = played[-1].ended in (PlayerEnd.FINISHED, PlayerEnd.STOPPED)
        return not ended_well and bool(where) and await podium.after(where[0]) is not None

    async def _announce(self, item: QueueItem, there: Sequence[Podium]) -> list[Played]:
        """Make it ready, dial, and play it; skipping and stopping end each of these."""
        announcement = await self._unless_interrupted(there, self._materials(item))
        if announcement is not None:
            await self._unless_interrupted(there, self._dial(there, self._digits_before(item)))
        if announcement is None or self._interruption.is_set():
            return [Played(alias=podium.alias, ended=str(PlayerEnd.STOPPED)) for podium in there]
        there = [podium for podium in there if not podium.place.is_over] or await self._there()
        hold = any(podium.place not in self._ready_in for podium in there)
        announcement, self._ready_in = replace(announcement, hold=hold), [podium.place for podium in there]

        begun = asyncio.Event()
        result: list[Played] = []

        def note(player: Player) -> None:
            begun.set()
            self._players.append(player)
            if self._interruption.is_set():
                player.stop()
            if self._on_player is not None:
                self._on_player(item, player)

        sent = self._on_begin(item, [podium.alias for podium in there]) if self._on_begin is not None else None

        async def play() -> None:
            result.extend(await broadcast(there, announcement, self._config.slides, on_player=note, sent=sent))

        async def interrupted() -> None:
            """Until there is a player to be stopped: a pipe that says nothing is opened for ever."""
            await self._interruption.wait()
            if begun.is_set():
                await asyncio.Event().wait()

        async with task_owner() as tasks:
            if chat := item.chat or self._config.chat:
                # Beside it: whoever takes long to take a text keeps nobody from hearing the first word.
                saying = self._each(there, lambda podium: podium.conference.say(chat))
                tasks.start(saying, name="pexrtc announcement chat")
            await first_of(played=play(), interrupted=interrupted())
        return result or [Played(alias=podium.alias, ended=str(PlayerEnd.STOPPED)) for podium in there]

    async def _unless_interrupted(self, there: Sequence[Podium], work: Awaitable[T]) -> T | None:
        """Do something while silence is sent; None when it was skipped or stopped before it was done."""
        main = [podium.main for podium in there]
        done: list[T] = []

        async def do() -> None:
            done.append(await work)

        await first_of(done=do(), interrupted=self._interruption.wait(), quiet=send_silence(main))
        return done[0] if done else None

    async def _tell(self, item: QueueItem, played: list[Played]) -> None:
        if self._on_played is None:
            return
        try:
            await self._on_played(item, played)
        except PexrtcError as exc:
            if not self._config.stays:
                raise
            logger.warning("! %s: %s", item.source or "announcement", exc)

    def _digits_before(self, item: QueueItem) -> Sequence[Dial]:
        return parse_dialling(item.digits) if item.digits else self._config.digits_before

    async def _dial(self, podiums: Sequence[Podium], dials: Sequence[Dial]) -> None:
        for dial in dials:
            await asyncio.sleep(dial.wait_s)
            if dial.digits:
                await self._each(podiums, partial(_send_digits, digits=dial.digits))

    async def _each(self, podiums: Sequence[Podium], do: Callable[[Podium], Awaitable[None]]) -> None:
        """Do something in all conferences; where it fails, the announcement is played all the same."""
        outcomes = await asyncio.gather(*(do(podium) for podium in podiums), return_exceptions=True)
        for podium, outcome in zip(podiums, outcomes, strict=True):
            if isinstance(outcome, PexrtcError):
                logger.warning("! %s: %s", podium.alias, outcome)
            elif isinstance(outcome, BaseException):
                raise outcome

    # What happens

    async def _follow(self, podium: Podium) -> None:
        """Whoever waits sends silence into the conferences we are in now."""
        place = podium.place
        while (there := await podium.after(place)) is not None:
            place = there
            self._news.set()

    async def _watch(self, podium: Podium) -> None:
        place: Place | None = podium.place
        while place is not None:
            line = place.main.call.audio
            receiver = line.receiver if line is not None else None
            async with aclosing(ConferenceEvents(place.conference, receiver).events()) as events:
                async for event in events:
                    self._handle(podium, event)
            place = await podium.after(place)
            if place is not None:
                self._handle(podium, Transferred())

    def _handle(self, podium: Podium, event: RoomEvent) -> None:
        now = time.time()
        if self._programme.handle_event(event, now):
            self._news.set()
        if isinstance(event, VoiceChanged | Transferred):
            # Programs are not ducked under: our own voice would duck itself.
            speaking = self._programme.room.quiet_since is None
            podium.ducking.set_speaking(time.monotonic(), speaking=speaking)
        room = self._programme.room
        if _any_of([trigger.handle_event(room, event, now) for trigger in self._config.skip]):
            self.skip()
        if _any_of([trigger.handle_event(room, event, now) for trigger in self._config.stop]):
            self.stop()
        self._changed.set()

    async def _keep_time(self) -> None:
        while True:
            self._changed.clear()
            now = time.time()
            room = self._programme.room
            if self._programme.handle_timer(now):
                self._news.set()
            if _any_of([trigger.handle_timer(room, now) for trigger in self._config.skip]):
                self.skip()
            if _any_of([trigger.handle_timer(room, now) for trigger in self._config.stop]):
                self.stop()
            others = [trigger.next_timer(room) for trigger in (*self._config.skip, *self._config.stop)]
            due = [at for at in (self._programme.next_timer(), *others) if at is not None]
            try:
                # A minute at most: the wall clock may be set while we wait.
                async with asyncio.timeout(min(60.0, max(0.0, min(due) - time.time())) if due else None):
                    await self._changed.wait()
            except TimeoutError:
                pass


async def _send_digits(podium: Podium, *, digits: str) -> None:
    await podium.main.call.send_digits(digits)


def _any_of(answers: Sequence[bool]) -> bool:
    """Whether any trigger says so; a list, because all of them must have been asked."""
    return any(answers)
