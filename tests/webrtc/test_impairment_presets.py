"""The named networks are those that testRTC publishes."""

from __future__ import annotations

import pytest

from pexrtc_py.webrtc.impairment import PRESETS

# Bits per second, milliseconds one way, per cent lost; as testRTC writes them.
PUBLISHED = (
    "call-drop 50k/500/20; dsl 8M/40/0.5; very-bad 1M/500/10; wifi 30M/40/0.2; wifi-lossy 30M/40/5; 2.5g 150k/200/3; "
    "3g 750k/250/1.5; poor-3g 400k/350/5; 4g 4M/-/2; poor-4g 4M/350/5; unstable-4g 4M/500/10; high-latency 4M/600/0.2; "
    "high-loss 4M/5/20; half-lost 40M/10/50"
)
UNITS = {"k": 1000, "M": 1_000_000}


def test_the_presets_are_those_published() -> None:
    """Rate, delay and loss of each, and no other."""
    table = dict(line.split(" ") for line in PUBLISHED.split("; "))
    assert table.keys() == PRESETS.keys()
    for name, text in table.items():
        rate, delay, loss = text.split("/")
        preset = PRESETS[name]
        assert preset.rate_bps == int(rate[:-1]) * UNITS[rate[-1]], name
        assert preset.delay_s == pytest.approx(0 if delay == "-" else float(delay) / 1000), name
        assert preset.loss == pytest.approx(float(loss) / 100), name
