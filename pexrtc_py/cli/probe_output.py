"""What `pexrtc probe` and `pexrtc doctor` write, round by round: screen, stdout, files, bundles, the metrics page."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec
from rich.table import Table
from rich.text import Text

from ..errors import UsageError, WriteError
from ..probe.bundle import BundleConfig, bundle_path, keep_latest, write_bundle
from ..probe.evidence import Evidence
from ..probe.exposition import monitor_page, prometheus, write_prometheus
from ..probe.monitor import Round
from ..probe.rendering import junit, nagios, reason_text, samples_csv, table, unmeasured
from ..probe.repeats import Repeats
from ..probe.report import check_extra, html_overview, html_report
from ..probe.result import Cause, ProbeResult, serialize_result
from ..service.local_pages import LocalPages, Page, parse_listen
from .exits import ExitCode
from .lines import Results
from .screen import Screen

__all__ = ["Output", "OutputOptions", "exit_code", "parse_metrics_address"]

_KEPT_BUNDLES: Final = 20
"""Of a monitor, in its directory."""
_STYLES: Final = {"failed": "bold red", "passed": "green", "": ""}
_CODES: Final = {
    Cause.NONE: ExitCode.UNREACHABLE,
    Cause.REFUSED: ExitCode.REFUSED,
    Cause.UNREACHABLE: ExitCode.UNREACHABLE,
    Cause.REMOVED: ExitCode.REMOVED,
    Cause.FAILED: ExitCode.FAILED,
    Cause.STOPPED: ExitCode.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputOptions:
    """The options that say what to write."""

    json: bool = False
    jsonl: bool = False
    nagios: bool = False
    junit: Path | None = None
    csv: Path | None = None
    textfile: Path | None = None
    html: Path | None = None
    bundle: Path | None = None
    bundle_config: BundleConfig = field(default_factory=BundleConfig)
    metrics: tuple[str, int] | None = None
    monitors: bool = False
    """Whether rounds follow each other: then each result is one line."""

    def check(self) -> None:
        """Make sure that everything can be written, before anything is measured.

        Raises:
            UsageError: it cannot.
        """
        if self.html is not None:
            check_extra()
        files = {"--junit": self.junit, "--csv": self.csv, "--textfile": self.textfile, "--html": self.html}
        for option, path in files.items():
            if path is None:
                continue
            if path.is_dir():
                raise UsageError(f"{option} {path}: that is a folder")
            folder = path.absolute().parent
            if not folder.is_dir():
                raise UsageError(f"{option} {path}: there is no folder {folder}")
            if not os.access(path if path.exists() else folder, os.W_OK):
                raise UsageError(f"{option} {path}: may not be written")
        if self.bundle is not None:
            _check_bundle(self.bundle)


class Output:
    """Writes what every round brings; `exit_code` and `nagios_code` tell how it all ended."""

    def __init__(
        self,
        options: OutputOptions,
        screen: Screen,
        earlier: Sequence[ProbeResult] = (),
        *,
        all_figures: bool = False,
    ) -> None:
        options.check()
        self._options, self._screen, self._earlier = options, screen, earlier
        self._all_figures = all_figures
        self.lines = Results()
        """What is for programs, on stdout."""
        self.repeats = Repeats()
        self.exit_code = ExitCode.DONE
        self.nagios_code = 3

    def page(self) -> AbstractAsyncContextManager[object]:
        """Serve metrics while the block lasts, when asked for.

        Raises:
            UsageError: the address cannot be listened at.
        """
        if self._options.metrics is None:
            return nullcontext()
        pages = LocalPages(
            self._options.metrics,
            {
                "/metrics": lambda: Page(body=monitor_page(self.repeats), content_type="text/plain; version=0.0.4"),
                "/status": lambda: Page(
                    body=msgspec.json.encode(self.repeats.summary()), content_type="application/json"
                ),
                "/healthz": lambda: Page(body=b"ok\n", content_type="text/plain; charset=utf-8"),
            },
        )
        return _Told(pages, self._screen)

    def take(self, found: Round) -> None:
        """Tell a round, and then write its files: what was measured is not lost with a disk.

        Raises:
            WriteError: a file, or stdout, cannot be written.
        """
        ended, results = time.time(), found.results
        changed = [self.repeats.add(result, ended) for result in results]
        if self._options.nagios:
            line, self.nagios_code = nagios(*results)
            self.lines.write(line.rstrip("\n"))
        elif self._options.json or self._options.jsonl:
            for result in results:
                self.lines.write(serialize_result(result).decode())
        for result, other in zip(results, changed, strict=True):
            if self._options.monitors:
                self._note_line(result, changed=other)
            elif not self._options.nagios:
                self._note_all(result, named=len(results) > 1)
        self.exit_code = max((exit_code(result) for result in results), key=_severity)
        self._write_files(results)
        for number, (result, evidence) in enumerate(zip(results, found.evidence, strict=True), 1):
            if self._options.bundle is not None and evidence is not None and not result.passed:
                self._write_bundle(self._options.bundle, result, evidence, number if len(results) > 1 else None)
        self.lines.check()

    def finish(self) -> None:
        """Say what many rounds have in common.

        Raises:
            WriteError: it cannot be written to stdout.
        """
        if not self._options.monitors:
            return
        summary = self.repeats.summary()
        if self._options.json or self._options.jsonl:
            self.lines.write(msgspec.json.encode(summary).decode())
        for line in summary.targets:
            self._screen.note(f"{line.target} on {line.node}: {line.passed} passed, {line.failed} failed")
            for phase in line.phases:
                of = f"of {phase.runs}"
                self._screen.note(f"    {phase.metric:32} p50 {phase.p50:8.1f} ms  p95 {phase.p95:8.1f} ms  {of}")
        if any(line.failed for line in summary.targets) and self.exit_code is ExitCode.DONE:
            self.exit_code = ExitCode.THRESHOLD_MISSED
        self.lines.check()

    def _write_files(self, results: Sequence[ProbeResult]) -> None:
        options = self._options
        if options.textfile is not None:
            page = monitor_page(self.repeats) if options.monitors else prometheus(*results, ended=time.time()).encode()
            write_prometheus(page, options.textfile)
        if options.junit is not None:
            _write(options.junit, junit(*results))
        if options.csv is not None:
            _write(options.csv, samples_csv(*results))
        if options.html is not None:
            self._write_html(options.html, results)

    def _write_html(self, path: Path, results: Sequence[ProbeResult]) -> None:
        if len(results) == 1:
            _write(path, html_report([*self._earlier, *results]))
            return
        links = [f"{path.stem}-{number}{path.suffix}" for number in range(1, len(results) + 1)]
        for link, result in zip(links, results, strict=True):
            _write(path.with_name(link), html_report([result]))
        _write(path, html_overview(list(zip(results, links, strict=True))))

    def _write_bundle(self, target: Path, result: ProbeResult, evidence: Evidence, number: int | None) -> None:
        """Write a bundle; `number` is its place among several, which may be of one alias and one second."""
        if number is not None and target.suffix.lower() == ".zip":
            target = target.parent / target.stem  # one file has no room for many
        path = bundle_path(target, result)
        if number is not None:
            path = path.with_stem(f"{path.stem}-{number}")
        write_bundle(path, result, evidence, self._options.bundle_config)
        if path != target:
            keep_latest(path.parent, _KEPT_BUNDLES)
        self._screen.note(f"what is needed to find out why: {path}")

    def _note_line(self, result: ProbeResult, *, changed: bool) -> None:
        """Say one run of many in one line."""
        why = _why(result)
        state = "passed" if result.passed else "FAILED"
        again = (
            "  (it had failed before)" if changed and result.passed else "  (it had passed before)" if changed else ""
        )
        self._screen.note(f"{result.started}  {state}  {result.target}  {why}{again}".rstrip())

    def _note_all(self, result: ProbeResult, *, named: bool) -> None:
        """Say all of one run."""
        note = self._screen.note
        if named:
            note(f"== {result.target} on {result.node}")
        for step in result.steps:
            state = {True: "ok", False: "FAILED", None: "-"}[step.passed]
            took = f"{step.milliseconds:.0f} ms" if step.milliseconds is not None else ""
            note(f"{state:7} {step.name:6} {took:>8}  {step.detail}".rstrip())
            if step.cure:
                note(f"        -> {step.cure}")
        if result.kind != "join":  # the steps say it all where nothing but getting in was tried
            self._note_figures(result)
        for reason in result.verdict.failures:
            note(f"FAILED  {reason_text(reason)}")
        for caveat in result.caveats:
            note(f"beware: {caveat}")
        passed_over = unmeasured(result) if result.kind != "join" else ""  # what getting in alone does not measure
        told = f"passed ({passed_over})" if passed_over else "passed"
        note(told if result.passed else f"failed: {result.error}" if result.error else "failed")

    def _note_figures(self, result: ProbeResult) -> None:
        """Show a row for each metric, and a column for each stream."""
        rows = [row for row in table(result) if self._all_figures or row.is_telling]
        streams = list(dict.fromkeys(row.stream for row in rows))
        cells = {(row.metric, row.stream): row for row in rows}
        if not rows:
            return
        shown = Table(box=None, pad_edge=False, padding=(0, 2))
        shown.add_column()
        for stream in streams:
            shown.add_column(Text(stream), justify="right")
        for metric in dict.fromkeys(row.metric for row in rows):
            found = [cells.get((metric, stream)) for stream in streams]
            shown.add_row(metric, *(Text(row.value, style=_STYLES[row.outcome]) if row else "" for row in found))
        self._screen.show(shown)
        if not self._all_figures:
            self._screen.note("(all figures: -v, --json or --html)")


class _Told:
    """Says where the page is, once it is."""

    def __init__(self, pages: LocalPages, screen: Screen) -> None:
        self._pages, self._screen = pages, screen

    async def __aenter__(self) -> object:
        pages = await self._pages.__aenter__()
        self._screen.note(f"metrics at {pages.url}/metrics")
        return pages

    async def __aexit__(self, *exc: object) -> None:
        await self._pages.__aexit__(None, None, None)


def _check_bundle(target: Path) -> None:
    """Make sure that a bundle can be written; folders that are not there are made when one is.

    Raises:
        UsageError: it cannot.
    """
    folder = target.absolute() if target.is_dir() or target.suffix.lower() != ".zip" else target.absolute().parent
    there = next(path for path in (folder, *folder.parents) if path.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise UsageError(f"--bundle {target}: {there} is no folder that may be written to")


def exit_code(result: ProbeResult) -> ExitCode:
    """Return the exit code of one run."""
    if result.passed:
        return ExitCode.DONE
    if result.error or any(step.passed is False for step in result.steps):
        return _CODES[result.cause]
    return ExitCode.THRESHOLD_MISSED


def _severity(code: ExitCode) -> int:
    """Order exit codes: of several runs the worst counts."""
    order = (ExitCode.DONE, ExitCode.THRESHOLD_MISSED, ExitCode.REMOVED, ExitCode.UNREACHABLE, ExitCode.REFUSED)
    return order.index(code) if code in order else len(order)


def _why(result: ProbeResult) -> str:
    if result.error:
        return result.error
    failed = [f"{step.name}: {step.detail}" for step in result.steps if step.passed is False]
    return ", ".join([*failed, *(reason_text(reason) for reason in result.verdict.failures)])


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc


def parse_metrics_address(text: str | None) -> tuple[str, int] | None:
    """Read `--metrics`: ADDRESS:PORT, or a port alone, which is of loopback.

    Raises:
        UsageError: it is none.
    """
    if text is None:
        return None
    port = text.removeprefix(":")
    if port.isascii() and port.isdecimal():
        if len(port) > 5 or int(port) > 65535:
            raise UsageError(f"--metrics {text}: a port is at most 65535")
        return "127.0.0.1", int(port)
    return parse_listen(text, option="--metrics")
