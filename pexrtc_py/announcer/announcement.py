"""Playing into one conference: join, call, play to the last sample, leave.

What is offered follows the source: its own codec first, so that the node may take it and nothing is encoded.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeAlias

from ..endpoint.call import AUDIO_CODECS, VIDEO_CODECS, Call, CallConfig
from ..endpoint.conference import Conference
from ..errors import CodecMismatch, SessionClosedError
from ..media.frames import Codec, Kind, Source, Tap
from ..media.player import Player, PlayerEnd
from ..protocol.models import Present
from ..protocol.sdp import Direction
from ..tasks import first_of, task_owner
from ..webrtc.peer import PeerConfig
from ..webrtc.sender import Sender

__all__ = ["Announcement", "Played", "SourceOpener", "play", "play_with_slides"]

logger = logging.getLogger(__name__)

SourceOpener: TypeAlias = Callable[[Mapping[Kind, Sequence[Codec]]], Source]
"""Opens a source for the codecs that were agreed; called in a thread, because opening may block."""

_ACKNOWLEDGED_S = 1.5
"""How long to wait for the reports that acknowledge the last packets: senders report each second (RFC 3550 section 6.2
allows that above 5 kbit/s of RTCP bandwidth), receivers likewise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What to play and how to call for it."""

    opener: SourceOpener
    """Opens the source."""
    codecs: Mapping[Kind, Codec | None]
    """The kinds the source has, with the codec it can be sent with as it is; None: any, it is encoded."""
    present: bool = False
    """Whether it is a presentation (guide: calls with `present: send`) and not main audio and video."""
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports, TURN, impairment."""


@dataclass(slots=True, kw_only=True)
class Played:
    """What became of an announcement."""

    duration_s: float = 0.0
    """Seconds of the source that were played."""
    ended: str = "finished"
    """Why it ended: `finished`, `stopped`, or the node's reason."""
    codecs: dict[Kind, Codec] = field(default_factory=dict)
    """What was sent."""
    packets: dict[Kind, int] = field(default_factory=dict)
    """How many RTP packets were sent."""
    lost: dict[Kind, int] = field(default_factory=dict)
    """How many of them the node reported as lost."""
    join_ms: dict[str, float] = field(default_factory=dict)
    """Milestones of joining, milliseconds since the start."""


async def play(
    conference: Conference,
    announcement: Announcement,
    *,
    on_player: Callable[[Player], None] | None = None,
) -> Played:
    """Play an announcement into a conference and return what was sent. Cancelling hangs up; what was played was heard.

    Args:
        conference: where.
        announcement: what.
        on_player: told the player, to show its progress or to stop it.

    Raises:
        SourceError: the source cannot be opened, or broke in the middle.
        CodecMismatch: the node takes none of the codecs that we can send.
        PexrtcError: the call failed.
    """
    result = Played()
    await conference.session.wait_in_conference()  # nobody hears what is played into a waiting room
    async with conference.call(_call_config(announcement)) as call:
        await call.connected()
        senders = _senders(call)
        if not senders:
            raise CodecMismatch("the node takes none of our codecs")
        accept: dict[Kind, Sequence[Codec]] = {kind: (sender.config.codec,) for kind, sender in senders.items()}
        source = await asyncio.to_thread(announcement.opener, accept)
        taps: dict[Kind, Sequence[Tap]] = {kind: (sender,) for kind, sender in senders.items()}
        async with Player(source, taps) as player:
            if on_player is not None:
                on_player(player)
            _let_receiver_ask(senders.get(Kind.VIDEO), player)
            result.ended = await _finish(player, call, conference)
            result.duration_s = round(player.position_s, 3)
        if result.ended == PlayerEnd.FINISHED:
            await _acknowledged(senders)
        for kind, sender in senders.items():
            result.codecs[kind] = sender.config.codec
            result.packets[kind] = sender.counts.packets
            result.lost[kind] = sender.last_block.packets_lost if sender.last_block is not None else 0
        result.join_ms = call.phases.as_ms()
    return result


async def play_with_slides(
    conference: Conference,
    announcement: Announcement,
    slides: Announcement,
    *,
    on_player: Callable[[Player], None] | None = None,
) -> Played:
    """Play an announcement while a presentation is shown; what becomes of the presentation does not end it.

    Raises:
        PexrtcError: as `play` has it, of either.
    """
    async with task_owner() as tasks:
        tasks.start(play(conference, slides), name="pexrtc slides")
        return await play(conference, announcement, on_player=on_player)


def _call_config(announcement: Announcement) -> CallConfig:
    """Offer the kinds the source has, its own codec first."""
    kinds = announcement.codecs

    def ordered(kind: Kind, all_of_them: Sequence[Codec]) -> tuple[Codec, ...]:
        own = kinds.get(kind)
        return tuple(sorted(all_of_them, key=lambda codec: codec is not own))

    def direction(kind: Kind) -> Direction:
        return Direction.SENDONLY if kind in kinds else Direction.INACTIVE

    return CallConfig(
        audio=Direction.INACTIVE if announcement.present else direction(Kind.AUDIO),
        video=direction(Kind.VIDEO),
        present=Present.SEND if announcement.present else None,
        audio_codecs=ordered(Kind.AUDIO, AUDIO_CODECS),
        video_codecs=ordered(Kind.VIDEO, [codec for codec in VIDEO_CODECS if codec is not Codec.VP9]),
        peer=announcement.peer,
    )


def _senders(call: Call) -> dict[Kind, Sender]:
    lines = {Kind.AUDIO: call.audio, Kind.VIDEO: call.video}
    return {
        kind: line.sender
        for kind, line in lines.items()
        if line is not None and line.sender is not None and line.codec is not None
    }


def _let_receiver_ask(sender: Sender | None, player: Player) -> None:
    """Pass what the node asks of the picture on to who makes it."""
    if sender is not None:
        sender.on_key_frame_request = player.request_key_frame
        sender.on_bitrate = player.set_bitrate


async def _finish(player: Player, call: Call, conference: Conference) -> str:
    """Wait for the end of the source, of the call, or of the conference; say which it was.

    Raises:
        SessionClosedError: removed from the conference, or the session was lost.
    """
    name, what = await first_of(player=player.finished(), call=call.ended(), conference=conference.ended())
    if name == "conference" and isinstance(what, SessionClosedError):
        raise what
    return str(what)


async def _acknowledged(senders: Mapping[Kind, Sender]) -> None:
    """Wait until the far side's reports cover the last packets, for a little while."""
    reported = asyncio.Event()
    for sender in senders.values():
        sender.on_report = reported.set
    with suppress(TimeoutError):
        async with asyncio.timeout(_ACKNOWLEDGED_S):
            while not all(sender.acknowledged for sender in senders.values()):
                reported.clear()
                await reported.wait()
