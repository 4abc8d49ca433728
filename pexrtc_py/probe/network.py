"""What the transport's statistics say, second by second: loss, jitter, rates, feedback, and the speech score of it all.

Counters are read once a second and their differences written. Loss is what the network lost, also where
retransmission mended it; Pexip's buckets are made of it over 20 seconds. A packet is counted as lost when that is
certain: a little after its time. A second in which nothing comes waits for what tells: the numbers of later packets,
or the far end's own count of what it sent; when neither comes any more, all of it was lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from ..media.frames import Codec
from ..webrtc.statistics import InboundRtp, OutboundRtp, RemoteInboundRtp, RemoteOutboundRtp
from ..webrtc.transport_statistics import CandidatePairStatistics
from .emodel import CODEC_MODELS, speech_quality
from .scores import CALL_QUALITY_WINDOW_S, CallQuality, burst_ratio, call_quality, percentile
from .series import SeriesBook

__all__ = ["NetworkWatch"]

_LEVELS: Final = {quality: level for level, quality in enumerate(CallQuality) if quality is not CallQuality.UNKNOWN}
_LEAST_PACKETS: Final = 10
"""Sound has 50 a second; of fewer than a fifth of that no share is told."""
_EVEN: Final = 0.3
"""Share by which the packets of a second may differ from those of others in a stream that is even."""
_SLACK_S: Final = 1.5
"""Samples are a second apart, and each stands for the second before it."""
_REPORTS_S: Final = 7.5
"""The far end reports at least as often (RFC 3550 section 6.2: five seconds, half of that more by dice)."""
_OUTAGE_BURST: Final = 8.0
"""BurstR of a second in which nothing came: the E-model's largest."""
_PLAYOUT_MS: Final = 60.0
"""Packets, jitter buffer and sound card of a usual client: taken for speech delay where none is measured (ours)."""


class _Span(NamedTuple):
    """Losses of one second."""

    time: float
    lost: int
    expected: int
    runs: int = 0


@dataclass(slots=True)
class _Before:
    """Counters of a stream when they were read last."""

    time: float
    kind: str = ""
    mime_type: str = ""
    expected: int = 0
    """Packets sent, by their numbers."""
    lost: int = 0
    """By the network."""
    runs: int = 0
    """In which they were lost."""
    unmended: int = 0
    """Lost, and not repaired either."""
    reordered: int = 0
    duplicates: int = 0
    discarded: int = 0
    octets: int = 0
    nacks: int = 0
    plis: int = 0
    mended: int = 0
    deviations: int = 0
    window: deque[_Span] = field(default_factory=deque)
    """The seconds of Pexip's window."""
    held: list[_Span] = field(default_factory=list)
    """Seconds with too few packets to say anything of them alone."""
    unfinished: int = 0
    """Lost packets whose run was counted before they were."""
    told: tuple[int, int] | None = None
    """Packets sent, as the far end's last report said before a silence, and expected here when it came."""
    news: int | None = None
    """Packets sent, as it said since that silence began."""


@dataclass(slots=True)
class _Reports:
    """What the far end had reported of a stream of ours."""

    sent: int
    lost: int
    window: deque[_Span] = field(default_factory=deque)


class NetworkWatch:
    """Turns the statistics of one peer into samples.

    Args:
        book: where samples go.
        began: when the run began, `time.monotonic`.
        mids: the lines to look at, by `a=mid`; empty: all.
        echo: delays in the book are there and back, of which speech is charged one half.
        sent_book: where what is sent goes, when that is another direction with a book of its own.
    """

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        mids: frozenset[str] = frozenset(),
        sent_book: SeriesBook | None = None,
        echo: bool = False,
    ) -> None:
        self._book, self._began, self._mids = book, began, mids
        self._sent_book = sent_book or book
        self._ways = 2 if echo else 1
        self._before: dict[str, _Before] = {}
        self._round_trip_ms: dict[str, float] = {}
        self._sent: dict[str, int] = {}
        self._read_at: float | None = None
        """When it was read last: what was not there then has all happened since."""
        self._reports: dict[str, _Reports] = {}

    def read(self, statistics: Iterable[object], now: float) -> None:
        """Take what `Peer.statistics` returned at `now`; kinds of statistics it does not use are passed over."""
        statistics = list(statistics)
        told = {item.ssrc: item.packets_sent for item in statistics if isinstance(item, RemoteOutboundRtp)}
        for item in statistics:
            match item:
                case InboundRtp() if self._is_ours(item.mid):
                    self._read_inbound(item, now, told.get(item.ssrc))
                case OutboundRtp() if self._is_ours(item.mid):
                    self._read_outbound(item, now)
                case RemoteInboundRtp() if self._is_ours(item.mid):
                    self._read_report(item, now)
                case CandidatePairStatistics() if item.current_round_trip_time is not None:
                    self._add("setup.ice_rtt_ms", now, 1000 * item.current_round_trip_time)
                case _:
                    pass
        self._read_at = now

    def _is_ours(self, mid: str) -> bool:
        return not self._mids or mid in self._mids

    def _add(self, metric: str, now: float, value: float) -> None:
        self._book.add(metric, now - self._began, value)

    def _read_inbound(self, item: InboundRtp, now: float, told: int | None) -> None:
        before, after = self._step(item.id, now, _inbound_counters(item))
        kind = item.kind
        if before is None:
            if self._read_at is None:
                return  # it began before we did
            before = _Before(time=self._read_at)
        elif now > before.time:
            rate = 8 * (after.octets - before.octets) / (now - before.time)
            self._add(f"{kind}.bitrate_bps", now, rate)
        if now <= before.time:
            return
        expected = after.expected - before.expected
        # Packets believed lost are taken back when they turn up after all, and may be more than the second's losses.
        lost = max(0, after.lost - before.lost)
        self._add(f"{kind}.jitter_ms", now, 1000 * item.jitter)
        self._write_deviations(item, before, now)
        self._add(f"{kind}.duplicates", now, after.duplicates - before.duplicates)
        self._add(f"{kind}.discarded", now, after.discarded - before.discarded)
        self._add(f"{kind}.nacks", now, after.nacks - before.nacks)
        self._add(f"{kind}.retransmitted", now, after.mended - before.mended)
        if kind == "video":
            self._add("video.plis", now, after.plis - before.plis)
        self._write_loss(item, after, now, lost, expected)
        self._note_report(after, told, silent=expected == 0)
        if expected > 0:
            reordered = after.reordered - before.reordered
            self._add(f"{kind}.reordered_ratio", now, min(1.0, reordered / expected))
        self._write_bursts(before, after, now)
        _slide(after.window, _Span(now, lost, expected, after.runs - before.runs))
        if now - after.window[0].time >= CALL_QUALITY_WINDOW_S - _SLACK_S:
            self._rate(self._book, f"{kind}.call_quality", after.window)
        if kind == "audio" and expected > 0:
            unheard = max(0, after.unmended - before.unmended) / expected
            counts = [sum(column) for column in zip(*after.window, strict=True)][1:]
            ratio = burst_ratio(lost=int(counts[0]), expected=int(counts[1]), runs=int(counts[2]))
            self._write_speech(item.mime_type, now, min(1.0, unheard), ratio)

    def _write_loss(self, item: InboundRtp, after: _Before, now: float, lost: int, expected: int) -> None:
        """Write the share lost of a second; of one with few packets together with the next, for both.

        So an outage weighs as much as it lasted, and a lone packet does not weigh a second.
        """
        after.held.append(_Span(now, lost, expected))
        lost, expected = sum(span.lost for span in after.held), sum(span.expected for span in after.held)
        usual = sum(span.expected for span in after.window) / max(1, len(after.window))
        due = len(after.held) * usual
        if expected >= max(_LEAST_PACKETS, due / 2):
            # A run lost at the end of a second is numbered in the next one: of an even stream, what is usual was sent.
            sent = due if abs(expected - due) < _EVEN * due else expected
            self._settle(item.mime_type, after, min(1.0, lost / sent))

    def _settle(self, mime_type: str, after: _Before, share: float) -> None:
        """Write the share lost of all seconds held, and how one hears a second in which nothing came."""
        for span in after.held:
            self._add(f"{after.kind}.loss_ratio", span.time, share)
            if after.kind == "audio" and span.expected == 0:
                self._write_speech(mime_type, span.time, share, _OUTAGE_BURST if share > 0 else 1.0)
        after.held.clear()

    @staticmethod
    def _note_report(after: _Before, told: int | None, *, silent: bool) -> None:
        """Remember what the far end says it has sent, before a silence and in it."""
        if told is None:
            return
        if silent and after.told is not None and told != after.told[0]:
            after.news = told
        elif not silent:
            after.news = None
            if after.told is None or told != after.told[0]:
                after.told = (told, after.expected)

    def _write_bursts(self, before: _Before, after: _Before, now: float) -> None:
        """Write the mean length of the second's runs once for each, so that the mean of all is that of all runs."""
        lost, runs = after.lost - before.lost + before.unfinished, after.runs - before.runs
        if runs > 0 and lost > 0:
            for _ in range(runs):
                self._add(f"{after.kind}.loss_burst", now, lost / runs)
        else:
            after.unfinished = lost

    def _write_deviations(self, item: InboundRtp, before: _Before, now: float) -> None:
        """Write percentiles of the deviations since the last time; all of a new SSRC are new."""
        new = item.jitter_deviation_count - before.deviations
        new = item.jitter_deviation_count if new < 0 else new
        latest = item.jitter_deviations[-new:] if new else ()
        if latest:
            for metric, percent in _PERCENTILES.items():
                self._add(f"{item.kind}.{metric}", now, 1000 * percentile(latest, percent))

    def finish(self) -> None:
        """Rate a run that was shorter than Pexip's window by all of it."""
        for before in self._before.values():
            lost = _lost_silence(before)
            if lost is not None:
                before.held[:] = [span for span in before.held if span.expected == 0]
                self._settle(before.mime_type, before, 1.0 if lost else 0.0)
            if before.window and not self._book.values(f"{before.kind}.call_quality"):
                self._rate(self._book, f"{before.kind}.call_quality", before.window)
        for kind, reports in self._reports.items():
            if reports.window and not self._sent_book.values(f"{kind}.sent_call_quality"):
                self._rate(self._sent_book, f"{kind}.sent_call_quality", reports.window)

    def _rate(self, book: SeriesBook, metric: str, window: deque[_Span]) -> None:
        quality = call_quality(sum(span.lost for span in window), sum(span.expected for span in window))
        if quality is not CallQuality.UNKNOWN:
            book.add(metric, window[-1].time - self._began, _LEVELS[quality])

    def _write_speech(self, mime_type: str, now: float, loss: float, ratio: float) -> None:
        codec = _CODECS.get(mime_type.lower())
        if codec is None:
            return
        measured = self._book.latest("audio.delay_ms", 3)
        whole = sorted(measured)[len(measured) // 2] / self._ways if measured else None
        one_way = self._round_trip_ms.get("audio", 0.0) / 2 if whole is None else whole
        model = CODEC_MODELS[codec]
        speech = speech_quality(model, delay_ms=one_way + _PLAYOUT_MS, loss=loss, burst_ratio=ratio)
        self._add("audio.r", now, speech.r)
        self._add("audio.mos", now, speech.mos)

    def _read_outbound(self, item: OutboundRtp, now: float) -> None:
        octets = item.bytes_sent + item.header_bytes_sent
        before, after = self._step(item.id, now, _Before(time=now, octets=octets))
        if before is not None and now > before.time:
            rate = 8 * (after.octets - before.octets) / (now - before.time)
            self._sent_book.add(f"{item.kind}.sent_bitrate_bps", now - self._began, rate)
        self._sent[item.kind] = item.packets_sent

    def _read_report(self, item: RemoteInboundRtp, now: float) -> None:
        at = now - self._began
        before = self._reports.get(item.kind)
        if now - item.timestamp / 1000 > 2 * _REPORTS_S:
            return  # the far end reports no more: what it said last is no figure of now
        self._sent_book.add(f"{item.kind}.sent_loss_ratio", at, item.fraction_lost)
        self._sent_book.add(f"{item.kind}.sent_jitter_ms", at, 1000 * item.jitter)
        if item.round_trip_time is not None:
            self._round_trip_ms[item.kind] = 1000 * item.round_trip_time
            self._add(f"{item.kind}.rtt_ms", now, 1000 * item.round_trip_time)
        sent = self._sent.get(item.kind, 0)
        self._reports[item.kind] = reports = _Reports(sent=sent, lost=item.packets_lost)
        if before is not None:
            reports.window = before.window
            lost = max(0, reports.lost - before.lost)
            _slide(reports.window, _Span(now, lost, max(lost, sent - before.sent)))
            if now - reports.window[0].time >= CALL_QUALITY_WINDOW_S - _SLACK_S:
                self._rate(self._sent_book, f"{item.kind}.sent_call_quality", reports.window)

    def _step(self, name: str, now: float, after: _Before) -> tuple[_Before | None, _Before]:
        """Return counters as they were and as they are, and keep the latter."""
        before = self._before.get(name)
        if before is not None:
            after.window, after.held = before.window, before.held
            after.told, after.news = before.told, before.news
            after.unfinished = 0
        self._before[name] = after
        after.time = now
        return before, after


def _slide(window: deque[_Span], span: _Span) -> None:
    """Add a second to Pexip's window, and let go what is too old."""
    window.append(span)
    while window[0].time <= span.time - CALL_QUALITY_WINDOW_S:
        window.popleft()


def _lost_silence(stream: _Before) -> bool | None:
    """Say whether the silence that a stream ended in was lost on the way; None when there is none, or none can know."""
    silent = [span for span in stream.held if span.expected == 0]
    if not silent:
        return None
    if stream.told is None or stream.news is None:
        return True if len(silent) > _REPORTS_S else None
    sent, came = stream.news - stream.told[0], stream.expected - stream.told[1]
    flowing = [span.expected for span in stream.window if span.expected]
    # The report is read up to a second after it came.
    return sent - came > (max(flowing) if flowing else _LEAST_PACKETS)


_PERCENTILES: Final[Mapping[str, float]] = {"jitter_p50_ms": 50, "jitter_p95_ms": 95, "jitter_max_ms": 100}
_CODECS: Final[Mapping[str, Codec]] = {f"audio/{codec}".lower(): codec for codec in CODEC_MODELS}


def _inbound_counters(item: InboundRtp) -> _Before:
    mended = item.retransmitted_packets_received
    return _Before(
        time=0.0,
        kind=item.kind,
        mime_type=item.mime_type,
        expected=item.packets_received + item.packets_lost,
        lost=item.network_lost,
        runs=item.loss_runs,
        unmended=item.packets_lost - item.packets_missing,
        reordered=item.packets_reordered,
        duplicates=item.packets_duplicated,
        discarded=item.packets_discarded,
        deviations=item.jitter_deviation_count,
        octets=item.bytes_received + item.header_bytes_received,
        nacks=item.nack_count,
        plis=item.pli_count + item.fir_count,
        mended=mended,
    )
