"""The page of metrics: figures of jobs, and names that try to be lines of their own."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from pexrtc_py.errors import WriteError
from pexrtc_py.service.metrics import Figure, JobSample, MachineSample, metrics_page, safe_label, write_textfile
from tests.support.probe_runs import HOSTILE


def samples(page: bytes) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Read a page the way Prometheus does: value by name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(page.decode())
        for sample in family.samples
    }


def value(page: bytes, name: str, **labels: str) -> float:
    """The one sample of a name with at least these labels."""
    [found] = [v for (n, has), v in samples(page).items() if n == name and labels.items() <= dict(has).items()]
    return found


def test_a_recording_and_a_probe() -> None:
    """Each job has its state, its counts, and the figures of its latest run; a machine what it has left."""
    record = JobSample(
        job="record:a",
        kind="record",
        alias="a",
        state="running",
        runs=3,
        failures=2,
        media_seconds=12.5,
        bytes=1000,
        last={"gaps": 4.0},
    )
    figure = Figure(metric="video.delay_ms", stream="A → B", aggregate="mean", value=74.25)
    probe = JobSample(job="p", kind="probe", alias="b", state="waiting", passed=False, figures=(figure,))
    machine = MachineSample(cpu_ratio=0.25, workers=(("0", 1.5, 1000, 2),), counters={"uploads": 7})
    page = metrics_page([record, probe], machine)
    assert value(page, "pexrtc_job_state", job="record:a", state="running") == 1
    assert value(page, "pexrtc_job_state", job="record:a", state="held") == 0
    assert value(page, "pexrtc_job_runs_total", job="record:a", kind="record", alias="a") == 3
    assert value(page, "pexrtc_job_failures_total", job="record:a") == 2
    assert value(page, "pexrtc_job_media_seconds", job="record:a") == 12.5
    assert value(page, "pexrtc_job_last_run", job="record:a", figure="gaps") == 4
    assert value(page, "pexrtc_probe_passed", job="p") == 0
    assert value(page, "pexrtc_probe_figure", metric="video.delay_ms", stream="A → B", aggregate="mean") == 74.25
    assert value(page, "pexrtc_worker_restarts_total", worker="0") == 2
    assert value(page, "pexrtc_uploads_total") == 7
    assert value(page, "pexrtc_cpu_ratio") == 0.25


def test_a_hostile_name_is_one_label() -> None:
    """Quotes, line ends, control characters and marks of direction stay within the label's value."""
    job = JobSample(job=HOSTILE, kind="record", alias='a"} 1\npexrtc_up{x="', state="running", runs=1)
    page = metrics_page([job], MachineSample())
    names = {name for name, _ in samples(page)}
    assert all(name.startswith("pexrtc_") for name in names)
    assert "pexrtc_up" not in names
    assert "\x1b" not in page.decode()
    assert "\u202e" not in page.decode()
    assert value(page, "pexrtc_job_runs_total") == 1


@given(st.text())
def test_any_label_is_one_short_line(text: str) -> None:
    """Whatever it is, surrogates too, it can be written and read again."""
    label = safe_label(text)
    assert label.isprintable()
    assert len(label) <= 128
    page = metrics_page([JobSample(job=text, kind="record", alias=text, state="running", runs=1)], MachineSample())
    assert value(page, "pexrtc_job_runs_total", job=label, alias=label) == 1


def test_textfile(tmp_path: Path) -> None:
    """It is replaced as a whole, others may read it, and nothing else stays in the folder."""
    path = tmp_path / "pexrtc.prom"
    job = JobSample(job="a", kind="record", alias="a", state="running")
    write_textfile(path, [job], MachineSample())
    write_textfile(path, [job, job], MachineSample())
    assert path.read_bytes() == metrics_page([job, job], MachineSample())
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(WriteError, match="nowhere"):
        write_textfile(tmp_path / "nowhere" / "x.prom", [], MachineSample())
    folder = tmp_path / "folder.prom"
    folder.mkdir()
    with pytest.raises(WriteError, match="is a directory"):
        write_textfile(folder, [], MachineSample())
    assert sorted(tmp_path.iterdir()) == sorted((path, folder)), "no draft is left"
