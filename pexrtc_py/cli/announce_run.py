"""Running `pexrtc announce`: make ready, join everywhere, play, prove, tell."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ..announcer.announcer import Announcer, AnnouncerConfig
from ..announcer.dialling import Dial
from ..announcer.ears import Ears, open_ears
from ..announcer.material import announcement_of_sources
from ..announcer.play_record import HeardReport, PlayEntry, PlayRecord
from ..announcer.played import DEFAULT_PRESENT_BY, Announcement, Played
from ..announcer.podium import Podium, open_podiums
from ..announcer.proof import Kept, judge
from ..announcer.queue import QueueItem
from ..announcer.queue_access import QueueAccess
from ..announcer.readiness import Readiness
from ..announcer.side_by_side import open_all
from ..endpoint.presentation import PresentationWay
from ..errors import PexrtcError, SourceError, UsageError, WriteError
from ..media.frames import Codec, Kind, Source, Tap
from ..media.player import Player, Started
from ..media.sources.live import shown
from ..service.local_pages import parse_listen
from ..service.queue_door import QueueDoor
from ..signalling import SessionConfig
from ..tasks import TaskOwner, first_of, task_owner
from ..webrtc.peer import PeerConfig
from .announce_options import Moments
from .exits import ExitCode, exit_code_of, told
from .joining import WayIn, find_session
from .running import Stopping
from .screen import Screen

__all__ = ["Order", "announce_order"]

_SHOW_EVERY_S = 0.5
_RESULTS_KEPT = 1000
"""Results that are told at the end; an announcer that stays for months has a log for the rest (`--log`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What was asked for, read and checked; the fields are the options of the command."""

    aliases: Sequence[str]
    sources: Sequence[str]
    present: str | None
    loop: int | None
    readiness: Readiness
    moments: Moments
    say: str
    digits_before: Sequence[Dial]
    digits_after: Sequence[Dial]
    prove: bool
    log: Path | None
    queue: str | None
    name: str
    way: WayIn
    peer: PeerConfig
    present_by: PresentationWay = DEFAULT_PRESENT_BY


async def announce_order(order: Order, stopping: Stopping, screen: Screen) -> ExitCode:
    """Do what was asked for and return the exit code.

    Raises:
        PexrtcError: nothing could be played.
    """
    run = _Run(order, screen)

    async def stop() -> None:
        await stopping.wait()
        for announcer in run.announcers:
            announcer.stop()
        if run.announcers:  # they end, and with them the run; without any there is nothing to wait for
            await asyncio.Event().wait()

    _, code = await first_of(announcing=run.announce(), stop=stop())
    return code if isinstance(code, ExitCode) else ExitCode.DONE


class _Run:
    """One run of the command."""

    def __init__(self, order: Order, screen: Screen) -> None:
        self.announcers: list[Announcer] = []
        self._order = order
        self._screen = screen
        self._readiness = order.readiness
        self._main: Announcement | None = None
        self._slides: Announcement | None = None
        self._ears: list[tuple[Podium, Ears]] = []
        self._sent: dict[str, dict[Kind, Kept]] = {}  # by the item's id
        self._players: dict[str, Player] = {}
        self._where: dict[str, Sequence[str]] = {}  # by the item's id
        self._tasks: TaskOwner | None = None
        self._tells = False
        self._has_played = False
        self._results: deque[dict[str, object]] = deque(maxlen=_RESULTS_KEPT)
        self._code = ExitCode.DONE
        self._preparing = ""
        self._listen = parse_listen(order.queue, option="--queue") if order.queue is not None else None
        self._record = PlayRecord(order.log) if order.log is not None else None

    async def announce(self) -> ExitCode:
        """Do everything."""
        order, screen = self._order, self._screen
        if self._record is not None:
            await asyncio.to_thread(self._record.check)
        await self._make_ready()
        sessions = [await find_session(alias, order.way, name=order.name) for alias in order.aliases]
        async with AsyncExitStack() as stack:
            enter = stack.enter_async_context
            ears: Sequence[Ears | PexrtcError] = ()
            if order.prove:
                hearing = [partial(open_ears, _as_listener(each), peer=order.peer) for each in sessions]
                ears = await enter(open_all(hearing))
                self._tell_errors([each.alias for each in sessions], ears, " (the listener)")
            joining = partial(open_podiums, listen=order.moments.watches_people, present_by=order.present_by)
            places = await enter(joining(sessions, self._calling(), self._slides))
            self._tell_errors([each.alias for each in sessions], places, "")
            podiums = [place for place in places if isinstance(place, Podium)]
            pairs = zip(places, ears, strict=True) if ears else ()
            self._ears = [(at, ear) for at, ear in pairs if isinstance(at, Podium) and isinstance(ear, Ears)]
            for podium in podiums:
                me = podium.conference.session.token_result.display_name or order.name
                screen.note(f"joined {podium.alias} as {me}")
            if podiums:
                await self._attend(podiums, stack)
        screen.result(self._results[0] if len(self._results) == 1 else {"announcements": list(self._results)})
        return self._code

    async def _make_ready(self) -> None:
        """Prepare what the command line names."""
        order = self._order
        with self._screen.live() as live:

            def told(text: str) -> None:
                if self._screen.is_terminal:
                    live.update(self._screen.rows({"preparing": text}), refresh=True)
                elif (name := text.split(":", 1)[0]) != self._preparing:
                    self._preparing = name
                    self._screen.note(f"preparing {name}")

            self._readiness = replace(order.readiness, on_progress=told)
            make = partial(announcement_of_sources, how=self._readiness, peer=order.peer)
            if order.sources:
                self._main = await make(order.sources, loop=order.loop)
            if order.present is not None:
                self._slides = await make([order.present], loop=None, present=True)
        self._readiness = order.readiness

    def _calling(self) -> Announcement:
        """Say what to call for: what is played, and sound and picture when anything may be queued."""
        if self._main is None:
            return Announcement(opener=_nothing, codecs={Kind.AUDIO: None, Kind.VIDEO: None}, peer=self._order.peer)
        if self._order.queue is not None:
            return replace(self._main, codecs={kind: self._main.codecs.get(kind) for kind in Kind})
        return self._main

    async def _attend(self, podiums: Sequence[Podium], stack: AsyncExitStack) -> None:
        """Run one announcer for all conferences, or one for each when what people do there counts."""
        order, moments = self._order, self._order.moments
        apart = moments.watches_people or order.readiness.duck or order.queue is not None
        stations = [[podium] for podium in podiums] if apart else [list(podiums)]
        config = AnnouncerConfig(
            rules=moments.rules if self._main is not None else (),
            skip=moments.skip,
            stop=moments.stop,
            plays=moments.plays if order.queue is None else None,
            stays=bool(moments.rules) or order.queue is not None,
            digits_before=order.digits_before,
            digits_after=order.digits_after,
            chat=order.say,
            slides=self._slides,
        )
        named: list[tuple[str, Announcer]] = []
        for station in stations:
            announcer = Announcer(
                station,
                config,
                partial(self._material, podiums=station),
                on_player=self._note_player,
                on_played=self._note_played,
                on_begin=self._begin,
            )
            if self._main is not None and not moments.rules:
                announcer.add("", why="command line")
            named.append((", ".join(podium.alias for podium in station), announcer))
        self.announcers = [announcer for _, announcer in named]
        if self._listen is not None:
            door = await stack.enter_async_context(self._door(*self._listen, named))
            self._screen.note(f"the queue is fed at {door.url}/announcements")
        self._tells = config.stays  # who waits for the end of months reads nothing
        async with task_owner() as self._tasks:
            for podium, ears in self._ears:
                self._tasks.start(ears.follow(podium), name="pexrtc ears follow")
            await first_of(playing=self._run_all(), show=self._show())

    async def _run_all(self) -> None:
        outcomes = await asyncio.gather(*(announcer.run() for announcer in self.announcers), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, SourceError) and not self._has_played:
                raise UsageError(str(outcome)) from outcome
            if isinstance(outcome, BaseException):
                if len(outcomes) == 1 or not isinstance(outcome, PexrtcError):
                    raise outcome
                self._screen.error(str(outcome))
                self._code = self._code or exit_code_of(outcome)

    def _door(self, host: str, port: int, named: Sequence[tuple[str, Announcer]]) -> QueueDoor:
        token = os.environ.get("PEXRTC_QUEUE_TOKEN", "")
        made_up = "" if token else secrets.token_urlsafe(24)
        if made_up:
            self._screen.note(f"the queue's token: {made_up}")
        return QueueDoor(QueueAccess(named), token=token or made_up, host=host, port=port)

    async def _material(self, item: QueueItem, podiums: Sequence[Podium]) -> Announcement:
        # Transferred, an announcement begins again: not before somebody listens there.
        await asyncio.gather(*(ears.there(podium) for podium, ears in self._ears if podium in podiums))
        if item.source or self._main is None:
            return await announcement_of_sources([item.source], how=self._readiness, peer=self._order.peer)
        return self._main

    def _begin(self, item: QueueItem, aliases: Sequence[str]) -> Mapping[Kind, Tap]:
        self._where[item.id] = aliases
        if not self._order.prove:
            return {}
        for ears in self._ears_in(aliases):
            ears.clear()
        self._sent[item.id] = {Kind.AUDIO: Kept(), Kind.VIDEO: Kept()}
        return self._sent[item.id]

    def _note_player(self, item: QueueItem, player: Player) -> None:
        self._players[item.id], self._has_played = player, True
        self._screen.note(f"playing {self._name(item)} ({item.why})")
        if self._tells and self._tasks is not None:
            self._tasks.start(self._tell_begin(item, player), name="pexrtc announcement begins")

    async def _tell_begin(self, item: QueueItem, player: Player) -> None:
        """Tell programs when the source itself begins: what is sent before it is silence."""
        async for event in player.events():
            if isinstance(event, Started):
                self._tell("begins", item, conferences=self._where.get(item.id, ()), source=self._name(item))
                return

    def _tell(self, event: str, item: QueueItem, **facts: object) -> None:
        """Tell programs at once what happens, of an announcer that stays; the results all together come at the end."""
        if self._tells:
            at = datetime.now().astimezone()
            self._screen.line({"event": event, "at": at, "id": item.id, "why": item.why, **facts})

    async def _note_played(self, item: QueueItem, played: list[Played]) -> None:
        """Tell, prove and record what became of an announcement."""
        ended = time.monotonic()
        sent = self._sent.pop(item.id, None)
        self._players.pop(item.id, None)
        self._where.pop(item.id, None)
        for one in played:
            self._tell("ended", item, **_as_result(one, self._name(item), item.why, None))
        if sent is not None:
            await asyncio.gather(*(ears.hear_out() for ears in self._ears_in([one.alias for one in played])))
        for number, one in enumerate(played, start=1):
            proof = None
            # What was moved in the middle is judged by what came of it where it was moved to.
            moved = any(other.alias == one.moved_to for other in played[number:])
            if sent is not None and one.started is not None and not moved:
                proof = await self._prove(one, sent)
            if proof is not None:
                self._tell("heard" if proof.heard else "not heard", item, alias=one.alias, proof=proof)
            self._screen.note(_summary(one, proof, several=len(self._order.aliases) > 1))
            self._results.append(_as_result(one, self._name(item), item.why, proof))
            if one.error is not None:
                self._code = self._code or exit_code_of(one.error)
            if self._order.prove and not moved and (proof is None or not proof.heard):
                self._code = self._code or ExitCode.THRESHOLD_MISSED
            if self._record is not None:
                began = datetime.now().astimezone() - timedelta(seconds=time.monotonic() - (one.started or ended))
                entry = PlayEntry(
                    at=began,
                    conference=one.alias,
                    source=self._name(item),
                    why=item.why,
                    duration_s=one.duration_s,
                    ended=one.ended,
                    proof=proof,
                )
                try:
                    await asyncio.to_thread(self._record.write, entry)
                except WriteError as exc:  # what was played was played, and is told here all the same
                    self._screen.error(str(exc))
                    self._code = self._code or exit_code_of(exc)

    def _ears_in(self, aliases: Sequence[str]) -> Sequence[Ears]:
        """Return who listens in these conferences: others may be in the middle of an announcement."""
        return [ears for _, ears in self._ears if ears.alias in aliases]

    async def _prove(self, played: Played, sent: dict[Kind, Kept]) -> HeardReport | None:
        """Return what was heard; None when nobody listened to the end, who could say."""
        for ears in self._ears_in([played.alias]):
            if (why := ears.lost) is not None:
                self._screen.error(f"{played.alias} (the listener): {told(why)}; nothing is proved there any more")
                self._code = self._code or exit_code_of(why)
                return None
        found = (ears.heard_in(played.alias) for _, ears in self._ears)
        listener = next((listener for listener in found if listener is not None), None)
        if listener is None or played.started is None:
            return HeardReport(heard=False)
        return await judge(sent, listener, played.started)

    def _name(self, item: QueueItem) -> str:
        return shown(item.source) if item.source else ", ".join(shown(source) for source in self._order.sources)

    def _tell_errors(self, aliases: Sequence[str], places: Sequence[object], what: str) -> None:
        """Tell who could not be joined; alone it is the end of the command."""
        for alias, place in zip(aliases, places, strict=True):
            if not isinstance(place, PexrtcError):
                continue
            if len(aliases) == 1:
                raise place
            self._screen.error(f"{alias}{what}: {told(place)}")
            self._code = self._code or exit_code_of(place)
            self._results.append({"alias": alias, "error": str(place)})

    async def _show(self) -> None:
        with self._screen.live() as live:
            while True:
                if self._screen.is_terminal:
                    rows = {
                        self._name(announcer.playing): f"{player.position_s:6.1f} s"
                        for announcer in self.announcers
                        if announcer.playing is not None
                        and (player := self._players.get(announcer.playing.id)) is not None
                    }
                    live.update(self._screen.rows(rows or {"waiting": "for the next moment"}), refresh=True)
                await asyncio.sleep(_SHOW_EVERY_S)


def _as_listener(session: SessionConfig) -> SessionConfig:
    return replace(session, display_name=f"{session.display_name} (listening)")


def _nothing(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
    raise AssertionError("what is only called for is never opened")


def _summary(played: Played, proof: HeardReport | None, *, several: bool) -> str:
    sent = ", ".join(
        f"{kind} {codec} {played.packets.get(kind, 0)} packets, {played.lost.get(kind, 0)} lost"
        for kind, codec in played.codecs.items()
    )
    where = f"{played.alias}: " if several else ""
    line = f"{where}played {played.duration_s:.1f} s ({played.ended}): {sent or 'nothing'}"
    if proof is None:
        return line
    if not proof.heard:
        return f"{line}; not heard"
    words = [
        f"after {proof.delay_s * 1000:.0f} ms" if proof.delay_s is not None else "",
        f"{proof.level_db:+.1f} dB" if proof.level_db is not None else "",
        f"{proof.missing_s:.1f} s missing" if proof.missing_s else "",
        "picture seen" if proof.picture else "picture not seen" if proof.picture is False else "",
    ]
    return f"{line}; heard {', '.join(word for word in words if word)}"


def _as_result(played: Played, source: str, why: str, proof: HeardReport | None) -> dict[str, object]:
    result: dict[str, object] = {
        "alias": played.alias,
        "source": source,
        "why": why,
        "duration_s": played.duration_s,
        "ended": played.ended,
        "acknowledged": played.acknowledged,
        "streams": [
            {
                "kind": str(kind),
                "codec": str(codec),
                "packets": played.packets.get(kind, 0),
                "lost": played.lost.get(kind, 0),
            }
            for kind, codec in played.codecs.items()
        ],
        "join": played.join_ms,
    }
    if proof is not None:
        result["proof"] = proof
    return result
