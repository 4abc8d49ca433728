"""The registry of everything the probe measures: THE list from which thresholds, reports and docs/metrics.md come.

A metric is a name, a unit and a meaning. Every measurement is a series of samples over time, also where there is only
one sample; `aggregate` says how a series becomes one figure when nobody asks otherwise. Names end in their unit.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from ..errors import UsageError
from .scores import percentile

__all__ = ["METRICS", "Better", "Metric", "Unit", "aggregated", "is_aggregate", "list_metrics", "metric_named"]


class Unit(StrEnum):
    """Units of metrics; the value is what is printed after a figure."""

    MILLISECONDS = "ms"
    SECONDS = "s"
    RATIO = "ratio"
    BITS_PER_SECOND = "b/s"
    COUNT = "count"
    DECIBELS = "dB"
    DBFS = "dBFS"
    LUFS = "LUFS"
    FPS = "fps"
    PIXELS = "px"
    PPM = "ppm"
    DAYS = "days"
    SCORE = "score"


class Better(StrEnum):
    """Which way is good."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One thing that is measured."""

    name: str
    """`group.what_unit`; groups are setup, audio, video, presentation, av, control and self."""
    unit: Unit
    what: str
    """What it says, in one line."""
    source: str
    """Standard and clause, or where else the definition comes from."""
    better: Better
    aggregate: str
    """How its samples become one figure: see `aggregated`."""

    @property
    def group(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]


_AGGREGATE: Final = re.compile(r"mean|sum|min|max|last|p(\d{1,2}(?:\.\d+)?|100)")


def is_aggregate(name: str) -> bool:
    """Say whether this is the name of an aggregate: mean, sum, min, max, last, or p0 to p100."""
    return _AGGREGATE.fullmatch(name) is not None


def aggregated(values: Sequence[float], aggregate: str) -> float:
    """Return one figure for many samples.

    Args:
        values: at least one.
        aggregate: `mean`, `sum`, `min`, `max`, `last`, or a percentile such as `p95`.

    Raises:
        ValueError: there are no values, or no such aggregate.
    """
    if not values:
        raise ValueError("no values to aggregate")
    match aggregate:
        case "mean":
            return sum(values) / len(values)
        case "sum":
            return sum(values)
        case "min":
            return min(values)
        case "max":
            return max(values)
        case "last":
            return values[-1]
        case _ if is_aggregate(aggregate):
            return percentile(values, float(aggregate[1:]))
        case _:
            raise ValueError(f"no aggregate {aggregate!r}: mean, sum, min, max, last, p0 to p100")


_LOW, _HIGH, _NEITHER = Better.LOWER, Better.HIGHER, Better.NEITHER
_Row = tuple[str, Unit, Better, str, str, str]

_SETUP: Final[tuple[tuple[str, str, str], ...]] = (
    ("dns_ms", "host name resolved", "getaddrinfo"),
    ("tcp_ms", "TCP connection made", "connect(2)"),
    ("tls_ms", "TLS handshake done", "RFC 8446"),
    ("token_ms", "request_token answered", "Pexip Client REST API, request_token"),
    ("events_ms", "event stream open and roster complete", "Pexip Client REST API, participant_sync_end"),
    ("offer_ms", "candidates gathered and offer written", "RFC 8829"),
    ("answer_ms", "answer of the node taken", "Pexip Client REST API, calls"),
    ("ack_ms", "ack of the call answered", "Pexip Client REST API, ack"),
    ("ice_ms", "first candidate pair nominated", "RFC 8445"),
    ("dtls_ms", "DTLS handshake done, keys exported", "RFC 5764"),
    ("first_audio_ms", "first complete audio frame received", "RTP"),
    ("first_video_ms", "first complete video key frame received", "RTP"),
    ("first_sound_ms", "first sound decoded", "decoder"),
    ("first_picture_ms", "first picture decoded", "decoder"),
    ("presentation_send_ms", "floor taken until the other side decodes our first slide", "decoder of the listener"),
    ("presentation_receive_ms", "presentation started until its first picture is decoded", "decoder"),
)


def _setup() -> Iterator[_Row]:
    for name, what, source in _SETUP:
        since = "" if name.startswith("presentation") else "; since the first request"
        yield f"setup.{name}", Unit.MILLISECONDS, _LOW, "p50", what + since, source
    yield (
        "setup.tls_expiry_days",
        Unit.DAYS,
        _HIGH,
        "min",
        "time left until the certificate expires",
        "RFC 5280 4.1.2.5",
    )
    yield "setup.ice_rtt_ms", Unit.MILLISECONDS, _LOW, "p50", "round trip of the nominated pair", "RFC 8445, RFC 7675"


def _network(kind: str) -> Iterator[_Row]:
    rfc, w3c = "RFC 3550 6.4.1", "W3C webrtc-stats"
    yield f"{kind}.loss_ratio", Unit.RATIO, _LOW, "mean", "packets the network lost, mended ones included", rfc
    yield (
        f"{kind}.loss_burst",
        Unit.COUNT,
        _LOW,
        "mean",
        "packets lost in a row, mended ones included",
        "RFC 3611 4.7.2",
    )
    yield (
        f"{kind}.call_quality",
        Unit.SCORE,
        _LOW,
        "max",
        "loss over 20 s: 0 good, 1 ok, 2 bad, 3 terrible",
        "Pexip Infinity, participant status: call quality",
    )
    yield f"{kind}.reordered_ratio", Unit.RATIO, _LOW, "mean", "packets that came after a later one", "RFC 4737"
    yield f"{kind}.duplicates", Unit.COUNT, _LOW, "sum", "packets that came twice", "RFC 3550 A.1"
    yield (
        f"{kind}.discarded",
        Unit.COUNT,
        _LOW,
        "sum",
        "packets that came too late to be used",
        f"{w3c}, packetsDiscarded",
    )
    yield f"{kind}.jitter_ms", Unit.MILLISECONDS, _LOW, "p95", "interarrival jitter of what we receive", rfc
    for name, what in (("p50", "median of"), ("p95", "95th percentile of"), ("max", "largest of")):
        yield (
            f"{kind}.jitter_{name}_ms",
            Unit.MILLISECONDS,
            _LOW,
            "max" if name == "max" else "p50",
            f"{what} a second's deviations |D|, of which jitter is the mean",
            rfc,
        )
    yield f"{kind}.rtt_ms", Unit.MILLISECONDS, _LOW, "p50", "round trip by RTCP", rfc
    yield f"{kind}.bitrate_bps", Unit.BITS_PER_SECOND, _HIGH, "mean", "payload and headers received, repeats too", "RTP"
    yield f"{kind}.sent_bitrate_bps", Unit.BITS_PER_SECOND, _HIGH, "mean", "payload and RTP headers sent", "RTP"
    yield f"{kind}.sent_loss_ratio", Unit.RATIO, _LOW, "mean", "packets of ours the far end reports lost", rfc
    yield (
        f"{kind}.sent_call_quality",
        Unit.SCORE,
        _LOW,
        "max",
        "the same of ours, as the far end reports it",
        "Pexip Infinity, participant status: call quality",
    )
    yield f"{kind}.sent_jitter_ms", Unit.MILLISECONDS, _LOW, "p95", "jitter of ours as the far end reports it", rfc
    yield f"{kind}.nacks", Unit.COUNT, _LOW, "sum", "requests of ours for lost packets", "RFC 4585 6.2.1"
    yield f"{kind}.retransmitted", Unit.COUNT, _NEITHER, "sum", "packets received by retransmission", "RFC 4588"


def _pictures(group: str) -> Iterator[_Row]:
    ids = "frame ids of our marks"
    w3c = "W3C webrtc-stats"
    yield f"{group}.fps", Unit.FPS, _HIGH, "mean", "pictures decoded per second", f"{w3c}, framesPerSecond"
    yield f"{group}.freezes", Unit.COUNT, _LOW, "sum", "freezes", f"{w3c}, freezeCount"
    yield f"{group}.freeze_ratio", Unit.RATIO, _LOW, "mean", "share of time frozen", f"{w3c}, totalFreezesDuration"
    yield f"{group}.longest_freeze_ms", Unit.MILLISECONDS, _LOW, "max", "longest freeze", w3c
    yield f"{group}.black_ratio", Unit.RATIO, _LOW, "mean", "share of pictures that are black", "FFmpeg blackdetect"
    yield (
        f"{group}.still_ratio",
        Unit.RATIO,
        _LOW,
        "mean",
        "share of pictures like the one before",
        "FFmpeg freezedetect",
    )
    yield f"{group}.height_px", Unit.PIXELS, _HIGH, "p50", "lines of the received picture", "decoder"
    yield f"{group}.size_changes", Unit.COUNT, _LOW, "sum", "changes of the received resolution", "decoder"
    yield f"{group}.key_interval_s", Unit.SECONDS, _NEITHER, "p50", "time between key frames", "VP8, H.264 bit stream"
    yield (
        f"{group}.blockiness",
        Unit.SCORE,
        _LOW,
        "p50",
        "edges on the codec's grid, 1 is none (sampled)",
        "FFmpeg blockdetect",
    )
    yield f"{group}.blur_px", Unit.PIXELS, _LOW, "p50", "width of edges (sampled)", "FFmpeg blurdetect"
    yield f"{group}.frames_lost", Unit.COUNT, _LOW, "sum", "frames of the reference never shown", ids
    yield f"{group}.frames_repeated", Unit.COUNT, _LOW, "sum", "pictures that showed a frame again", ids
    yield f"{group}.frames_reordered", Unit.COUNT, _LOW, "sum", "frames shown after a later one", ids
    yield f"{group}.unread_ratio", Unit.RATIO, _LOW, "mean", "share of pictures without a readable mark", "our marks"
    yield f"{group}.packet_delay_ms", Unit.MILLISECONDS, _LOW, "p50", "one way: sent until the last packet came", ids
    yield f"{group}.delay_ms", Unit.MILLISECONDS, _LOW, "p50", "one way: sent until decoded", ids
    yield (
        f"{group}.psnr_db",
        Unit.DECIBELS,
        _HIGH,
        "mean",
        "luma against the reference at its shown size",
        "ITU-T J.340",
    )
    yield f"{group}.ssim", Unit.SCORE, _HIGH, "mean", "luma against the reference at its shown size", "Wang et al. 2004"


def _own() -> Iterator[_Row]:
    """How the probe's own machine fared."""
    yield "self.loop_late_ms", Unit.MILLISECONDS, _LOW, "p95", "how late our event loop ran, worst of a second", "clock"
    yield (
        "self.send_late_ms",
        Unit.MILLISECONDS,
        _LOW,
        "p95",
        "how late we sent what was due, worst of a second",
        "clock",
    )
    yield "self.decode_wait_ms", Unit.MILLISECONDS, _LOW, "p95", "how long frames waited to be decoded, worst", "clock"
    yield "self.dropped", Unit.COUNT, _LOW, "sum", "frames not decoded because we were behind", "decoding thread"
    yield "self.cpu_ratio", Unit.RATIO, _NEITHER, "mean", "share of one core that this process used", "getrusage(2)"
    yield (
        "self.wait_ratio",
        Unit.RATIO,
        _LOW,
        "mean",
        "share of time our event loop waited for a core",
        "Linux schedstat",
    )


def _audio() -> Iterator[_Row]:
    marks = "our chirps"
    yield (
        "audio.silence_ratio",
        Unit.RATIO,
        _LOW,
        "mean",
        "share of time below -60 dBFS for 0.2 s or more, or in which nothing comes",
        "RMS of 10 ms",
    )
    yield "audio.clipped_ratio", Unit.RATIO, _LOW, "mean", "share of samples in runs of 3 at full scale", "PCM"
    yield "audio.level_dbfs", Unit.DBFS, _NEITHER, "p50", "level, RMS of a second", "PCM"
    yield "audio.loudness_lufs", Unit.LUFS, _NEITHER, "last", "integrated loudness so far", "EBU R 128, ITU-R BS.1770-4"
    yield (
        "audio.concealed_ratio",
        Unit.RATIO,
        _LOW,
        "mean",
        "share of sound made up for lost packets",
        "W3C concealedSamples",
    )
    yield "audio.gaps", Unit.COUNT, _LOW, "sum", "holes in what was received", "reorder buffer"
    yield "audio.digits_missed", Unit.COUNT, _LOW, "sum", "DTMF digits sent and not heard", "RFC 4733"
    yield "audio.chirps_lost", Unit.COUNT, _LOW, "sum", "reference chirps not heard", marks
    yield "audio.packet_delay_ms", Unit.MILLISECONDS, _LOW, "p50", "one way: sent until the packet came", marks
    yield "audio.delay_ms", Unit.MILLISECONDS, _LOW, "p50", "one way: sent until decoded", marks
    yield "audio.drift_ppm", Unit.PPM, _NEITHER, "last", "the sound's clock against ours, least squares", marks
    yield "audio.echo_ms", Unit.MILLISECONDS, _NEITHER, "p50", "how late the echo of a chirp comes", marks
    yield "audio.echo_db", Unit.DECIBELS, _LOW, "p50", "level of that echo against the chirp", marks
    yield "audio.r", Unit.SCORE, _HIGH, "mean", "transmission rating: 93.2, 129 or 148 at best", "ITU-T G.107, .1, .2"
    yield "audio.mos", Unit.SCORE, _HIGH, "mean", "estimated opinion, 1 to 4.5", "ITU-T G.107 Annex B"


def _together() -> Iterator[_Row]:
    yield "av.skew_ms", Unit.MILLISECONDS, _NEITHER, "p50", "positive: sound early; negative: late", "ITU-R BT.1359-1"
    yield (
        "av.sync_score",
        Unit.SCORE,
        _HIGH,
        "last",
        "skew and its jitter in one: 100 is perfect, 0 worst",
        "LiveKit egress, test/avsync",
    )
    for what in ("mute", "chat", "presentation", "dtmf", "layout", "roster"):
        yield (
            f"control.{what}_ms",
            Unit.MILLISECONDS,
            _LOW,
            "p50",
            f"{what}: from our request until the other participant knows",
            "event stream or media of the other participant",
        )


def _all() -> Iterator[_Row]:
    yield from _setup()
    yield from _audio()
    yield from _network("audio")
    yield "video.plis", Unit.COUNT, _LOW, "sum", "key frames we asked for", "RFC 4585 6.3.1, RFC 5104 4.3.1"
    yield from _pictures("video")
    yield from _network("video")
    yield from _pictures("presentation")
    yield from _together()
    yield from _own()


METRICS: Final[Mapping[str, Metric]] = {
    name: Metric(name=name, unit=unit, better=better, aggregate=aggregate, what=what, source=source)
    for name, unit, better, aggregate, what, source in _all()
}
"""All metrics by name, in the order of reports."""


def metric_named(name: str) -> Metric:
    """Return a metric.

    Raises:
        UsageError: there is none of this name; the message offers the nearest.
    """
    try:
        return METRICS[name]
    except KeyError:
        near = difflib.get_close_matches(name, METRICS, n=1)
        hint = f", did you mean {near[0]!r}" if near else ", --list-metrics names all"
        raise UsageError(f"no metric {name!r}{hint}") from None


def list_metrics() -> str:
    """Return the text of `--list-metrics`: one metric a line, name, unit, better, default figure, meaning, source."""
    rows = [("NAME", "UNIT", "BETTER", "FIGURE", "MEANING [SOURCE]")]
    rows += [(m.name, m.unit, m.better, m.aggregate, f"{m.what} [{m.source}]") for m in METRICS.values()]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    return "".join(
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) + "\n"
        for row in rows
    )
