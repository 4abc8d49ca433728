"""Which line a packet belongs to: by MID, by announced SSRC, by payload type, in this order (RFC 8843 section 9.2).

The first packet of a source is looked at closely and its SSRC remembered; the ones that follow cost one dictionary
lookup. Payload types count only for lines that receive, so a presentation that is inactive takes no packet away from
the main video. When two lines would do, and the peer says neither MID nor SSRC, the first one without a source takes
it. RTCP about what we receive goes to the receiver of the source, and all of it to the few senders, which know their
own.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from typing import Protocol

from ..errors import RemoteProtocolError
from .rtcp import Bye, RtcpPacket, SenderReport, TransportFeedback, parse_compound
from .rtp import RtpHeader, parse_header, read_extensions

__all__ = ["Router", "RtcpReceiver", "RtpReceiver"]

logger = logging.getLogger(__name__)

# Sources that a peer may show before those are forgotten that were silent meanwhile; a call has ten.
_MAX_SOURCES = 256
_RTCP_HEAD = 8  # bytes up to the sender's SSRC, by which SRTCP is decrypted (RFC 3711 section 3.4)


class RtpReceiver(Protocol):
    """What the router asks of a receiver."""

    def handle_rtp(self, packet: bytes, header: RtpHeader, arrival: float) -> None: ...
    def handle_sender_report(
        self, ssrc: int, ntp: int, rtp: int, arrival: float, *, packets: int, octets: int
    ) -> None: ...
    def handle_bye(self, ssrc: int, arrival: float) -> None: ...


class RtcpReceiver(Protocol):
    """What the router asks of a sender."""

    def handle_rtcp(self, packet: RtcpPacket) -> None: ...


@dataclass(slots=True)
class _Route:
    receiver: RtpReceiver
    payload_types: Collection[int]
    on_first: Callable[[float], None]
    has_source: bool = False


class Router:
    """Hands the packets of one transport to the receivers and senders of its lines.

    Attributes:
        unrouted: packets that belong to no line, or are no RTP at all.
        on_forgotten: told which sources have been silent while many new ones came: nobody need keep anything of them.
    """

    def __init__(self) -> None:
        self.on_forgotten: Callable[[Collection[int]], None] = lambda _: None
        # All that were heard, of whatever kind, since so many came; and before.
        self._sources: dict[int, None] = {}
        self._sources_before: dict[int, None] = {}
        self._by_ssrc: dict[int, RtpReceiver] = {}
        self._announced: dict[int, str] = {}
        self._routes: dict[str, _Route] = {}
        self._senders: list[RtcpReceiver] = []
        self._mid_id: int | None = None
        self._feedback: Callable[[TransportFeedback, float], None] | None = None
        self.unrouted = 0

    def set_mid_extension(self, number: int | None) -> None:
        """Say under which id packets carry the MID; None: they do not."""
        self._mid_id = number

    def set_receiver(
        self,
        mid: str,
        receiver: RtpReceiver | None,
        *,
        payload_types: Collection[int] = (),
        ssrcs: Iterable[int] = (),
        on_first: Callable[[float], None] = lambda _: None,
    ) -> None:
        """Say what a line receives: in place of what was said before, None for nothing.

        Args:
            mid: the line's identification.
            receiver: who takes its packets.
            payload_types: what may come.
            ssrcs: sources the peer announced.
            on_first: told the arrival of the first packet.
        """
        old = self._routes.pop(mid, None)
        self._announced = {ssrc: other for ssrc, other in self._announced.items() if other != mid}
        if old is not None:
            self._by_ssrc = {ssrc: known for ssrc, known in self._by_ssrc.items() if known is not old.receiver}
        if receiver is not None:
            self._routes[mid] = _Route(receiver, payload_types, on_first)
            self._announced.update(dict.fromkeys(ssrcs, mid))

    def add_sender(self, sender: RtcpReceiver) -> None:
        """Give RTCP to a sender; it takes what is about its own sources."""
        self._senders.append(sender)

    def remove_sender(self, sender: RtcpReceiver) -> None:
        """Give RTCP to a sender no longer; one it does not know is ignored."""
        self._senders = [other for other in self._senders if other is not sender]

    def set_feedback(self, handler: Callable[[TransportFeedback, float], None] | None) -> None:
        """Give transport-wide feedback to whom it is of use; None spares the reading of it."""
        self._feedback = handler

    def handle_rtp(self, packet: bytes, arrival: float) -> None:
        """Hand a packet to its receiver. What is damaged or unknown is counted and dropped."""
        try:
            header = parse_header(packet)
            receiver = self._by_ssrc.get(header[4])
            if receiver is None:
                receiver = self._learn(packet, header, arrival)
                if receiver is None:
                    self.unrouted += 1
                    return
            receiver.handle_rtp(packet, header, arrival)
        except RemoteProtocolError as exc:
            self.unrouted += 1
            logger.debug("x %s", exc)

    def handle_rtcp(self, data: bytes, arrival: float) -> None:
        """Hand each packet of a compound to whom it concerns. What is damaged is dropped."""
        if len(data) >= _RTCP_HEAD:
            self._note_source(int.from_bytes(data[4:_RTCP_HEAD], "big"))
        try:
            packets = parse_compound(data, transport_feedback=self._feedback is not None)
        except RemoteProtocolError as exc:
            self.unrouted += 1
            logger.debug("x %s", exc)
            return
        for packet in packets:
            if isinstance(packet, SenderReport):
                receiver = self._receiver_of(packet.ssrc)
                if receiver is not None:
                    receiver.handle_sender_report(
                        packet.ssrc,
                        packet.ntp,
                        packet.rtp_time,
                        arrival,
                        packets=packet.packets,
                        octets=packet.octets,
                    )
            elif isinstance(packet, Bye):
                for ssrc in packet.ssrcs:
                    receiver = self._receiver_of(ssrc)
                    if receiver is not None:
                        receiver.handle_bye(ssrc, arrival)
            elif isinstance(packet, TransportFeedback):
                if self._feedback is not None:
                    self._feedback(packet, arrival)
                continue
            for sender in self._senders:
                sender.handle_rtcp(packet)

    def _note_source(self, ssrc: int) -> None:
        """Remember a source; those that speak in every generation of so many are never forgotten."""
        if ssrc in self._sources:
            return
        if len(self._sources) >= _MAX_SOURCES:
            silent = self._sources_before.keys() - self._sources.keys()
            self._sources_before, self._sources = self._sources, {}
            self._by_ssrc.clear()  # so that those who speak are noted again
            self.on_forgotten(silent)
        self._sources[ssrc] = None

    def _learn(self, packet: bytes, header: RtpHeader, arrival: float) -> RtpReceiver | None:
        self._note_source(header.ssrc)
        route = self._route_of(packet, header)
        if route is None:
            return None
        if not route.has_source:
            route.has_source = True
            route.on_first(arrival)
        self._by_ssrc[header.ssrc] = route.receiver
        return route.receiver

    def _route_of(self, packet: bytes, header: RtpHeader) -> _Route | None:
        if self._mid_id is not None and header.first & 0x10:
            mid = read_extensions(packet, header.first, (self._mid_id,)).get(self._mid_id)
            if mid is not None:
                return self._routes.get(mid.decode(errors="replace"))
        announced = self._announced.get(header.ssrc)
        if announced is not None:
            return self._routes.get(announced)
        fitting = [route for route in self._routes.values() if header.payload_type in route.payload_types]
        return next((route for route in fitting if not route.has_source), fitting[0] if fitting else None)

    def _receiver_of(self, ssrc: int) -> RtpReceiver | None:
        receiver = self._by_ssrc.get(ssrc)
        if receiver is None and ssrc in self._announced:
            route = self._routes.get(self._announced[ssrc])
            return route.receiver if route is not None else None
        return receiver
