"""One call through which something is announced: what it sends with, whether that is taken, and whether it arrived.

A far side needs a moment before it hears: the path, its decoder's first key frame, its own report that something came.
`ready` waits for that, `acknowledged` for the last packet. Both read RTCP reports (RFC 3550 section 6.4), which come
when the far side likes, so both have a deadline of their own: what plays late for lack of a report plays anyway.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from ..endpoint.call import AUDIO_CODECS, VIDEO_CODECS, Call, CallConfig
from ..endpoint.conference import Conference
from ..endpoint.presentation import send_presentation
from ..errors import CodecMismatch
from ..media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from ..media.player_ahead import Ahead
from ..protocol.models import Present
from ..protocol.sdp import Direction
from ..webrtc.line import Line
from ..webrtc.peer import PeerConfig
from ..webrtc.sender import Sender
from ..webrtc.sender_replay import GroupReplay

__all__ = ["Outlet", "open_outlet", "open_slides_outlet"]

logger = logging.getLogger(__name__)

_READY_S = 5.0
"""Longest wait for the first reports: RFC 3550 section 6.2 has receivers report every five seconds at most."""
_ACKNOWLEDGED_S = 2.5
"""Longest wait for the report on the last packets: one comes each second, and two after the last packet (RFC 3550
section 6.4 leaves out who is not heard any more)."""
_ACKNOWLEDGED_LOSSY_S = 4.0
"""The same where packets are lost on the way: so are reports, and sound goes on after its last word, so more come."""


class Outlet:
    """A call that sends, or its line of a presentation; made by `open_outlet` and `open_slides_outlet`.

    Attributes:
        call: the call.
        senders: what it sends with, by kind.
    """

    def __init__(self, call: Call, senders: Mapping[Kind, Sender]) -> None:
        self.call = call
        self.senders = senders
        self._first = {kind: sender.config.first_sequence for kind, sender in senders.items()}
        self._key_packets: int | None = None  # how many packets had been sent after the last key frame
        self._reported = asyncio.Event()
        for sender in senders.values():
            sender.on_report = self._reported.set

    @property
    def codecs(self) -> dict[Kind, Codec]:
        """What was agreed to be sent."""
        return {kind: sender.config.codec for kind, sender in self.senders.items()}

    def taps(self, kind: Kind, *, make_key_frame: Callable[[], bool]) -> Sequence[Tap]:
        """Return where a player pushes to; none when nothing of this kind is sent.

        Args:
            kind: of the frames.
            make_key_frame: makes a key frame for all, or returns False when pictures are sent as they came: then all
                since the last one is sent again, to this far side alone.
        """
        sender = self.senders.get(kind)
        if sender is None:
            return ()
        if kind is Kind.AUDIO:
            return (sender,)
        watched = _KeyWatch(sender, self._note_key)
        replay = GroupReplay(watched)

        def ask() -> None:
            self._key_packets = None  # what was sent so far was not taken
            if not make_key_frame():
                replay.replay()

        sender.on_key_frame_request = ask
        return (replay,)

    async def ready(self) -> bool:
        """Wait until the far side has reported on all that is sent, and has a key frame. Cancelling is safe.

        Returns:
            False when it had not within five seconds.
        """
        return await self._until(self._is_ready, _READY_S)

    async def acknowledged(self) -> bool:
        """Wait until the far side has reported on all that has been sent up to now. Cancelling is safe.

        Returns:
            False when it had not in time.
        """
        sent = {kind: sender.counts.packets for kind, sender in self.senders.items()}
        blocks = [sender.last_block for sender in self.senders.values()]
        loses = any(block is not None and block.packets_lost > 0 for block in blocks)
        return await self._until(
            lambda: all(self._covers(kind, count) for kind, count in sent.items()),
            _ACKNOWLEDGED_LOSSY_S if loses else _ACKNOWLEDGED_S,
        )

    def _note_key(self, sender: Sender) -> None:
        self._key_packets = sender.counts.packets

    def _is_ready(self) -> bool:
        # A source may have less than was agreed: what it has not is never sent.
        sending = [kind for kind, sender in self.senders.items() if sender.counts.packets]
        for kind in sending:
            wanted = self._key_packets if kind is Kind.VIDEO else 1
            if wanted is None or not self._covers(kind, wanted):
                return False
        return bool(sending)

    def _covers(self, kind: Kind, packets: int) -> bool:
        """Whether the far side has reported a packet as late as the one that made so many."""
        block = self.senders[kind].last_block
        if packets == 0:
            return True
        if block is None:
            return False
        last = self._first[kind] + packets - 1
        return (block.highest_sequence - last) & 0xFFFF < 0x8000

    async def _until(self, condition: Callable[[], bool], limit_s: float) -> bool:
        try:
            async with asyncio.timeout(limit_s):
                while not condition():
                    self._reported.clear()
                    await self._reported.wait()
        except TimeoutError:
            logger.info("- %s: no report of the far side within %.1f s", self.call.uuid, limit_s)
            return False
        return True


class _KeyWatch:
    """A tap before a sender that tells when a key frame has been sent."""

    def __init__(self, sender: Sender, on_key: Callable[[Sender], None]) -> None:
        self._sender = sender
        self._on_key = on_key

    def push(self, item: EncodedFrame | Gap) -> None:
        self._sender.push(item)
        if isinstance(item, EncodedFrame) and item.key:
            self._on_key(self._sender)

    def push_ahead(self, item: EncodedFrame, ahead: Ahead) -> bool:
        if not self._sender.push_ahead(item, ahead):
            return False
        if item.key:
            self._on_key(self._sender)
        return True

    def end(self) -> None:
        self._sender.end()


@asynccontextmanager
async def open_outlet(
    conference: Conference,
    kinds: Mapping[Kind, Codec | None],
    *,
    present: bool = False,
    listen: bool = False,
    slides: Mapping[Kind, Codec | None] | None = None,
    peer: PeerConfig | None = None,
) -> AsyncIterator[Outlet]:
    """Call, and wait until the path is there; leaving the block hangs up.

    Args:
        conference: where.
        kinds: what is to be sent, with the codec that is offered first; None: any.
        present: whether it is a presentation (guide: calls with `present: send`).
        listen: whether to hear the conference too, for its digits.
        slides: what is to be presented by a line of this call, see `open_slides_outlet`; None: it has no such line.
        peer: addresses, ports, TURN, impairment.

    Raises:
        CodecMismatch: the node takes none of our codecs.
        PexrtcError: the call failed.
    """
    config = _call_config(kinds, present=present, listen=listen, peer=peer)
    if slides is not None:
        config = replace(config, slides=Direction.INACTIVE, slides_codecs=_picture_codecs(slides))
    async with conference.call(config) as call:
        await call.connected()
        yield _outlet(call, {Kind.AUDIO: call.audio, Kind.VIDEO: call.video})


@asynccontextmanager
async def open_slides_outlet(
    conference: Conference,
    kinds: Mapping[Kind, Codec | None],
    *,
    main: Outlet | None,
    peer: PeerConfig | None = None,
) -> AsyncIterator[Outlet]:
    """Take the floor, and wait until a presentation can be sent; leaving the block gives the floor back.

    Args:
        conference: where.
        kinds: what is to be presented, with the codec that is offered first; None: any.
        main: whose call has a line for it (`open_outlet`, `slides`); None makes a call of its own.
        peer: addresses, ports, TURN, impairment, of a call of its own.

    Raises:
        Forbidden: we may not present.
        CodecMismatch: the node takes none of our codecs.
        PexrtcError: the node refused, or cannot be reached.
    """
    config = _call_config(kinds, present=True, listen=False, peer=peer)
    async with send_presentation(conference, main.call if main is not None else None, config) as call:
        await call.connected()
        yield _outlet(call, {Kind.VIDEO: call.slides})


def _outlet(call: Call, lines: Mapping[Kind, Line | None]) -> Outlet:
    senders = {
        kind: line.sender
        for kind, line in lines.items()
        if line is not None and line.sender is not None and line.codec is not None
    }
    if not senders:
        raise CodecMismatch("the node takes none of our codecs")
    return Outlet(call, senders)


def _ordered(own: Codec | None, all_of_them: Sequence[Codec]) -> tuple[Codec, ...]:
    """The preferred codec first."""
    return tuple(sorted(all_of_them, key=lambda codec: codec is not own))


def _picture_codecs(kinds: Mapping[Kind, Codec | None]) -> tuple[Codec, ...]:
    return _ordered(kinds.get(Kind.VIDEO), [codec for codec in VIDEO_CODECS if codec is not Codec.VP9])


def _call_config(
    kinds: Mapping[Kind, Codec | None], *, present: bool, listen: bool, peer: PeerConfig | None
) -> CallConfig:
    """Offer the kinds that are there, the preferred codec first."""
    sound = Direction.SENDONLY if Kind.AUDIO in kinds else Direction.INACTIVE
    if listen:
        sound = Direction.SENDRECV if Kind.AUDIO in kinds else Direction.RECVONLY
    return CallConfig(
        audio=Direction.INACTIVE if present else sound,
        video=Direction.SENDONLY if Kind.VIDEO in kinds else Direction.INACTIVE,
        present=Present.SEND if present else None,
        audio_codecs=_ordered(kinds.get(Kind.AUDIO), AUDIO_CODECS),
        video_codecs=_picture_codecs(kinds),
        peer=peer or PeerConfig(),
    )
