"""What the transport's statistics say, second by second: loss, jitter, rates, feedback, and the speech score of it all.

Counters are read once a second and their differences written. Loss is what the network lost, also where
retransmission mended it; Pexip's buckets are made of it over 20 seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from ..media.frames import Codec
from ..webrtc.statistics import InboundRtp, OutboundRtp, RemoteInboundRtp
from ..webrtc.transport_statistics import CandidatePairStatistics
from .emodel import CODEC_MODELS, speech_quality
from .scores import CALL_QUALITY_WINDOW_S, CallQuality, call_quality
from .series import SeriesBook

__all__ = ["NetworkWatch"]

_LEVELS: Final = {quality: level for level, quality in enumerate(CallQuality) if quality is not CallQuality.UNKNOWN}
_SLACK_S: Final = 1.5
"""Samples are a second apart, and each stands for the second before it."""
_PLAYOUT_MS: Final = 60.0
"""Packets, jitter buffer and sound card of a usual client: taken for speech delay where none is measured (ours)."""


@dataclass(slots=True)
class _Before:
    """Counters of a stream when they were read last."""

    time: float
    kind: str = ""
    received: int = 0
    lost: int = 0
    octets: int = 0
    nacks: int = 0
    plis: int = 0
    mended: int = 0
    window: deque[tuple[float, int, int]] = field(default_factory=deque)
    """(time, lost, expected) of the seconds of Pexip's window."""


class NetworkWatch:
    """Turns the statistics of one peer into samples.

    Args:
        book: where samples go.
        began: when the run began, `time.monotonic`.
        mids: the lines to look at, by `a=mid`; empty: all.
        sent_book: where what is sent goes, when that is another direction with a book of its own.
    """

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        mids: frozenset[str] = frozenset(),
        sent_book: SeriesBook | None = None,
    ) -> None:
        self._book, self._began, self._mids = book, began, mids
        self._sent_book = sent_book or book
        self._before: dict[str, _Before] = {}
        self._round_trip_ms: dict[str, float] = {}

    def read(self, statistics: Iterable[object], now: float) -> None:
        """Take what `Peer.statistics` returned at `now`; kinds of statistics it does not use are passed over."""
        for item in statistics:
            match item:
                case InboundRtp() if self._is_ours(item.mid):
                    self._read_inbound(item, now)
                case OutboundRtp() if self._is_ours(item.mid):
                    self._read_outbound(item, now)
                case RemoteInboundRtp() if self._is_ours(item.mid):
                    self._read_report(item, now)
                case CandidatePairStatistics() if item.current_round_trip_time is not None:
                    self._add("setup.ice_rtt_ms", now, 1000 * item.current_round_trip_time)
                case _:
                    pass

    def _is_ours(self, mid: str) -> bool:
        return not self._mids or mid in self._mids

    def _add(self, metric: str, now: float, value: float) -> None:
        self._book.add(metric, now - self._began, value)

    def _read_inbound(self, item: InboundRtp, now: float) -> None:
        before, after = self._step(item.id, now, _inbound_counters(item))
        if before is None or now <= before.time:
            return
        kind, seconds = item.kind, now - before.time
        lost, received = after.lost - before.lost, after.received - before.received
        expected = lost + received
        self._add(f"{kind}.bitrate_bps", now, 8 * (after.octets - before.octets) / seconds)
        self._add(f"{kind}.jitter_ms", now, 1000 * item.jitter)
        self._add(f"{kind}.nacks", now, after.nacks - before.nacks)
        self._add(f"{kind}.retransmitted", now, after.mended - before.mended)
        if kind == "video":
            self._add("video.plis", now, after.plis - before.plis)
        loss = max(0, lost) / expected if expected > 0 else 0.0
        if expected > 0:
            self._add(f"{kind}.loss_ratio", now, loss)
        self._write_bucket(kind, after, now, lost, expected)
        if kind == "audio" and expected > 0:
            self._write_speech(item, now, loss)

    def _write_bucket(self, kind: str, after: _Before, now: float, lost: int, expected: int) -> None:
        window = after.window
        window.append((now, lost, expected))
        while window and window[0][0] <= now - CALL_QUALITY_WINDOW_S:
            window.popleft()
        if now - window[0][0] >= CALL_QUALITY_WINDOW_S - _SLACK_S:
            self._rate(kind, window)

    def finish(self) -> None:
        """Rate a run that was shorter than Pexip's window by all of it."""
        for before in self._before.values():
            if before.window and not self._book.values(f"{before.kind}.call_quality"):
                self._rate(before.kind, before.window)

    def _rate(self, kind: str, window: deque[tuple[float, int, int]]) -> None:
        quality = call_quality(max(0, sum(entry[1] for entry in window)), sum(entry[2] for entry in window))
        if quality is not CallQuality.UNKNOWN:
            self._add(f"{kind}.call_quality", window[-1][0], _LEVELS[quality])

    def _write_speech(self, item: InboundRtp, now: float, loss: float) -> None:
        codec = _CODECS.get(item.mime_type.lower())
        if codec is None:
            return
        measured = self._book.values("audio.delay_ms")[-3:]
        one_way = sorted(measured)[len(measured) // 2] if measured else self._round_trip_ms.get("audio", 0.0) / 2
        speech = speech_quality(CODEC_MODELS[codec], delay_ms=one_way + _PLAYOUT_MS, loss=loss)
        self._add("audio.r", now, speech.r)
        self._add("audio.mos", now, speech.mos)

    def _read_outbound(self, item: OutboundRtp, now: float) -> None:
        octets = item.bytes_sent + item.header_bytes_sent
        before, after = self._step(item.id, now, _Before(time=now, octets=octets))
        if before is not None and now > before.time:
            rate = 8 * (after.octets - before.octets) / (now - before.time)
            self._sent_book.add(f"{item.kind}.sent_bitrate_bps", now - self._began, rate)

    def _read_report(self, item: RemoteInboundRtp, now: float) -> None:
        at = now - self._began
        self._sent_book.add(f"{item.kind}.sent_loss_ratio", at, item.fraction_lost)
        self._sent_book.add(f"{item.kind}.sent_jitter_ms", at, 1000 * item.jitter)
        if item.round_trip_time is not None:
            self._round_trip_ms[item.kind] = 1000 * item.round_trip_time
            self._add(f"{item.kind}.rtt_ms", now, 1000 * item.round_trip_time)

    def _step(self, name: str, now: float, after: _Before) -> tuple[_Before | None, _Before]:
        """Return counters as they were and as they are, and keep the latter."""
        before = self._before.get(name)
        if before is not None:
            after.window = before.window
        self._before[name] = after
        after.time = now
        return before, after


_CODECS: Final[Mapping[str, Codec]] = {f"audio/{codec}".lower(): codec for codec in CODEC_MODELS}


def _inbound_counters(item: InboundRtp) -> _Before:
    mended = item.retransmitted_packets_received
    return _Before(
        time=0.0,
        kind=item.kind,
        received=item.packets_received - mended,
        lost=item.packets_lost + mended,
        octets=item.bytes_received + item.header_bytes_received,
        nacks=item.nack_count,
        plis=item.pli_count + item.fir_count,
        mended=mended,
    )
