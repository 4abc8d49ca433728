"""The lines of one peer: what each receives and sends under what was agreed, and when.

Receivers and senders outlive changes of the agreement. All share the peer's clocks, its timers, the counting of its
packets for transport-wide feedback, and the router that tells what arrives apart.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace

from ..media.frames import Codec, Kind
from ..protocol.negotiation import MID, NegotiatedLine, Sources
from ..protocol.sdp import Content, Direction
from .clock import CallClock, SendClock, SenderMemory
from .feedback import TransportFeedbackRecorder, TransportSequence
from .feedback_follower import FeedbackFollower
from .line import Line, draw_sources
from .line_media import receiver_config, sender_config
from .receiver import Receiver
from .receiver_config import ReceiverConfig
from .routing import Router
from .sender import Sender
from .srtp import SrtpPath
from .statistics import RtpStatistics
from .sweep import HOLD_S
from .timers import GRAIN_S, REQUEST_GRAIN_S, PolledRecorder, Requests, SharedTimer, Timed
from .transport_statistics import PathStatistics, codec_statistics

__all__ = ["LineSet"]

# What is read late is asked for late, and waited for in proportion.
_RELAXED_PATIENCE_S = 0.25


class LineSet:
    """The lines of one peer, in their order, refused ones included.

    Args:
        relaxed: whether media is read some milliseconds late.
        timings: takes `first_rtp:<mid>` of each line, seconds on `time.monotonic`.
        memory: of the calls before on the same timeline.

    Attributes:
        router: takes what arrives, decrypted.
        media: takes what is to be sent; set before anything is agreed.
        clock: the one timeline of everything that is received.
        send_clock: the one wall clock of everything that is sent.
    """

    media: SrtpPath

    def __init__(self, *, relaxed: bool, timings: dict[str, float], memory: SenderMemory | None = None) -> None:
        self.router = Router()
        self.clock = CallClock(memory)
        self.send_clock = SendClock(time.monotonic, time.time())
        self._relaxed = relaxed
        self._timings = timings
        self._lines: list[Line] = []
        self._cname = str(uuid.uuid4())
        self._enabled = False
        self._timer = SharedTimer(self._timed, grain_s=HOLD_S if relaxed else GRAIN_S)
        self._request_timer = SharedTimer(self._requests, grain_s=REQUEST_GRAIN_S)
        self._recorder: PolledRecorder | None = None
        self._transport_sequence = TransportSequence()

    def __iter__(self) -> Iterator[Line]:
        return iter(self._lines)

    def __len__(self) -> int:
        return len(self._lines)

    def add(
        self,
        kind: Kind,
        *,
        direction: Direction,
        codecs: Sequence[Codec],
        content: Content | None = None,
        bitrate_bps: int | None = None,
    ) -> Line:
        """See `Peer.add_line`."""
        index = len(self._lines)
        taken = {line.mid for line in self._lines}
        mid = next(name for name in map(str, range(index, 2 * index + 1)) if name not in taken)
        line = Line(
            index=index,
            mid=mid,
            kind=kind,
            content=content,
            sources=draw_sources(kind, self._cname),
            wanted=direction,
            codecs=codecs,
            wanted_bitrate_bps=bitrate_bps,
        )
        self._lines.append(line)
        return line

    def draw_sources(self, count: int) -> list[Sources]:
        """Return the sources of all lines, and of new ones up to `count`."""
        known = [line.sources for line in self._lines]
        return [*known, *(draw_sources(Kind.VIDEO, self._cname) for _ in range(count - len(known)))]

    def place(self, line: Line) -> None:
        """Put a line that the peer offered where it belongs; one of another kind or name takes the old one's place."""
        if line.index == len(self._lines):
            self._lines.append(line)
            return
        before = self._lines[line.index]
        if before.kind is not line.kind or before.mid != line.mid:
            self._drop(before)  # its place is used again (RFC 8829 section 5.2.2)
            self._lines[line.index] = line

    def apply(self, settled: Sequence[NegotiatedLine]) -> None:
        """Let each line do what was agreed, and nothing more."""
        for line, agreed in zip(self._lines, settled, strict=True):
            line.negotiated = agreed
            direction = agreed.direction
            if line.kind is None:
                continue
            if direction.receives:
                self._receive_on(line, agreed)
            else:
                self.router.set_receiver(line.mid, None)
            if direction.sends:
                self._send_on(line, agreed)
        self.enable(enabled=self._enabled)
        self.router.set_mid_extension(next((n for item in settled if (n := item.extensions.get(MID))), None))

    def enable(self, *, enabled: bool) -> None:
        """Let senders drop what comes before there is a path: they go on with a key frame."""
        self._enabled = enabled
        for line in self._lines:
            if line.sender is not None:
                line.sender.set_enabled(enabled=enabled and line.direction.sends)

    @property
    def available_bps(self) -> int | None:
        """What all senders together may send by what the other side tells of the way; None when it tells nothing."""
        senders = [line.sender for line in self._lines if line.sender is not None and line.sender.follows]
        if not any(sender.config.transport_sequence_id is not None or sender.rate.has_estimate for sender in senders):
            return None
        return sum(sender.rate.bitrate_bps or 0 for sender in senders)

    def statistics(self, now: float) -> list[RtpStatistics | PathStatistics]:
        """Describe the codecs and the streams of all lines."""
        found: list[RtpStatistics | PathStatistics] = []
        for line in self._lines:
            if line.negotiated is not None:
                found += codec_statistics(line.negotiated, now)
            if line.receiver is not None:
                found += line.receiver.statistics(now)
            if line.sender is not None:
                found += line.sender.statistics(now)
        return found

    def close(self) -> None:
        """End the taps of all receivers and stop sending. Idempotent."""
        self._timer.close()
        self._request_timer.close()
        with ExitStack() as ends:  # each line is dropped, whatever a tap of another raises
            for line in reversed(self._lines):
                ends.callback(self._drop, line)

    def _drop(self, line: Line) -> None:
        self.router.set_receiver(line.mid, None)
        if line.sender is not None:
            line.sender.end()
            self.router.remove_sender(line.sender)
        if line.receiver is not None:
            line.receiver.close()

    def _receive_on(self, line: Line, agreed: NegotiatedLine) -> None:
        config = receiver_config(agreed, line.sources, max_bitrate_bps=line.wanted_bitrate_bps)
        if self._relaxed:
            config = replace(config, patience_s=_RELAXED_PATIENCE_S)
        if line.receiver is None:
            recorder = self._recorder_of(config)
            line.receiver = Receiver(config, self.media.send_rtcp, self.clock, transport_feedback=recorder)
            line.receiver.on_timer = self._timer.arm if self._relaxed else self._arm
        else:
            line.receiver.reconfigure(config)
        self.router.set_receiver(
            line.mid,
            line.receiver,
            payload_types=config.formats.keys(),
            ssrcs=agreed.remote_ssrcs,
            on_first=lambda arrival: self._note_first(line, arrival),
        )

    def _send_on(self, line: Line, agreed: NegotiatedLine) -> None:
        if line.sender is None:
            config = sender_config(agreed, line.sources)
            line.sender = Sender(
                config,
                self.media.send_rtp,
                self.media.send_rtcp,
                self.send_clock,
                transport_sequence=self._transport_sequence,
                holding=self.media,
            )
            line.sender.on_timer = self._timer.arm
            self.router.add_sender(line.sender)
            if config.transport_sequence_id is not None and self._transport_sequence.follower is None:
                follower = self._transport_sequence.follower = FeedbackFollower(
                    self._share_queue,
                    on_room=self._share_room,
                    is_wanted=lambda: any(line.sender and line.sender.follows for line in self._lines),
                )
                self.router.set_feedback(follower.handle_feedback)
        else:
            line.sender.reconfigure(sender_config(agreed, line.sources, before=line.sender.config))

    def _share_queue(self, through_bps: int, now: float, is_full: bool) -> None:  # noqa: FBT001 (a callback's)
        """Tell each sender its part of what gets through, while a queue grows."""
        for sender, share_bps in self._shares(through_bps):
            sender.rate.handle_queue(share_bps, now, is_full=is_full)

    def _share_room(self, room_bps: int, now: float, is_crowded: bool) -> None:  # noqa: FBT001 (a callback's)
        """Tell each sender its part of what the way carries."""
        for sender, share_bps in self._shares(room_bps):
            sender.rate.handle_room(share_bps, now, is_crowded=is_crowded)

    def _shares(self, whole_bps: int) -> Iterator[tuple[Sender, int]]:
        """Part a rate among the senders: by what they send, headers apart."""
        senders = [line.sender for line in self._lines if line.sender is not None and line.sender.follows]
        shares = [sender.rate.bitrate_bps or 0 for sender in senders]
        for sender, share in zip(senders, shares, strict=True):
            payload, header = sender.counts.payload_bytes, sender.counts.header_bytes
            yield sender, whole_bps * share // max(1, sum(shares)) * payload // max(1, payload + header)

    def _recorder_of(self, config: ReceiverConfig) -> TransportFeedbackRecorder | None:
        """The one recorder of transport-wide feedback, made when it is first negotiated."""
        number = config.transport_sequence_id
        if self._recorder is None and number is not None and config.feedback.transport:
            recorder = TransportFeedbackRecorder(number, config.local_ssrc, self.media.send_rtcp)
            self._recorder = PolledRecorder(recorder, lambda: self.media.counts.packets_received)
        return self._recorder.recorder if self._recorder is not None else None

    def _note_first(self, line: Line, arrival: float) -> None:
        self._timings.setdefault(f"first_rtp:{line.mid}", arrival)

    def _arm(self) -> None:
        self._request_timer.arm()
        self._timer.arm()

    def _requests(self) -> Iterator[Timed]:
        return (Requests(line.receiver) for line in self._lines if line.receiver is not None)

    def _timed(self) -> Iterator[Timed]:
        for line in self._lines:
            if line.receiver is not None:
                yield line.receiver
            if line.sender is not None:
                yield line.sender
        if self._recorder is not None:
            yield self._recorder
