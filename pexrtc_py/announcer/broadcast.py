"""One source played into any number of conferences: read once, encoded once, sent as often as there are conferences.

One `Player` serves all conferences that agreed on the same codecs, their senders being its taps; usually that is all of
them. A conference that goes away in the middle is taken out, the others go on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from ..errors import PexrtcError
from ..media.frames import Codec, Kind, Source, Tap
from ..media.holding import Hold
from ..media.player import Player, PlayerConfig, PlayerEnd
from ..tasks import task_owner
from ..webrtc.sender import Sender
from .ducking import Ducked
from .outlet import Outlet
from .played import Announcement, Played
from .podium import Podium

__all__ = ["broadcast", "send_silence"]

_TAIL_S = 0.6
"""What is sent after the end at least: a jitter buffer and a mixer let the last word out only while more comes, and
what they still hold of a participant who leaves is lost. Ours hold 500 ms at most (`media.mixer_queue`)."""


@dataclass(slots=True)
class _Group:
    """Outlets that agreed on the same codecs, and the player that serves them."""

    outlets: list[Outlet]
    player: Player
    taps: dict[str, list[tuple[Kind, Tap]]] = field(default_factory=dict)  # by the call's UUID

    def leave(self, outlet: Outlet) -> None:
        """Play into it no more; with none left there is nothing to play for."""
        for kind, tap in self.taps.pop(outlet.call.uuid, ()):
            self.player.remove_tap(kind, tap)
        if not self.taps:
            self.player.stop()


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
        What became of it, in the order of the podiums.

    Raises:
        SourceError: the source cannot be opened, or broke in the middle.
    """
    played = {podium.main.call.uuid: Played(alias=podium.alias, codecs=podium.main.codecs) for podium in podiums}
    before = {podium.main.call.uuid: _counts(podium.main) for podium in podiums}
    beside = [podium.slides for podium in podiums if podium.slides is not None]
    async with AsyncExitStack() as stack, task_owner() as tasks:
        hold = announcement.hold
        main = await _groups(stack, [(podium.main, podium) for podium in podiums], announcement, sent, hold=hold)
        groups = list(main)
        if slides is not None:
            groups += await _groups(stack, [(outlet, None) for outlet in beside], slides, None, hold=hold)
        for group in main:
            if on_player is not None:
                on_player(group.player)
        for podium in podiums:
            tasks.start(_take_out(podium, groups, played[podium.main.call.uuid]), name="pexrtc announcement away")
        if hold:
            tasks.start(_release(groups), name="pexrtc announcement ready")
        for group in main:
            end = await group.player.finished()
            for outlet in group.outlets:
                result = played[outlet.call.uuid]
                result.started = group.player.started_at
                result.duration_s = round(group.player.position_s, 3)
                if result.ended == PlayerEnd.FINISHED:
                    result.ended = str(end)
        there = [p.main for p in podiums if played[p.main.call.uuid].ended == PlayerEnd.FINISHED]
        tasks.start(send_silence(there), name="pexrtc announcement tail")
        acknowledged = [tasks.start(_arrived(outlet), name="pexrtc announcement arrived") for outlet in there]
        for outlet, arrived in zip(there, acknowledged, strict=True):
            played[outlet.call.uuid].acknowledged = await arrived
    for podium in podiums:
        result = played[podium.main.call.uuid]
        for kind, sender in podium.main.senders.items():
            packets, lost = before[podium.main.call.uuid][kind]
            result.packets[kind] = sender.counts.packets - packets
            result.lost[kind] = _lost(sender) - lost
        result.join_ms = podium.main.call.phases.as_ms()
    return list(played.values())


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
        group = _Group([outlet for outlet, _ in members], player)
        bitrates = _LeastBitrate(player)
        for outlet, podium in members:
            group.taps[outlet.call.uuid] = _taps(outlet, podium, source, player, replay=announcement.replay)
            if (video := outlet.senders.get(Kind.VIDEO)) is not None:
                video.on_bitrate = bitrates.of(outlet.call.uuid)
        own = {(kind, tap) for kind, tap in (sent or {}).items() if not groups}
        for kind, tap in [pair for pairs in group.taps.values() for pair in pairs] + list(own):
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
    """Encodes at what the slowest far side can take."""

    def __init__(self, player: Player) -> None:
        self._player = player
        self._told: dict[str, int] = {}

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


async def _take_out(podium: Podium, groups: Sequence[_Group], result: Played) -> None:
    why = await podium.gone()
    result.ended = str(why)
    result.error = why if isinstance(why, PexrtcError) else None
    for group in groups:
        for outlet in (podium.main, podium.slides):
            if outlet is not None and outlet.call.uuid in group.taps:
                group.leave(outlet)


async def _arrived(outlet: Outlet) -> bool:
    arrived, _ = await asyncio.gather(outlet.acknowledged(), asyncio.sleep(_TAIL_S))
    return arrived


def _counts(outlet: Outlet) -> dict[Kind, tuple[int, int]]:
    return {kind: (sender.counts.packets, _lost(sender)) for kind, sender in outlet.senders.items()}


def _lost(sender: Sender) -> int:
    return sender.last_block.packets_lost if sender.last_block is not None else 0
