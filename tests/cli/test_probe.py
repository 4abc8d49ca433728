"""`pexrtc probe` as it is typed: what the words mean, what is written where, and how it ends."""

from __future__ import annotations

import asyncio
import csv
import json
import os
import signal
import stat
import zipfile
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.impairing import parse_impairment, parse_time
from pexrtc_py.cli.joining import WayIn
from pexrtc_py.cli.probe import bundle_config, read_repeats
from pexrtc_py.cli.probe_output import Output, OutputOptions, exit_code, parse_metrics_address
from pexrtc_py.cli.probe_plans import PlanOptions, make_plans, read_size
from pexrtc_py.cli.screen import Screen
from pexrtc_py.errors import UsageError, WriteError
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.probe.attempts import PlanKind
from pexrtc_py.probe.evidence import Evidence
from pexrtc_py.probe.monitor import Round
from pexrtc_py.probe.result import Cause, ProbeResult
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling.finding import ServiceRecord
from pexrtc_py.webrtc.impairment import PRESETS, Impairment, TwoWayImpairment

from ..support.commands import error_lines, pexrtc, pexrtc_here, start
from ..support.probe_runs import doctor, run


@pytest.mark.parametrize(
    ("text", "impairment"),
    [
        ("3g", PRESETS["3g"]),
        ("3g,loss=10%", replace(PRESETS["3g"], loss=0.1)),
        ("loss=5%,delay=100ms,jitter=20,burst=3", Impairment(loss=0.05, delay_s=0.1, jitter_s=0.02, burst=3)),
        (
            "rate=500k,queue=1s,reorder=0.01,duplicate=1%",
            Impairment(rate_bps=500_000, queue_s=1, reorder=0.01, duplicate=0.01),
        ),
        ("rate=2.5Mbps", Impairment(rate_bps=2_500_000)),
    ],
)
def test_networks_as_people_write_them(text: str, impairment: Impairment) -> None:
    """Presets, values, and presets with values: both ways."""
    assert parse_impairment(text) == impairment


@pytest.mark.parametrize(
    ("texts", "impairment"),
    [
        ([], None),
        (["send:3g"], TwoWayImpairment(send=PRESETS["3g"])),
        (["receive:loss=5%,burst=3"], TwoWayImpairment(receive=Impairment(loss=0.05, burst=3))),
        (
            ["receive:3g,loss=10%", "send:rate=500k"],
            TwoWayImpairment(send=Impairment(rate_bps=500_000), receive=replace(PRESETS["3g"], loss=0.1)),
        ),
    ],
)
def test_a_bad_network_one_way(texts: list[str], impairment: TwoWayImpairment | None) -> None:
    """A direction before a colon; the other one is a good network unless it is told as well."""
    assert parse_impairment(*texts) == impairment


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (["send:3g", "send:loss=5%"], "--impair send:loss=5%: what is wrong with what we send was said before"),
        (["3g", "receive:4g"], "--impair receive:4g: what is wrong with what we receive was said before"),
        (["3g", "4g"], "--impair 4g: what is wrong with what we send was said before"),
        (["up:3g"], "--impair up:3g: before a colon only send or receive"),
        (["send:"], "--impair : only call-drop"),
    ],
)
def test_directions_that_are_none(texts: list[str], told: str) -> None:
    """One error that names the part."""
    with pytest.raises(UsageError) as error:
        parse_impairment(*texts)
    assert told in str(error.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("6g", "--impair 6g: only call-drop"),
        ("loss", "--impair loss: only call-drop"),
        ("3g,lost=1%", "--impair 'lost=1%': only loss="),
        ("loss=101%", "--impair: 101% is no share"),
        ("loss=-1", "--impair: -1 is no share"),
        ("delay=1h", "--impair: 1h is longer than 10 s"),
        ("rate=5", "--impair: 5 is no rate"),
        ("burst=0.5", "--impair: burst 0.5"),
        ("delay=nan", "--impair delay nan: say a time"),
    ],
)
def test_networks_that_are_none(text: str, told: str) -> None:
    """One error that names the part."""
    with pytest.raises(UsageError) as error:
        parse_impairment(text)
    assert told in str(error.value)


def test_times_sizes_and_addresses() -> None:
    """As people write them; what is none is one error."""
    assert [parse_time(text, what="x") for text in ("500ms", "30", "1.5m", "2h", "1d")] == [0.5, 30, 90, 7200, 86400]
    assert (read_size("640x361@15").width, read_size("640x361@15").height, read_size("640x361@15").frame_rate) == (
        640,
        360,
        15,
    )
    assert parse_metrics_address("9464") == parse_metrics_address(":9464") == ("127.0.0.1", 9464)
    assert parse_metrics_address("[::1]:80") == ("::1", 80)
    for text in ("x", "1280", "1280x", "10x10", "1280x720@0", "1280x720@61"):
        with pytest.raises(UsageError, match="--size"):
            read_size(text)
    for text in ("70000", "x", "127.0.0.1:x"):
        with pytest.raises(UsageError, match="--metrics"):
            parse_metrics_address(text)
    with pytest.raises(UsageError, match="--bundle-shows pins: only names, addresses"):
        bundle_config(["names,pins"])
    assert read_repeats(None, None, 30.0).count == 1
    assert read_repeats("5m", None, 30.0).count is None
    assert read_repeats(None, 3, 30.0).every_s is None


async def records(name: str) -> Sequence[ServiceRecord]:
    """Answer as a resolver would that knows two nodes of example.com."""
    assert name == "_pexapp._tcp.example.com"
    return [
        ServiceRecord(priority=priority, weight=1, port=443, target=f"node{priority}.example.com")
        for priority in (1, 2)
    ]


async def test_every_node_that_dns_names_is_gone_to() -> None:
    """One plan for each node when asked for; else one that may fall back."""
    options = PlanOptions(kind=PlanKind.PAIR, name="Canary", relay_only=True)
    every = await make_plans(["a@example.com"], WayIn(), replace(options, all_nodes=True), resolve=records)
    assert [plan.end.session.node_url for plan in every] == ["https://node1.example.com", "https://node2.example.com"]
    assert all(plan.end.session.fallback_urls == () for plan in every)
    (one,) = await make_plans(["a@example.com"], WayIn(), options, resolve=records)
    assert one.end.session.fallback_urls == ("https://node2.example.com",)
    assert one.second is not None
    assert (one.end.session.display_name, one.second.session.display_name) == ("Canary", "Canary 2")
    assert one.end.peer.relay_only
    assert one.second.peer.relay_only


async def test_who_is_alone_waits_less() -> None:
    """Four seconds of measuring took fourteen, ten of them for what nobody sends."""
    ((alone,), (other,)) = [
        await make_plans(["pexip://meet.a@example.com"], WayIn(), PlanOptions(wants_media=wants), resolve=records)
        for wants in (False, True)
    ]
    assert alone.run.media_timeout_s == alone.doctor.media_s < other.run.media_timeout_s


async def test_join_links_lead_there() -> None:
    """The link's node, alias and PIN."""
    (plan,) = await make_plans(["https://n.example.com/webapp3/m/meet.a?pin=42"], WayIn(), PlanOptions())
    assert (plan.end.session.node_url, plan.end.session.alias) == ("https://n.example.com", "meet.a")


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"kind": PlanKind.ECHO, "network_only": True}, "--network-only looks at packets"),
        ({"control": True}, "--control times what the other participant notices: it needs --pair"),
        ({"kind": PlanKind.PAIR, "control": True, "network_only": True}, "--control looks at a presentation"),
    ],
)
def test_options_that_exclude_each_other(changes: dict[str, object], told: str) -> None:
    """Are told before anybody joins."""
    with pytest.raises(UsageError, match=told):
        PlanOptions(**changes)  # type: ignore[arg-type]  # each case has the types of its fields


@pytest.mark.parametrize(
    ("result", "code"),
    [
        (run(), ExitCode.DONE),
        (run(bad=True), ExitCode.THRESHOLD_MISSED),
        (doctor(), ExitCode.UNREACHABLE),
        *(
            (
                ProbeResult(
                    kind="single", target="", node="", started="", duration_s=0, version="", error="x", cause=cause
                ),
                code,
            )
            for cause, code in (
                (Cause.REFUSED, ExitCode.REFUSED),
                (Cause.UNREACHABLE, ExitCode.UNREACHABLE),
                (Cause.REMOVED, ExitCode.REMOVED),
                (Cause.FAILED, ExitCode.FAILED),
            )
        ),
    ],
)
def test_exit_codes(result: ProbeResult, code: ExitCode) -> None:
    """Of one run."""
    assert exit_code(result) is code


@pytest.mark.slow
async def test_several_at_once_write_everything(tmp_path: Path) -> None:
    """Three conferences, one of them behind a PIN: every output has all three, and the failed one leaves a bundle."""
    rooms = {"meet.pin": RoomSettings(alias="meet.pin", pin="824681", allow_guests=False)}
    async with Node(NodeConfig(conferences=rooms, open=True)) as node:
        done = await pexrtc(
            *(
                "probe",
                "--node",
                node.url,
                "--network-only",
                "--alone",
                "--duration",
                "2",
                "--json",
                "--name",
                "Canary",
            ),
            *("--junit", str(tmp_path / "j.xml"), "--textfile", str(tmp_path / "p.prom")),
            *("--html", str(tmp_path / "r.html"), "--bundle", str(tmp_path / "bundles")),
            *("--csv", str(tmp_path / "s.csv")),
            *("--fail-if", "audio.rtt_ms > 5s", "meet.a", "meet.b", "meet.pin"),
        )
    assert done.code == ExitCode.REFUSED, done.err
    results = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["target"], one.get("cause", "")) for one in results] == [
        ("meet.a", ""),
        ("meet.b", ""),
        ("meet.pin", "refused"),
    ]
    suites = ElementTree.parse(tmp_path / "j.xml").getroot()
    assert [suite.get("errors") for suite in suites] == ["0", "0", "1"]
    lines = list(csv.DictReader((tmp_path / "s.csv").open(newline="")))
    assert {line["target"] for line in lines if line["metric"] == "audio.rtt_ms"} == {"meet.a", "meet.b"}
    assert (tmp_path / "p.prom").read_text().count("\npexrtc_probe_passed{") == 3
    assert {path.name for path in tmp_path.glob("*.html")} == {"r.html", "r-1.html", "r-2.html", "r-3.html"}
    (bundle,) = (tmp_path / "bundles").iterdir()
    assert stat.S_IMODE(bundle.stat().st_mode) == 0o600
    assert "result.json" in zipfile.ZipFile(bundle).namelist()


@pytest.mark.slow
async def test_a_monitor_goes_on_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """A line for each run, a live page, and on SIGTERM a summary with p50 and p95; nobody stays in the conference."""
    async with Node(NodeConfig()) as node:
        process = await start(
            *("doctor", "--node", node.url, "meet.a", "--alone", "--every", "10s", "--json"),
            *("--textfile", str(tmp_path / "p.prom")),
        )
        assert process.stdout is not None
        async with asyncio.timeout(40):
            first = json.loads(await process.stdout.readline())
            process.send_signal(signal.SIGTERM)
            rest, err = await process.communicate()
    assert first["kind"] == "join"
    summary = json.loads(rest.decode().splitlines()[-1])
    assert (summary["schema"], summary["runs"], summary["failed"]) == ("pexrtc.probe.summary/1", 1, 0)
    phases = {phase["metric"]: phase for phase in summary["targets"][0]["phases"]}
    assert 0 < phases["setup.dtls_ms"]["p50"] <= phases["setup.dtls_ms"]["p95"]
    assert process.returncode == ExitCode.DONE, err
    assert "pexrtc_probe_runs_total" in (tmp_path / "p.prom").read_text()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--junit", "{}/none/j.xml"), "--junit {}/none/j.xml: there is no folder {}/none"),
        (("--textfile", "{}"), "--textfile {}: that is a folder"),
        (("--csv", "{}/none/s.csv"), "--csv {}/none/s.csv: there is no folder {}/none"),
        (("--html", "{}/none/r.html"), "--html {}/none/r.html: there is no folder {}/none"),
        (("--bundle", "{}/file/b.zip"), "--bundle {}/file/b.zip: {}/file is no folder that may be written to"),
        (("--html", "{}/r.html", "--compare", "{}/none.json"), "--compare {}/none.json: no such file or directory"),
        (("--pair", "--alone"), "--alone: with --pair what is sent must come"),
    ],
)
def test_what_cannot_be_written_is_told_before_measuring(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    """A report that could not be written was found out after the run, and the result was lost with it."""
    (tmp_path / "file").touch()
    given = [option.format(tmp_path) for option in options]
    done = pexrtc_here("probe", "--node", "http://127.0.0.1:9", *given, "meet.a")
    assert done.code == ExitCode.USAGE
    assert error_lines(done) == ["error: " + told.replace("{}", str(tmp_path))]


def test_a_result_comes_before_its_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that goes away during the run costs the file, not the result."""
    folder = tmp_path / "reports"
    folder.mkdir()
    output = Output(OutputOptions(json=True, junit=folder / "j.xml"), Screen(json=True, quiet=True))
    folder.rmdir()
    with pytest.raises(WriteError, match=r"j\.xml: no such file or directory"):
        output.take(Round(number=1, results=[run()], evidence=[None]))
    assert json.loads(capsys.readouterr().out)["target"] == "meet.alice"


def test_each_node_that_fails_leaves_a_bundle(tmp_path: Path) -> None:
    """Of two nodes of one conference, in one second, the second bundle took the place of the first."""
    output = Output(OutputOptions(bundle=tmp_path / "bundles"), Screen(quiet=True))
    failed = [run(bad=True), run(bad=True)]
    output.take(Round(number=1, results=failed, evidence=[Evidence(), Evidence()]))
    assert len(list((tmp_path / "bundles").iterdir())) == 2


def test_results_that_nobody_reads(tmp_path: Path) -> None:
    """A reader who goes, or a full disk, was a bug with a traceback, and cost the files: now it ends with one line."""
    reader, writer = os.pipe()
    os.close(reader)
    full = os.open("/dev/full", os.O_WRONLY)
    lost: list[str] = []
    for place, (target, told) in enumerate(((writer, "broken pipe"), (full, "no space left on device"))):
        file = tmp_path / f"{place}.xml"
        output = Output(OutputOptions(jsonl=True, junit=file), Screen(json=True, quiet=True))
        output.lines.on_lost = partial(lost.append, told)
        with os.fdopen(target, "w") as stdout, redirect_stdout(stdout):
            for _ in range(3):
                output.lines.write("a sample")
            with pytest.raises(WriteError, match=f"standard output: {told}"):
                output.take(Round(number=1, results=[run()], evidence=[None]))
        assert file.exists()
    assert lost == ["broken pipe", "no space left on device"]


@pytest.mark.slow
@pytest.mark.parametrize("options", [("probe", "--join-only"), ("doctor",)])
def test_a_password_in_a_url_is_nowhere(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Of a node that is not there: neither on the screen nor in any file."""
    done = pexrtc_here(
        *(*options, "--node", "http://user:s3cret@127.0.0.1:9", "--json", "-v", "-v", "meet.a"),
        *("--junit", str(tmp_path / "j.xml"), "--textfile", str(tmp_path / "p.prom")),
        *("--html", str(tmp_path / "r.html"), "--bundle", str(tmp_path / "b.zip")),
    )
    assert done.code == ExitCode.UNREACHABLE, done.err
    assert json.loads(done.out)["node"] == "http://127.0.0.1:9"
    with zipfile.ZipFile(tmp_path / "b.zip") as bundle:
        contents = [bundle.read(name) for name in bundle.namelist()]
    contents += [(tmp_path / name).read_bytes() for name in ("j.xml", "p.prom", "r.html")]
    assert not [text for text in (done.out.encode(), done.err.encode(), *contents) if b"s3cret" in text]


def test_nagios_tells_of_a_node_that_is_down() -> None:
    """A line, and CRITICAL or UNKNOWN: whatever can be said, on stdout."""
    done = pexrtc_here("probe", "--nagios", "--network-only", "--node", "http://127.0.0.1:9", "meet.a")
    assert done.code in (2, 3)
    assert done.out.startswith(f"PEXRTC {('', '', 'CRITICAL', 'UNKNOWN')[done.code]} - ")
    assert len(done.out.splitlines()) == 1


@pytest.mark.slow
def test_nagios_gets_a_line_whatever_happens() -> None:
    """A usage error is UNKNOWN, with a line on stdout and exit code 3."""
    done = pexrtc_here("probe", "--nagios", "--fail-if", "video.fsp < 1", "--node", "http://127.0.0.1:9", "meet.a")
    assert done.code == 3
    assert done.out.startswith("PEXRTC UNKNOWN - threshold 'video.fsp < 1': no metric 'video.fsp'")
    assert len(error_lines(done)) == 1
