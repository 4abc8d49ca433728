"""The support bundle: one zip file with all that is needed to find out why a run failed, fit to be mailed.

What goes in is first made harmless by `redaction`; names of files inside are ours alone, so that no peer writes one.
The file is whole or not there, readable by its owner only, and never larger than asked for: when it would be, pictures,
then the report, then statistics are left out, and the first page says so.
"""

from __future__ import annotations

import io
import os
import platform
import re
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from ..errors import UsageError, WriteError
from ..protocol.escaping import visible
from ..protocol.events import EVENT_TYPES
from ..version import __version__
from .evidence import EndEvidence, Evidence, KeptEvent
from .redaction import Redaction, Redactor
from .rendering import reason_text
from .report import html_report
from .result import ProbeResult, serialize_result

__all__ = ["BundleConfig", "bundle_path", "keep_latest", "make_bundle", "write_bundle"]

_SAFE_NAME: Final = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_LENGTH: Final = 60
_PREFIX: Final = "pexrtc-probe-"
_ZIP_OVERHEAD: Final = 256
"""Bytes of the directory for each file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleConfig:
    """What a bundle shows, and how large it may become."""

    redaction: Redaction = field(default_factory=Redaction)
    max_bytes: int = 20_000_000
    """Of the file; mail systems take about that much."""
    pictures: bool = True
    """Whether pictures of the worst moments go in: they show what was to be seen in the conference."""


@dataclass(frozen=True, slots=True)
class _Part:
    """One file of the bundle; a lower rank is kept longer."""

    rank: int
    name: str
    content: bytes
    what: str


def bundle_path(target: Path, result: ProbeResult) -> Path:
    """Return where a bundle goes: `target` itself, or in the directory `target` a file named after the run."""
    if target.suffix.lower() == ".zip" and not target.is_dir():
        return target
    alias = _SAFE_NAME.sub("-", result.target)[:_NAME_LENGTH].strip("-.") or "run"
    moment = _SAFE_NAME.sub("", result.started.replace(":", ""))
    return target / f"{_PREFIX}{alias}-{moment}.zip"


def keep_latest(folder: Path, count: int) -> None:
    """Delete all but the newest bundles of a directory, so that a monitor does not fill the disk. Blocks.

    Raises:
        WriteError: one cannot be deleted.
    """
    try:
        found = sorted(folder.glob(f"{_PREFIX}*.zip"), key=lambda path: path.stat().st_mtime_ns)
        for path in found[: max(0, len(found) - count)]:
            path.unlink(missing_ok=True)
    except OSError as exc:
        raise WriteError(f"{folder}: {(exc.strerror or str(exc)).lower()}") from exc


def write_bundle(path: Path, result: ProbeResult, evidence: Evidence, config: BundleConfig | None = None) -> None:
    """Write a bundle; a file of that name is replaced. Blocks while it packs.

    Raises:
        WriteError: it cannot be written.
    """
    content = make_bundle(result, evidence, config or BundleConfig())
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb") as out:
            out.write(content)
        draft.replace(path)
    except OSError as exc:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc


def make_bundle(result: ProbeResult, evidence: Evidence, config: BundleConfig) -> bytes:
    """Return the bytes of a bundle."""
    host = urlsplit(result.node).hostname or ""
    names = [*sorted(evidence.names, key=len, reverse=True), result.target, host]
    redactor = Redactor(config.redaction, secrets=evidence.secrets, names=[name for name in names if name])
    parts = sorted(_parts(result, evidence, redactor, config), key=lambda part: part.rank)
    return _packed(parts, config)


def _packed(parts: list[_Part], config: BundleConfig) -> bytes:
    """Put in what fits, the most telling first."""
    out = io.BytesIO()
    kept: list[_Part] = []
    left_out: list[_Part] = []
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        reserve = 4096 + sum(_ZIP_OVERHEAD + len(part.what) for part in parts)
        for part in parts:
            size = len(_compressed(part.content)) + _ZIP_OVERHEAD
            if out.tell() + size + reserve > config.max_bytes:
                left_out.append(part)
                continue
            kept.append(part)
            file.writestr(_entry(part.name), part.content)
        file.writestr(_entry("README.txt"), _first_page(kept, left_out, config))
    return out.getvalue()


def _compressed(content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(_entry("size"), content)
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)  # of 1980: when it was packed is nobody's business, and the same run packs the same
    entry.external_attr = 0o600 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _first_page(kept: list[_Part], left_out: list[_Part], config: BundleConfig) -> str:
    shown = config.redaction
    lines = [
        f"Support bundle of a run of pexrtc_py {__version__}",
        "",
        *(f"  {part.name:34} {part.what}" for part in sorted(kept, key=lambda part: part.name)),
        "",
        "Never in here: tokens, PINs, passwords, keys, and what people wrote to each other.",
        "Names stand as they were." if shown.names else "Each name is a word of its own: name-1, name-2, ...",
        "Addresses stand as they were."
        if shown.addresses
        else "Each address is a word of its own that says of which kind it is: private-address-1, ...",
    ]
    if any(part.name.startswith("pictures/") for part in kept):
        lines.append("The pictures show what was to be seen in the conference.")
    if left_out:
        lines += ["", f"Left out, for more than {config.max_bytes} bytes:", *(f"  {part.name}" for part in left_out)]
    return "\n".join(lines) + "\n"


def _parts(result: ProbeResult, evidence: Evidence, redactor: Redactor, config: BundleConfig) -> Iterator[_Part]:
    # Events first: they teach the redactor the names that everything else is then free of.
    ends = [part for number, end in enumerate(evidence.ends, 1) for part in _end_parts(number, end, redactor)]
    harmless = redacted_result(result, redactor)
    yield _Part(0, "result.json", serialize_result(harmless) + b"\n", "the figures; `pexrtc probe --compare` reads it")
    yield _Part(0, "timeline.txt", _timeline(result, evidence, redactor).encode(), "what happened when")
    yield _Part(0, "machine.txt", _machine().encode(), "versions")
    yield from ends
    with suppress(UsageError):  # the extra is not installed; the figures are in result.json
        yield _Part(3, "report.html", html_report([harmless]).encode(), "the figures, to look at")
    if config.pictures:
        for number, moment in enumerate(evidence.worst(), 1):
            for place, snapshot in enumerate(moment.pictures):
                name = f"pictures/{number}-{moment.metric}-{place + 1}.jpg"
                what = f"{redactor.text(visible(moment.stream))} at {snapshot.time:.2f} s"
                yield _Part(4 + place, name, snapshot.jpeg(), f"{what}, worst {moment.metric} at {moment.time:.2f} s")


def _end_parts(number: int, end: EndEvidence, redactor: Redactor) -> Iterator[_Part]:
    folder = f"end-{number}"
    of = f"of {visible(redactor.name(end.name))}"
    yield _Part(1, f"{folder}/roster.json", _json(redactor.json(end.roster)), f"who was there at the end, {of}")
    lines = (
        {"time": round(event.time, 3), "type": _event_type(event, redactor), "body": redactor.json(event.body)}
        for event in end.events
    )
    dropped = f" (the first {end.events_dropped} are missing)" if end.events_dropped else ""
    yield _Part(1, f"{folder}/events.jsonl", _json_lines(lines), f"server-sent events {of}{dropped}")
    yield _Part(0, f"{folder}/offer.sdp", redactor.sdp(end.offer).encode(), f"our offer {of}")
    yield _Part(0, f"{folder}/answer.sdp", redactor.sdp(end.answer).encode(), f"the node's answer {of}")
    yield _Part(0, f"{folder}/ice.txt", _ice(end, redactor).encode(), f"candidates and the pair in use {of}")
    readings = ({"time": at, "statistics": redactor.json(items, ours=True)} for at, items in end.statistics)
    yield _Part(2, f"{folder}/statistics.jsonl", _json_lines(readings), f"W3C statistics over time {of}")


def _event_type(event: KeptEvent, redactor: Redactor) -> str:
    """Return what kind of event it is; one that we do not know may be called anything."""
    return event.type if event.type in EVENT_TYPES else str(redactor.json(event.type))


def _json(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1) + b"\n"


def _json_lines(values: Iterator[dict[str, object]]) -> bytes:
    return b"".join(msgspec.json.encode(value) + b"\n" for value in values)


def redacted_result(result: ProbeResult, redactor: Redactor) -> ProbeResult:
    """Return a result without what must not leave; it is judged and rendered like any other."""
    replace, text = msgspec.structs.replace, redactor.text
    reasons = tuple(
        replace(reason, stream=text(reason.stream), threshold=_redacted_threshold(reason.threshold, redactor))
        for reason in result.verdict.reasons
    )
    return replace(
        result,
        target=text(result.target),
        node=text(result.node),
        error=text(result.error),
        series=tuple(replace(series, stream=text(series.stream)) for series in result.series),
        moments=tuple(replace(one, what=text(one.what), stream=text(one.stream)) for one in result.moments),
        steps=tuple(replace(step, detail=text(step.detail)) for step in result.steps),
        verdict=replace(result.verdict, reasons=reasons),
        assumptions=tuple(text(assumption) for assumption in result.assumptions),
    )


def _redacted_threshold(threshold: str, redactor: Redactor) -> str:
    """Return a threshold with another name for its stream, if it has one; the rest is ours."""
    before, bracket, rest = threshold.partition("[")
    stream, close, after = rest.rpartition("]")
    return f"{before}[{redactor.text(stream).replace(']', '')}]{after}" if bracket and close else threshold


def _machine() -> str:
    return f"pexrtc_py {__version__}\nPython {sys.version}\n{platform.platform()}\n"


def _timeline(result: ProbeResult, evidence: Evidence, redactor: Redactor) -> str:
    entries: list[tuple[float, str]] = []
    for end in evidence.ends:
        name = redactor.name(end.name)
        entries += [(ms / 1000, f"{name}: reached {phase}") for phase, ms in end.phases.items()]
        entries += [
            (event.time, f"{name}: event {_event_type(event, redactor)}")
            for event in end.events
            if event.type != "presentation_frame"
        ]
        entries.append((end.statistics[-1][0] if end.statistics else 0.0, f"{name}: transport is {end.state}"))
    entries += [(one.time, f"{redactor.text(one.what)} {redactor.text(one.stream)}") for one in result.moments]
    entries += [
        (moment.time, f"{moment.metric} at its worst: {moment.value:.4g} {redactor.text(moment.stream)}")
        for moment in evidence.worst()
    ]
    entries += [
        (reason.at, f"FAILED {redactor.text(reason_text(reason))}")
        for reason in result.verdict.failures
        if reason.at is not None
    ]
    lines = [f"{at:10.3f} s  {visible(what.strip())}" for at, what in sorted(entries)]
    head = [f"started {result.started}", f"lasted {result.duration_s:.1f} s", f"passed: {result.passed}"]
    if result.error:
        head.append(f"ended early: {visible(redactor.text(result.error))}")
    failures = [f"FAILED {visible(redactor.text(reason_text(reason)))}" for reason in result.verdict.failures]
    steps = [
        visible(redactor.text(f"{step.name}: {'not reached' if step.passed is None else step.passed} {step.detail}"))
        for step in result.steps
    ]
    return "\n".join([*head, *failures, *steps, "", *lines]) + "\n"


def _ice(end: EndEvidence, redactor: Redactor) -> str:
    if not end.statistics:
        return "nothing was read\n"
    _, items = end.statistics[-1]
    found = [item for item in items if isinstance(item, dict)]
    lines = [f"transport: {end.state}"]
    for item in found:
        if item.get("type") in ("local-candidate", "remote-candidate"):
            shown = redactor.json({"address": item.get("address")}, ours=True)
            address = shown["address"] if isinstance(shown, dict) else ""
            lines.append(
                f"{item['type']:17} {item['id']:22} {item.get('candidateType', ''):6} {item.get('protocol', ''):4} "
                f"{address} port {item.get('port')} priority {item.get('priority')}"
            )
    for item in found:
        if item.get("type") == "candidate-pair":
            round_trip = item.get("currentRoundTripTime")
            told = f"{1000 * round_trip:.1f} ms" if isinstance(round_trip, float) else "not measured"
            lines.append(
                f"in use: {item.get('localCandidateId')} to {item.get('remoteCandidateId')}, round trip {told}"
            )
    if not any(item.get("type") == "candidate-pair" for item in found):
        lines.append("no pair was found")
    return visible_lines(redactor.text("\n".join(lines)))


def visible_lines(text: str) -> str:
    """Return text with all but its line breaks made visible."""
    return visible(text, keep="\n") + "\n"
