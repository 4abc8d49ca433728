"""Results of probe runs as a test needs them: one that passes, one that fails, with hostile names."""

from __future__ import annotations

import math

from pexrtc_py.probe.result import Cause, Moment, ProbeResult, Step
from pexrtc_py.probe.thresholds import Series, Threshold, judge, profile

HOSTILE = "Eve</script><script>alert(1)</script>\x1b[2J\x00'\"|=&\n\u202e"
"""A display name that tries every format: HTML, terminal, XML, Nagios, Prometheus, right-to-left override."""


def run(*, stream: str = "Ann → Bob", bad: bool = False, seconds: int = 60) -> ProbeResult:
    """Return a run of a minute; a bad one has loss and a freeze at 30 s."""
    times = tuple(float(t) for t in range(seconds))
    hit = [bad and 28 <= t <= 33 for t in range(seconds)]

    def one(metric: str, *values: float) -> Series:
        return Series(metric=metric, stream=stream, times=times[: len(values)], values=values)

    def wave(base: float, swing: float, worse: float) -> list[float]:
        return [base + swing * math.sin(t * 1.7) + (worse if hit[t] else 0) for t in range(seconds)]

    series = (
        one("setup.first_picture_ms", 412.0),
        one("setup.ice_ms", 61.0),
        one("audio.delay_ms", *wave(58, 3, 90)),
        one("audio.mos", *wave(4.38, 0.02, -1.9)),
        one("audio.loss_ratio", *[0.18 if h else 0.0 for h in hit]),
        one("audio.loudness_lufs", *wave(-24, 0.5, 0)),
        one("video.fps", *wave(29.8, 0.3, -18)),
        one("video.freeze_ratio", *[0.7 if h else 0.0 for h in hit]),
        one("video.longest_freeze_ms", *[640.0 if h else 0.0 for h in hit]),
        one("video.bitrate_bps", *wave(1.4e6, 1.2e5, -8e5)),
        one("video.delay_ms", *wave(74, 4, 140)),
        one("video.psnr_db", *wave(38.5, 0.8, -7)),
        one("video.ssim", *wave(0.972, 0.004, -0.08)),
        one("video.frames_lost", *[14.0 if h else 0.0 for h in hit]),
        one("av.skew_ms", *wave(-12, 4, -60)),
    )
    moments = (Moment(time=28.4, what="freeze of 1.9 s", stream=stream),) if bad else ()
    thresholds = [
        *profile("default"),
        Threshold.parse("video.freeze_ratio > 1%"),
        Threshold.parse("p5(video.ssim) < 0.9"),
    ]
    return ProbeResult(
        kind="pair",
        target="meet.alice",
        node="https://node.example.com",
        started="2026-11-22T15:00:00Z",
        duration_s=float(seconds),
        version="0.1.0",
        series=series,
        moments=moments,
        verdict=judge(thresholds, series),
        assumptions=("Opus: Ie 0, Bpl 20 (assumption of pexrtc_py)", "one process, one clock: delays need no NTP"),
    )


def doctor() -> ProbeResult:
    """Return a join-only run that failed at ICE."""
    return ProbeResult(
        kind="join",
        target="meet.alice",
        node="https://node.example.com",
        started="2026-11-22T15:00:00Z",
        duration_s=5.6,
        version="0.1.0",
        steps=(
            Step(name="DNS", passed=True, milliseconds=4.2, detail="192.0.2.7"),
            Step(name="TLS", passed=True, milliseconds=38.0, detail="TLS 1.3, 61 days left"),
            Step(
                name="ICE",
                passed=False,
                milliseconds=5000,
                detail="no pair: 2 host candidates of ours, 1 of the node's",
                cure="open UDP 40000-49999 to the node, or configure TURN",
            ),
            Step(name="DTLS", passed=None),
        ),
        cause=Cause.UNREACHABLE,
    )
