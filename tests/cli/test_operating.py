"""docs/operating.md says nothing that the commands do not have."""

from __future__ import annotations

import re
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from pexrtc_py.cli.app import make_app
from pexrtc_py.fleet.entries import AnnounceJob, Defaults, ProbeJob, RecordJobEntry
from pexrtc_py.fleet.jobs import LimitsTable, UploadTable, WebhookTable, parse_jobs
from pexrtc_py.fleet.world import World
from pexrtc_py.probe.exposition import monitor_page
from pexrtc_py.probe.metrics import METRICS
from pexrtc_py.probe.repeats import Repeats
from pexrtc_py.service.metrics import JobSample, MachineSample, metrics_page
from tests.support.probe_runs import doctor, run

PAGE = Path(__file__).parents[2] / "docs/operating.md"


def test_the_page_names_what_there_is() -> None:
    """Every command and every option on the page exists."""
    group = typer.main.get_command(make_app())
    assert isinstance(group, TyperGroup)
    text = PAGE.read_text()
    commands = set(re.findall(r"\bpexrtc ([a-z]+)\b", text))
    assert commands >= {"record", "announce", "roster", "node"}
    assert commands <= group.commands.keys()
    known = {"--help"} | {
        name for command in group.commands.values() for option in command.params for name in option.opts
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", text)) <= known
    assert set(re.findall(r"\bPEXRTC_[A-Z_]+", text)) <= {"PEXRTC_NODE", "PEXRTC_PIN", "PEXRTC_QUEUE_TOKEN"}


def test_the_page_names_every_metric(tmp_path: Path) -> None:
    """Who sets an alarm finds each name of both pages of metrics there, and none that is not."""
    machine = MachineSample(
        cpu_ratio=0.5,
        memory_free_bytes=1,
        workers=(("1", 1.0, 1, 0),),
        counters=World(
            parse_jobs(f'[[record]]\nalias = "a@b.c"\noutput = "x.mkv"\n[upload]\nto = "{tmp_path}"')
        ).counters,
    )
    job = JobSample(job="a", kind="probe", alias="a", state="running", passed=True)
    repeats = Repeats()
    for result in (run(bad=True), doctor()):
        repeats.add(result, 1000.0)
    pages = metrics_page([job], machine).decode() + monitor_page(repeats).decode()
    given = set(re.findall(r"^# TYPE (\w+?)(?:_total|_info|_created)? (?:gauge|counter)$", pages, re.MULTILINE))
    measured = {f"pexrtc_probe_{name.replace('.', '_')}" for name in METRICS}
    text = PAGE.read_text().partition("**Metrics.**")[2].partition("\n\n**")[0]
    assert set(re.findall(r"`(pexrtc_[a-z_]+)`", text)) - measured == given - measured - {"pexrtc"}


def test_the_page_names_every_key_of_a_list_of_jobs() -> None:
    """Who writes a JOBS.toml finds each key there, and none that is not."""
    rows = [
        line.split("|") for line in PAGE.read_text().partition("| table | keys |")[2].partition("\n\n")[0].splitlines()
    ]
    named = {row[1].strip(" `"): set(re.findall(r"`(\w+)`", row[2])) for row in rows if len(row) > 2}
    common = next(keys for table, keys in named.items() if table.startswith("each job"))
    for table, fields in {
        "[[record]]": RecordJobEntry.__struct_fields__,
        "[[announce]]": AnnounceJob.__struct_fields__,
        "[[probe]]": ProbeJob.__struct_fields__,
    }.items():
        assert common | named[table] == set(fields)
    assert common - {"alias", "id", "removed_wait_s"} | {"output"} == set(Defaults.__struct_fields__)
    assert named["[limits]"] == set(LimitsTable.__struct_fields__)
    assert named["[upload]"] == set(UploadTable.__struct_fields__)
    assert named["[[webhook]]"] == set(WebhookTable.__struct_fields__)
