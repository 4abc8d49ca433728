"""One source played into any number of conferences: read once, encoded once, sent as often as there are conferences.

One `Player` serves all conferences that agreed on the same codecs, their senders being its taps; usually that is all of
them. A conference that goes away in the middle is taken out, the others go on.

Who is transferred in the middle: what is live, and what is played to several at once, goes on in the other conference
from where it is then, in step with the rest. What is played to one alone ends here, and its `Played` says so: nobody
there has heard the beginning, so an `Announcer` begins it again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ..errors import CodecMismatch, PexrtcError
from ..media.frames import Codec, Kind, Source, Tap
from ..media.holding import Hold
from ..media.player import Player, PlayerConfig, PlayerEnd
from ..tasks import task_owner
from ..webrtc.sender import Sender
from .ducking import Ducked
from .outlet import Outlet
from .played import Announcement, Played
from .podium import Place, Podium
from .sound_wishes import SoundWishes

__all__ = ["broadcast", "send_silence"]

_TAIL_S = 0.6
"""What is sent after the end at least: a jitter buffer and a mixer let the last word out only while more comes, and
what they still hold of a participant who leaves is lost. Ours hold 500 ms at most (`media.mixer_queue`)."""


@dataclass(slots=True)
class _Part:
    """What is played of an announcement in one conference."""

    place: Place
    result: Played
    before: dict[Kind, tuple[int, int]]
    from_s: float = 0.0  # the player's position and the clock when it began here
    joined: float | None = None

    def end(self, why: str, player: Player) -> None:
        """Note how it ended, once, and how much was played here."""
        self.result.ended = why
        self.result.duration_s = round(max(0.0, player.position_s - self.from_s), 3)
        began = [at for at in (player.started_at, self.joined) if at is not None]
        self.result.started = max(began) if player.started_at is not None else None

    def count(self) -> None:
        """Note what was sent."""
        for kind, sender in self.place.main.senders.items():
            packets, lost = self.before[kind]
            self.result.packets[kind] = sender.counts.packets - packets
            self.result.lost[kind] = _lost(sender) - lost
        self.result.join_ms = self.place.main.call.phases.as_ms()


@dataclass(slots=True)
class _Group:
    """Outlets that agreed on the same codecs, and the player that serves them."""

    codecs: dict[Kind, Codec]
    outlets: list[Outlet]
    player: Player
    source: Source
    bitrates: _LeastBitrate
    wishes: SoundWishes
    replay: bool
    parts: list[_Part] = field(default_factory=list)
    taps: dict[str, list[tuple[Kind, Tap]]] = field(default_factory=dict)  # by the call's UUID

    def enter(self, outlet: Outlet, podium: Podium | None) -> None:
        """Play into it too."""
        uuid = outlet.call.uuid
        self.taps[uuid] = _taps(outlet, podium, self.source, self.player, replay=self.replay)
        if (video := outlet.senders.get(Kind.VIDEO)) is not None:
            video.on_bitrate = self.bitrates.of(uuid)
            if self.source.encodes and (bitrate := self.bitrates.source_bps):
                # Without a limit of its own the sender would take no notice of estimates and losses.
                video.rate.limit_to_source(bitrate)
        self.wishes.enter(outlet)
        for kind, tap in self.taps[uuid]:
            self.player.add_tap(kind, tap)

    def leave(self, outlet: Outlet) -> None:
        """Play into it no more."""
        self.bitrates.forget(outlet.call.uuid)
        self.wishes.leave(outlet)
        for kind, tap in self.taps.pop(outlet.call.uuid, ()):
            self.player.remove_tap(kind, tap)


async def broadcast(
    podiums: Sequence[Podium],
    announcement: Announcement,
    slides: Announcement | None = None,
    *,
    on_player: Callable[[Player], None] | None = None,
    sent: Mapping[Kind, Tap] | None = None,
) -> list[Played]:
    """Play an announcement into conferences, all at once. Cancelling stops it; what was played was heard.

    Args:
        podiums: where.
        announcement: what.
        slides: what is presented meanwhile, where a podium has a call for that; it begins with the announcement and
            ends with it.
        on_player: told each player, to show its progress or to stop it.
        sent: taps of one's own that get what is sent, silence before it included.

    Returns:
        What became of it, in the order of the podiums; of one that went on elsewhere there are several.

    Raises:
        SourceError: the source cannot be opened, or broke in the middle.
    """
    places = [podium.place for podium in podiums]
    parts = [[_part(place)] if not place.is_over else [] for place in places]
    goes_on = announcement.live or len(podiums) > 1
    async with AsyncExitStack() as stack, task_owner() as tasks:
        hold = announcement.hold
        begin = [(place, podium) for place, podium, own in zip(places, podiums, parts, strict=True) if own]
        there = [(place.main, podium) for place, podium in begin]
        beside = [(place.slides, None) for place, _ in begin if place.slides is not None]
        main = await _groups(stack, there, announcement, sent, hold=hold)
        groups = list(main)
        if slides is not None:
            groups += await _groups(stack, beside, slides, None, hold=hold)
        for group in main:
            group.parts += [part for some in parts for part in some if part.place.main in group.outlets]
            if on_player is not None:
                on_player(group.player)
        show = _Show(main, groups, set(range(len(podiums))))
        for number, podium in enumerate(podiums):
            tasks.start(
                _attend(podium, places[number], parts[number], show, number, goes_on=goes_on),
                name="pexrtc announcement attending",
            )
        if hold:
            tasks.start(_release(groups), name="pexrtc announcement ready")
        for group in main:
            end = await group.player.finished()
            for part in group.parts:
                if part.result.ended == PlayerEnd.FINISHED:
                    part.end(str(end), group.player)
        show.is_over = True
        whole = [part for some in parts for part in some if part.result.ended == PlayerEnd.FINISHED]
        tasks.start(send_silence([part.place.main for part in whole]), name="pexrtc announcement tail")
        acknowledged = [tasks.start(_arrived(part.place.main), name="pexrtc announcement arrived") for part in whole]
        for part, arrived in zip(whole, acknowledged, strict=True):
            part.result.acknowledged = await arrived
    for some in parts:
        for part in some:
            part.count()
    return [part.result for some in parts for part in some]


async def send_silence(outlets: Sequence[Outlet]) -> None:
    """Send sound that says nothing, for as long as this is not cancelled: what a microphone does between words."""
    senders = [outlet.senders[Kind.AUDIO] for outlet in outlets if Kind.AUDIO in outlet.senders]
    begin = time.monotonic()
    # One clockwork per codec; all tick together.
    holds = {codec: Hold(begin, None, codec) for codec in {sender.config.codec for sender in senders}}
    while holds:
        now = time.monotonic()
        frames = {codec: list(hold.frames(now)) for codec, hold in holds.items()}
        for sender in senders:
            for frame in frames[sender.config.codec]:
                sender.push(frame)
        await asyncio.sleep(max(0.0, min(hold.next_timer() for hold in holds.values()) - time.monotonic()))
    await asyncio.Event().wait()  # a call of pictures alone has nothing to say, and whoever waits beside this goes on


async def _groups(
    stack: AsyncExitStack,
    places: Sequence[tuple[Outlet, Podium | None]],
    announcement: Announcement,
    sent: Mapping[Kind, Tap] | None,
    *,
    hold: bool,
) -> list[_Group]:
    """Open the source once for each set of codecs, and a player that holds its first frames."""
    alike: dict[tuple[tuple[Kind, Codec], ...], list[tuple[Outlet, Podium | None]]] = {}
    for outlet, podium in places:
        alike.setdefault(tuple(sorted(outlet.codecs.items())), []).append((outlet, podium))
    groups: list[_Group] = []
    for codecs, members in alike.items():
        accept: dict[Kind, Sequence[Codec]] = {kind: (codec,) for kind, codec in codecs}
        source = await asyncio.to_thread(_open, announcement, accept)
        player = Player(source, {}, config=PlayerConfig(hold=hold))
        group = _Group(
            codecs=dict(codecs),
            outlets=[outlet for outlet, _ in members],
            player=player,
            source=source,
            bitrates=_LeastBitrate(player, source),
            wishes=SoundWishes(source),
            replay=announcement.replay,
        )
        for outlet, podium in members:
            group.enter(outlet, podium)
        for kind, tap in (sent or {}).items() if not groups else ():
            player.add_tap(kind, tap)
        await stack.enter_async_context(player)
        groups.append(group)
    return groups


def _open(announcement: Announcement, accept: Mapping[Kind, Sequence[Codec]]) -> Source:
    source = announcement.opener(accept)
    if announcement.soft is None or Kind.AUDIO not in source.formats:
        return source
    try:
        return Ducked(source, announcement.soft(accept))
    except PexrtcError:
        source.close()
        raise


def _taps(
    outlet: Outlet, podium: Podium | None, source: Source, player: Player, *, replay: bool
) -> list[tuple[Kind, Tap]]:
    def make_key_frame() -> bool:
        if replay and getattr(source, "passes_pictures", False):
            return False
        player.request_key_frame()
        return True

    sound = outlet.taps(Kind.AUDIO, make_key_frame=make_key_frame)
    if isinstance(source, Ducked) and podium is not None:
        sound = source.tap(*sound, decision=podium.ducking)
    pictures = outlet.taps(Kind.VIDEO, make_key_frame=make_key_frame)
    return [(Kind.AUDIO, tap) for tap in sound] + [(Kind.VIDEO, tap) for tap in pictures]


class _LeastBitrate:
    """Encodes at what the slowest far side can take.

    Attributes:
        source_bps: what the source encodes at while nobody takes less; 0 when that is not known.
    """

    def __init__(self, player: Player, source: Source) -> None:
        pictures = source.formats.get(Kind.VIDEO)
        self.source_bps = pictures.bitrate_bps if pictures is not None else 0
        self._player = player
        self._told: dict[str, int] = {}

    def forget(self, name: str) -> None:
        if self._told.pop(name, None) is not None and (least := min(self._told.values(), default=self.source_bps)):
            self._player.set_bitrate(least)

    def of(self, name: str) -> Callable[[int], None]:
        def tell(bitrate_bps: int) -> None:
            self._told[name] = bitrate_bps
            self._player.set_bitrate(min(self._told.values()))

        return tell


async def _release(groups: Sequence[_Group]) -> None:
    """Let all begin together, as soon as every far side is ready."""
    await asyncio.gather(*(outlet.ready() for group in groups for outlet in group.outlets))
    for group in groups:
        group.player.release()


@dataclass(slots=True)
class _Show:
    """What is running: the players of the announcement and of what is shown beside it."""

    main: Sequence[_Group]
    groups: Sequence[_Group]
    attended: set[int]  # numbers of the podiums that are played into, or may be again
    is_over: bool = False

    def leave(self, place: Place) -> None:
        for group in self.groups:
            for outlet in (place.main, place.slides):
                if outlet is not None and outlet.call.uuid in group.taps:
                    group.leave(outlet)

    def give_up(self, number: int) -> None:
        """A podium does not come back; with none left there is nothing to play for."""
        self.attended.discard(number)
        for group in self.groups:
            if not group.taps and not self.attended:
                group.player.stop()

    def enter(self, podium: Podium, part: _Part) -> bool:
        """Go on in another conference, from where everybody else is; returns whether that takes what is played."""
        place = podium.place
        group = next((group for group in self.main if group.codecs == place.main.codecs), None)
        if group is None:
            return False
        part.from_s, part.joined = group.player.position_s, time.monotonic()
        group.parts.append(part)
        group.enter(place.main, podium)
        group.player.request_key_frame()
        beside = (each for each in self.groups if each not in self.main)
        if place.slides is not None:
            for other in beside:
                if other.codecs == place.slides.codecs:
                    other.enter(place.slides, None)
                    other.player.request_key_frame()
                    break
        return True


async def _attend(podium: Podium, first: Place, parts: list[_Part], show: _Show, number: int, *, goes_on: bool) -> None:
    """Play no more into a conference that is over, and go on in the one a podium is sent to, where that is wanted."""
    place: Place | None = first
    while place is not None:
        why = await place.gone()
        show.leave(place)
        for part in parts:
            if part.place is place and part.result.ended == PlayerEnd.FINISHED:
                player = next((group.player for group in show.main if part in group.parts), None)
                if player is not None:
                    part.end(str(why), player)
                part.result.error = why
                part.result.error = await place.last_word(why)
                part.result.ended = str(part.result.error)
                transfer = part.place.conference.session.transfer
                part.result.moved_to = transfer.alias if transfer is not None else None
        place = await podium.after(place) if goes_on and not show.is_over else None
        if show.is_over:
            return
        if place is not None:
            parts.append(part := _part(place))
            if not show.enter(podium, part):
                part.result.error = CodecMismatch(f"{podium.alias} takes other codecs than what is being played")
                part.result.ended = str(part.result.error)
                place = None
    show.give_up(number)


def _part(place: Place) -> _Part:
    return _Part(place, Played(alias=place.alias, codecs=place.main.codecs), _counts(place.main))


async def _arrived(outlet: Outlet) -> bool:
    arrived, _ = await asyncio.gather(outlet.acknowledged(), asyncio.sleep(_TAIL_S))
    return arrived


def _counts(outlet: Outlet) -> dict[Kind, tuple[int, int]]:
    return {kind: (sender.counts.packets, _lost(sender)) for kind, sender in outlet.senders.items()}


def _lost(sender: Sender) -> int:
    return sender.last_block.packets_lost if sender.last_block is not None else 0
