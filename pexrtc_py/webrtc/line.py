"""One media line of a call: what was asked for, what was agreed, and who receives and sends on it.

A line keeps its place, its identification, its receiver and its sender for the life of the peer, through every
renegotiation; only what it may do changes.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import replace

from ..media.frames import Codec, Kind
from ..protocol.negotiation import AnswerPolicy, LineOffer, NegotiatedLine, Payload, Sources
from ..protocol.sdp import Content, Direction
from .receiver import Receiver
from .sender import Sender

__all__ = ["Line", "draw_sources", "offered_line"]


class Line:
    """A media line.

    Attributes:
        index: place among the lines of the descriptions, from 0.
        mid: its identification; of a peer that gives none, the index.
        kind: what it carries; None for what we refuse anyway (data channels, BFCP).
        content: main or slides, when said.
        sources: what we send as.
        wanted: what we want to do on it; `Peer.create_offer` asks for it.
        codecs: what we can do, the preferred first.
        wanted_bitrate_bps: what we want to receive at most.
        receiver: whoever puts its packets together; there from the first negotiation that lets us receive.
        sender: likewise for sending.
    """

    def __init__(
        self,
        *,
        index: int,
        mid: str,
        kind: Kind | None,
        content: Content | None,
        sources: Sources,
        wanted: Direction,
        codecs: Sequence[Codec] = (),
        wanted_bitrate_bps: int | None = None,
    ) -> None:
        self.index = index
        self.mid = mid
        self.kind = kind
        self.content = content
        self.sources = sources
        self.wanted = wanted
        self.codecs = tuple(codecs)
        self.wanted_bitrate_bps = wanted_bitrate_bps
        self.receiver: Receiver | None = None
        self.sender: Sender | None = None
        self.negotiated: NegotiatedLine | None = None
        self.stopped = False

    @property
    def direction(self) -> Direction:
        """What was agreed, as we see it; inactive before the first answer."""
        return self.negotiated.direction if self.negotiated is not None else Direction.INACTIVE

    @property
    def rejected(self) -> bool:
        """Whether one side refused the line."""
        return self.stopped or (self.negotiated is not None and self.negotiated.rejected)

    @property
    def codec(self) -> Codec | None:
        """What to send, None before it is agreed."""
        payload = self.send_payload
        return Codec(payload.name) if payload is not None else None

    @property
    def send_payload(self) -> Payload | None:
        """The payload type to send, with what the peer's `a=fmtp` says about it."""
        if self.negotiated is None:
            return None
        return next((payload for payload in self.negotiated.send if payload.is_codec), None)

    @property
    def bitrate_bps(self) -> int | None:
        """What the peer wants at most (TIAS, or AS), bits per second; None when it did not say."""
        return self.negotiated.remote_bitrate_bps if self.negotiated is not None else None

    def offer(self) -> LineOffer:
        """What the next offer says about this line."""
        return LineOffer(
            kind=self.negotiated.kind if self.negotiated is not None else str(self.kind),
            mid=self.mid,
            direction=self.wanted,
            codecs=self.codecs,
            sources=self.sources,
            content=self.content,
            bitrate_bps=self.wanted_bitrate_bps,
            stopped=self.rejected,
            established=self.negotiated,
        )

    def __repr__(self) -> str:
        return f"Line({self.index}, {self.kind}, {self.content}, {self.direction}, {self.codec})"


def draw_sources(kind: Kind, cname: str) -> Sources:
    """Draw what a line sends as."""
    rtx = secrets.randbits(32) if kind is Kind.VIDEO else None
    return Sources(ssrc=secrets.randbits(32), rtx_ssrc=rtx, cname=cname, track_id=str(uuid.uuid4()))


def offered_line(agreed: NegotiatedLine, sources: Sources, policy: AnswerPolicy) -> Line:
    """Make the line that a peer's offer and our answer to it settled."""
    kind = Kind(agreed.kind) if agreed.kind in list(Kind) else None
    line = Line(
        index=agreed.index,
        mid=agreed.mid if agreed.mid is not None else str(agreed.index),
        kind=kind,
        content=agreed.content,
        sources=sources if kind is not Kind.AUDIO else replace(sources, rtx_ssrc=None),
        wanted=agreed.direction,
        codecs=[Codec(name) for name in policy.codecs.get(agreed.kind, ())],
        wanted_bitrate_bps=policy.bitrate_bps,
    )
    line.stopped = kind is None
    return line
