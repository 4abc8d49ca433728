"""docs/metrics.md, made from the registry and the profiles; a test fails when the page is not what this makes.

python -m pexrtc_py.probe.metrics_page > docs/metrics.md
"""

from __future__ import annotations

import sys
from itertools import groupby

from .emodel import CODEC_MODELS
from .metrics import METRICS
from .thresholds import PROFILES

__all__ = ["metrics_page"]

_TITLES = {
    "setup": "Set-up",
    "audio": "Sound",
    "video": "Picture",
    "presentation": "Presentation",
    "av": "Sound and picture together",
    "control": "Control",
    "self": "The probe itself",
}
_HEAD = """# Metrics of the probe

Made by `python -m pexrtc_py.probe.metrics_page`; do not edit. Each metric is a series of samples over time, most of
them one a second. *Figure* is what the series becomes when nothing else is asked for; in a threshold any of `mean`,
`sum`, `min`, `max`, `last` and `p0` to `p100` can be: `--fail-if "p95(video.delay_ms) > 300ms over 10s after 5s"`.
"""
_COLUMNS = "| Name | Unit | Better | Figure | Meaning | Source |\n|---|---|---|---|---|---|\n"
_SPEECH = """
## What the E-model assumes

Only loss, its bursts and one-way delay are measured; all else is at the recommendations' defaults.

| Codec | Model | Ie | Bpl | From |
|---|---|---|---|---|
"""
_PROFILES = """
## Profiles

A profile is a set of thresholds; what a run does not measure is passed over. Sound or picture that was agreed and never
came fails every run, whatever its thresholds, unless it says `--alone`.
"""


def metrics_page() -> str:
    """Return the text of docs/metrics.md."""
    page = [_HEAD]
    for group, metrics in groupby(
        sorted(METRICS.values(), key=lambda m: list(_TITLES).index(m.group)), lambda m: m.group
    ):
        page.append(f"\n## {_TITLES[group]}\n\n{_COLUMNS}")
        for m in metrics:
            what, source = (text.replace("|", "\\|") for text in (m.what, m.source))  # a bar would begin a column
            page.append(f"| `{m.name}` | {m.unit} | {m.better} | {m.aggregate} | {what} | {source} |\n")
    page.append(_SPEECH)
    page += [f"| {codec} | {m.band.value} | {m.ie:g} | {m.bpl:g} | {m.source} |\n" for codec, m in CODEC_MODELS.items()]
    page.append(_PROFILES)
    for name, texts in PROFILES.items():
        page.append(f"\n`{name}` fails if\n\n")
        page += [f"- `{text}`\n" for text in texts]
    return "".join(page)


if __name__ == "__main__":
    sys.stdout.write(metrics_page())
