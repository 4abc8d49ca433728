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
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

from ..errors import UsageError
from .metrics import METRICS, Better, Unit
from .rendering import reason_text, visible
from .result import Figure, ProbeResult, compared, figures, format_value
from .thresholds import Outcome, Reason, Threshold

__all__ = ["html_overview", "html_report"]

if TYPE_CHECKING:
    import jinja2

_HERE: Final = Path(__file__).parent
_LEAST_SAMPLES: Final = 3
"""A series shorter than this is a figure, not a plot."""
_SCALES: Final = {Unit.RATIO: (100.0, "%"), Unit.BITS_PER_SECOND: (1e-3, "kb/s")}
_OVERVIEW: Final = (
    *("setup.first_picture_ms", "audio.loss_ratio", "video.loss_ratio", "audio.mos", "video.fps"),
    *("video.freeze_ratio", "video.delay_ms", "av.skew_ms"),
)
"""What an overview of many runs shows of each: the worst of all streams."""
_GROUPS: Final = {
    "setup": "Set-up",
    "audio": "Sound",
    "video": "Picture",
    "av": "Sound and picture together",
    "presentation": "Presentation",
    "control": "Control",
    "self": "This machine, while it measured",
}


def html_report(runs: Sequence[ProbeResult]) -> str:
    """Return the page for one run, or for two to compare.

    Raises:
        UsageError: the extra `report` is not installed, or there are more than two runs or none.
    """
    if len(runs) not in (1, 2):
        raise UsageError(f"a report shows one run or two, not {len(runs)}")
    try:
        import jinja2  # noqa: PLC0415  # optional extra
        from plotly.offline import get_plotlyjs  # noqa: PLC0415  # optional extra
    except ImportError as exc:
        raise UsageError(f"the HTML report needs {exc.name}: pip install 'pexrtc_py[report]'") from exc
    template = _environment(jinja2).from_string((_HERE / "report.html.j2").read_text(encoding="utf-8"))
    scripts = [get_plotlyjs(), (_HERE / "report.js").read_text(encoding="utf-8")]
    return template.render(
        runs=runs,
        names=["first run", "second run"],
        style=(_HERE / "report.css").read_text(encoding="utf-8"),
        scripts=scripts,
        hashes=[_hash(script) for script in scripts],
        plots=_script_safe({"plots": _plots(runs), "runs": len(runs)}),
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
        worst: dict[str, Figure] = {}
        for figure in figures(run):
            metric, before = METRICS[figure.metric], worst.get(figure.metric)
            if before is None or (figure.value < before.value) == (metric.better is Better.HIGHER):
                worst[figure.metric] = figure
        cells = [(worst[name].text, worst[name].outcome or "") if name in worst else ("", "") for name in wanted]
        why = [run.error] if run.error else []
        why += [f"{step.name}: {step.detail}" for step in run.steps if step.passed is False]
        why += [reason_text(reason) for reason in run.verdict.failures]
        rows.append({"run": run, "link": link, "cells": cells, "why": why})
    return template.render(
        rows=rows,
        metrics=[(name, METRICS[name].what) for name in wanted],
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


def _plots(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    """Return what report.js draws: one plot for each metric that has a series in any run."""
    plots: list[dict[str, object]] = []
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
                    "moments": [moment.time for moment in runs[0].moments] if len(runs) == 1 else [],
                }
            )
    return plots


def _is_plain(text: str) -> bool:
    """Say whether a threshold's limit can be laid beside single samples: a sum over the run cannot."""
    return Threshold.parse(text).aggregate != "sum"


def _figure_groups(runs: Sequence[ProbeResult]) -> list[dict[str, object]]:
    first, second = (list(figures(runs[0])), list(figures(runs[-1])))
    groups: dict[str, list[dict[str, object]]] = {}
    for name, stream, one, two in compared(first, second):
        metric = METRICS[name]
        groups.setdefault(metric.group, []).append(
            {
                "metric": name,
                "stream": stream,
                "what": metric.what,
                "source": metric.source,
                "aggregate": metric.aggregate,
                "values": [figure.text if figure else "" for figure in (one, two)[: len(runs)]],
                "outcomes": [(figure.outcome or "") if figure else "" for figure in (one, two)[: len(runs)]],
                "change": _change(one, two) if len(runs) == 2 else None,
            }
        )
    return [{"title": _GROUPS.get(group, group), "rows": rows} for group, rows in groups.items()]


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
