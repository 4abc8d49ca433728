"""The HTML report of one run, or of two side by side: one file that needs nothing else.

Verdict and reasons stand on top, figures and plots below. Everything is escaped by Jinja; the data of the plots is a
JSON block that is never executed; the two scripts are named by their hash in a content security policy that allows no
other. Styles are allowed inline, because plotly.js sets them. Needs the extra `report`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from ..errors import UsageError
from ..protocol.escaping import visible
from .metrics import METRICS, Better, Unit
from .rendering import reason_text
from .result import Figure, ProbeResult, compared, figures, format_value
from .thresholds import Outcome, Reason, Threshold

__all__ = ["check_extra", "html_overview", "html_report"]

if TYPE_CHECKING:
    import jinja2

_HERE: Final = Path(__file__).parent
_MOST_COLUMNS: Final = 4
_MILESTONES: Final = frozenset(
    f"setup.{name}_ms"
    for name in ("token", "events", "offer", "answer", "ack", "ice", "dtls", "first_audio", "first_video")
) | {"setup.first_sound_ms", "setup.first_picture_ms"}
_LEAST_SAMPLES: Final = 3
"""A series shorter than this is a figure, not a plot."""
_SCALES: Final = {Unit.RATIO: (100.0, "%"), Unit.BITS_PER_SECOND: (1e-3, "kb/s")}
_OVERVIEW: Final = (
    *("setup.first_picture_ms", "audio.loss_ratio", "video.loss_ratio", "audio.mos", "video.fps"),
    *("video.freeze_ratio", "video.delay_ms", "av.skew_ms"),
)
"""What an overview of many runs shows of each: the worst of all streams."""
_TILES: Final = {
    "setup.first_picture_ms": "First picture after",
    "setup.first_sound_ms": "First sound after",
    "audio.mos": "Speech, MOS",
    "audio.loss_ratio": "Sound lost",
    "video.loss_ratio": "Picture lost",
    "video.fps": "Pictures a second",
    "video.freeze_ratio": "Frozen",
    "video.longest_freeze_ms": "Longest freeze",
    "video.ssim": "Likeness, SSIM",
    "audio.delay_ms": "Sound late by",
    "video.delay_ms": "Picture late by",
    "av.skew_ms": "Sound early by",
}
"""The figures on top, and what a person calls them."""
_FIRST_PLOTS: Final = (
    *("video.fps", "video.freeze_ratio", "video.ssim", "video.delay_ms", "audio.mos", "audio.delay_ms"),
    *("audio.loss_ratio", "video.loss_ratio", "audio.jitter_ms", "video.bitrate_bps", "av.skew_ms", "audio.level_dbfs"),
)
"""Plots that are seen without asking, and those of every threshold that was missed."""
_MOST_MOMENTS: Final = 40
"""More lines in a plot hide it."""
_GROUPS: Final = {
    "setup": "Set-up",
    "audio": "Sound",
    "video": "Picture",
    "av": "Sound and picture together",
    "presentation": "Presentation",
    "control": "Control",
    "self": "This machine, while it measured",
}


def check_extra() -> None:
    """Make sure that reports can be made.

    Raises:
        UsageError: the extra `report` is not installed.
    """
    for name in ("jinja2", "plotly"):
        if find_spec(name) is None:
            raise UsageError(f"the HTML report needs {name}: pip install 'pexrtc_py[report]'")


def html_report(runs: Sequence[ProbeResult]) -> str:
    """Return the page for one run, or for two to compare.

    Raises:
        UsageError: the extra `report` is not installed, or there are more than two runs or none.
    """
    if len(runs) not in (1, 2):
        raise UsageError(f"a report shows one run or two, not {len(runs)}")
    check_extra()
    import jinja2  # noqa: PLC0415  # optional extra
    from plotly.offline import get_plotlyjs  # noqa: PLC0415  # optional extra

    template = _environment(jinja2).from_string((_HERE / "report.html.j2").read_text(encoding="utf-8"))
    scripts = [get_plotlyjs(), (_HERE / "report.js").read_text(encoding="utf-8")]
    return template.render(
        runs=runs,
        names=["first run", "second run"],
        style=(_HERE / "report.css").read_text(encoding="utf-8"),
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        plots=_script_safe({"join": _join(runs), "plots": _plots(runs), "runs": len(runs)}),
        tiles=_tiles(runs),
        streams=_streams(runs),
        groups=_figure_groups(runs),
        reasons=[[(_mark(reason), reason_text(reason)) for reason in _sorted_reasons(run)] for run in runs],
    )


def html_overview(runs: Sequence[tuple[ProbeResult, str]]) -> str:
    """Return a page of many runs, each with a link to its own report.

    Args:
        runs: each run, and the file name of its report.

    Raises:
        UsageError: the extra `report` is not installed.
    """
    try:
        import jinja2  # noqa: PLC0415  # optional extra
    except ImportError as exc:
        raise UsageError(f"the HTML report needs {exc.name}: pip install 'pexrtc_py[report]'") from exc
    template = _environment(jinja2).from_string((_HERE / "overview.html.j2").read_text(encoding="utf-8"))
    wanted = [name for name in _OVERVIEW if any(one.metric == name for run, _ in runs for one in figures(run))]
    rows = []
    for run, link in runs:
        worst = _worst(run)
        cells = [(worst[name].text, worst[name].outcome or "") if name in worst else ("", "") for name in wanted]
        why = [run.error] if run.error else []
        why += [f"{step.name}: {step.detail}" for step in run.steps if step.passed is False]
        why += [reason_text(reason) for reason in run.verdict.failures]
        rows.append({"run": run, "link": link, "cells": cells, "why": why})
    return template.render(
        rows=rows,
        metrics=[(_TILES[name], f"{name}: {METRICS[name].what}") for name in wanted],
        failed=sum(not run.passed for run, _ in runs),
        style=(_HERE / "report.css").read_text(encoding="utf-8"),
    )


def _environment(jinja2: ModuleType) -> jinja2.Environment:
    return jinja2.Environment(  # type: ignore[no-any-return]  # handed in, because it is optional
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )


def _shown(value: object) -> object:
    """Return what Jinja prints for a value: a peer's control characters and overrides are written out."""
    return visible(value) if type(value) is str else value


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _script_safe(data: object) -> str:
    """Return JSON that cannot end the script element it stands in (HTML section 4.12.1.3)."""
    text = json.dumps(data, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _sorted_reasons(run: ProbeResult) -> list[Reason]:
    return sorted(run.verdict.reasons, key=lambda reason: (not reason.is_failure, reason.value is None))


def _mark(reason: Reason) -> str:
    return "failed" if reason.is_failure else "passed" if reason.outcome is Outcome.PASSED else "unmeasured"


def _streams(runs: Sequence[ProbeResult]) -> list[str]:
    """Return the streams that get a column each; none when runs have the columns, or there would be too many."""
    found = list(dict.fromkeys(figure.stream for figure in figures(runs[0])))
    return found if len(runs) == 1 and len(found) <= _MOST_COLUMNS else []


def _tiles(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    """Return the few figures that a person looks at first: of each run the worst of all streams."""
    worst = [_worst(run) for run in runs]
    tiles: list[dict[str, object]] = []
    for name, words in _TILES.items():
        found = [each.get(name) for each in worst]
        if any(found):
            cells = [(one.text, one.outcome or "", one.stream) if one else ("-", "", "") for one in found]
            tiles.append({"words": words, "what": METRICS[name].what, "cells": cells})
    return tiles


def _worst(run: ProbeResult) -> dict[str, Figure]:
    """Return of each metric the worst figure of all streams."""
    worst: dict[str, Figure] = {}
    for figure in figures(run):
        before, better = worst.get(figure.metric), METRICS[figure.metric].better
        if before is None:
            worst[figure.metric] = figure
        elif better is Better.NEITHER:
            worst[figure.metric] = max(before, figure, key=lambda one: abs(one.value))
        elif (figure.value < before.value) == (better is Better.HIGHER):
            worst[figure.metric] = figure
    return worst


def _join(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    """Return the milestones of joining of every stream, each with how long it took since the one before."""
    bars: list[dict[str, object]] = []
    for number, run in enumerate(runs):
        streams: dict[str, list[tuple[float, str]]] = {}
        for series in run.series:
            metric = METRICS.get(series.metric)
            if metric is not None and metric.name in _MILESTONES and series.values:
                streams.setdefault(series.stream, []).append((series.values[0], metric.name))
        for stream, reached in streams.items():
            ordered = sorted(reached)
            ends = [round(ms, 1) for ms, _ in ordered]
            bars.append(
                {
                    "run": number,
                    "name": visible(stream),
                    "phases": [
                        name.removeprefix("setup.").removesuffix("_ms").replace("_", " ") for _, name in ordered
                    ],
                    "begins": [0.0, *ends[:-1]],
                    "lengths": [round(end - begin, 1) for begin, end in zip([0.0, *ends[:-1]], ends, strict=True)],
                }
            )
    return bars


def _plots(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    """Return what report.js draws: one plot for each metric that has a series in any run."""
    plots: list[dict[str, object]] = []
    missed = {reason.metric for run in runs for reason in run.verdict.failures}
    for metric in METRICS.values():
        factor, unit = _SCALES.get(metric.unit, (1.0, str(metric.unit)))
        traces: list[dict[str, object]] = []
        for number, run in enumerate(runs):
            for series in run.series:
                if series.metric == metric.name and len(series.times) >= _LEAST_SAMPLES:
                    values = [round(v * factor, 4) if math.isfinite(v) else None for v in series.values]
                    times = [round(time, 3) for time in series.times]
                    traces.append({"run": number, "name": visible(series.stream), "x": times, "y": values})
        if traces:
            limits = {
                round(reason.limit * factor, 4)
                for run in runs
                for reason in run.verdict.reasons
                if reason.metric == metric.name and _is_plain(reason.threshold)
            }
            plots.append(
                {
                    "id": metric.name.replace(".", "-"),
                    "title": metric.name,
                    "what": metric.what,
                    "unit": unit,
                    "traces": traces,
                    "limits": sorted(limits),
                    "moments": _moments(runs, metric.group),
                    "first": metric.name in _FIRST_PLOTS or metric.name in missed,
                }
            )
    rank = {name: place for place, name in enumerate(_FIRST_PLOTS)}
    return sorted(plots, key=lambda plot: (plot["title"] not in missed, rank.get(str(plot["title"]), len(rank))))


def _moments(runs: Sequence[ProbeResult], group: str) -> list[float]:
    """Return when something happened to the picture, for plots of it."""
    moments = [moment.time for moment in runs[0].moments] if len(runs) == 1 and group == "video" else []
    return moments if len(moments) <= _MOST_MOMENTS else []


def _is_plain(text: str) -> bool:
    """Say whether a threshold's limit can be laid beside single samples: a sum over the run cannot."""
    try:
        return Threshold.parse(text).aggregate != "sum"
    except UsageError:  # of another version
        return False


def _figure_groups(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    """Return the tables: a row for each metric with a cell for each stream, or for each metric and stream two runs."""
    first, second = (list(figures(runs[0])), list(figures(runs[-1])))
    groups: dict[str, dict[tuple[str, str], dict[str, object]]] = {}
    streams = _streams(runs)
    for name, stream, one, two in compared(first, second):
        metric = METRICS[name]
        rows = groups.setdefault(metric.group, {})
        row = rows.setdefault(
            (name, "" if streams else stream),
            {
                "metric": name,
                "stream": "" if streams else stream,
                "what": metric.what,
                "source": metric.source,
                "aggregate": metric.aggregate,
                "cells": {},
                "change": _change(one, two) if len(runs) == 2 else None,
            },
        )
        cells = row["cells"]
        assert isinstance(cells, dict)
        for number, figure in enumerate((one, two)[: len(runs)]):
            if figure is not None:
                cells[stream if streams else number] = (figure.text, figure.outcome or "")
    return [
        {"title": _GROUPS.get(group, group), "rows": list(rows.values()), "columns": streams or list(range(len(runs)))}
        for group, rows in groups.items()
    ]


def _change(one: Figure | None, two: Figure | None) -> tuple[str, str] | None:
    """Return the change from the first run to the second and whether it is better, worse or same."""
    if one is None or two is None:
        return None
    metric, difference = METRICS[one.metric], two.value - one.value
    if math.isclose(one.value, two.value, rel_tol=0.01, abs_tol=1e-9):
        return "=", "same"
    sign = "+" if difference > 0 else "−"
    better = (difference < 0) == (metric.better is Better.LOWER)
    judged = "same" if metric.better is Better.NEITHER else "better" if better else "worse"
    return f"{sign}{format_value(abs(difference), metric.unit)}", judged
