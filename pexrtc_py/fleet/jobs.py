"""What the fleet keeps going, as JOBS.toml says it.

    [defaults]
    node = "https://node.example.com"

    [[record]]
    alias = "board"
    output = "/srv/recordings/{alias}-{date}-{time}.mkv"
    pin_file = "/etc/pexrtc/board.pin"
    when = "conference"

    [[announce]]
    alias = "lobby"
    files = ["/srv/clips/welcome.mkv"]
    when = "Mon-Fri 09:00"

    [[probe]]
    alias = "test.call"
    when = "every 15m"

Every key of `[defaults]` may stand in a job, and wins there. An unknown key is an error: a misspelt `pin_file` must not
be found out in the conference. Secrets are never in this file, only the files they are in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct, field

from ..errors import UsageError
from ..media.transcoding import preset_named
from ..media.writers.containers import container_for
from ..protocol.joinlink import parse_join_link
from ..recorder.naming import expand_template
from .entries import AnnounceJob, Defaults, Job, ProbeJob, RecordJobEntry
from .when import parse_when

__all__ = ["FleetFile", "LimitsTable", "UploadTable", "WebhookTable", "load_jobs", "parse_jobs"]

_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_PLACE: Final = re.compile(
    r"(?P<what>.*) - at `\$\.(?P<kind>\w+)(?:\[(?P<number>\d+)\])?(?:\.(?P<key>.+))?`", re.DOTALL
)
"""An error of msgspec's: what is wrong, and where."""
_Seconds: TypeAlias = Annotated[float, Meta(gt=0)]


class LimitsTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When new jobs are refused; see `capacity`."""

    cpu: Annotated[float, Meta(gt=0, le=1)] = 0.85
    """Share of all cores that is in use."""
    memory_free_bytes: Annotated[int, Meta(ge=0)] = 256 * 1024**2
    """Memory that must be left."""
    disk_free_bytes: Annotated[int, Meta(ge=0)] = 1024**3
    """Room that must be left where a recording goes to."""
    jobs: Annotated[int, Meta(ge=1)] | None = None
    """Jobs at once at most."""


class WebhookTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whom to tell what happens."""

    url: str
    """Where to post to."""
    secret_file: str
    """A file with the secret that signs, `whsec_...` or any text."""
    events: tuple[str, ...] = ()
    """Which ones: `job.start`, `job.segment`, `job.stop`, `job.error`, `job.refused`; empty: all."""


class UploadTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where recordings go when their files are closed."""

    to: str | None = None
    """`s3://bucket/folder`, or a directory; credentials come from the environment."""
    delete: Literal["size", "hash"] | None = None
    """Remove the local file when it has arrived: confirmed by `size` or by `hash`; never if not given."""
    keep_days: Annotated[float, Meta(ge=0)] | None = None
    """Remove local files after so many days, uploaded ones only when there is an upload."""

    @property
    def needs_notes(self) -> bool:
        """Whether complete files get a note beside them."""
        return self.to is not None or self.keep_days is not None


class FleetFile(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole file: jobs complete with their defaults, and all have ids."""

    jobs: tuple[Job, ...] = ()
    """What to keep going."""
    workers: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Processes; one per core if not given."""
    drain_s: _Seconds = 30.0
    """How long jobs may take to finish on SIGTERM."""
    limits: LimitsTable = field(default_factory=LimitsTable)
    webhooks: tuple[WebhookTable, ...] = ()
    upload: UploadTable = field(default_factory=UploadTable)


class _FleetTable(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    workers: Annotated[int, Meta(ge=1, le=256)] | None = None
    drain_s: _Seconds = 30.0


class _File(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file as it is written; checked as a whole, so that errors have the place in the file."""

    defaults: Defaults = field(default_factory=Defaults)
    fleet: _FleetTable = field(default_factory=_FleetTable)
    limits: LimitsTable = field(default_factory=LimitsTable)
    upload: UploadTable = field(default_factory=UploadTable)
    webhook: tuple[WebhookTable, ...] = ()
    record: tuple[RecordJobEntry, ...] = ()
    announce: tuple[AnnounceJob, ...] = ()
    probe: tuple[ProbeJob, ...] = ()


_TABLES: Final[Mapping[str, type[Struct]]] = {
    "defaults": Defaults,
    "fleet": _FleetTable,
    "limits": LimitsTable,
    "upload": UploadTable,
    "webhook": WebhookTable,
    "record": RecordJobEntry,
    "announce": AnnounceJob,
    "probe": ProbeJob,
}
"""Whose keys are told where one is not known."""


def load_jobs(path: Path) -> FleetFile:
    """Read a JOBS.toml.

    Raises:
        UsageError: it cannot be read, or says what it cannot mean; the message has the path of the key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: {getattr(exc, 'strerror', None) or exc}") from exc
    try:
        return parse_jobs(text)
    except UsageError as exc:
        raise UsageError(f"{path}: {exc}") from exc


def parse_jobs(text: str) -> FleetFile:
    """Read the text of a JOBS.toml.

    Raises:
        UsageError: it says what it cannot mean.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise UsageError(str(exc)) from exc
    try:
        file = msgspec.convert(raw, _File)
    except msgspec.ValidationError as exc:
        raise UsageError(_said(str(exc), raw)) from exc
    jobs: list[Job] = []
    ids: set[str] = set()
    types: tuple[type[Job], ...] = (RecordJobEntry, AnnounceJob, ProbeJob)
    for type_ in types:
        kind = type_.kind
        for number, entry in enumerate(raw.get(kind, ())):
            job: Job = msgspec.convert({"kind": kind} | _fitting(raw.get("defaults", {}), type_) | entry, type_)
            try:
                jobs.append(_checked(job, ids))
            except UsageError as exc:
                raise UsageError(f"{_called(kind, number, entry)}: {exc}") from exc
    return FleetFile(
        jobs=tuple(jobs),
        workers=file.fleet.workers,
        drain_s=file.fleet.drain_s,
        limits=file.limits,
        webhooks=file.webhook,
        upload=file.upload,
    )


def _said(error: str, raw: Mapping[str, object]) -> str:
    """Return what msgspec says of a file with the job it speaks of, and its key, in front."""
    place = _PLACE.fullmatch(error)
    if place is None:
        return error
    what = place["what"].removeprefix("Object contains ").removeprefix("Object ")
    if what.startswith("unknown field") and not place["key"] and (table := _TABLES.get(place["kind"])) is not None:
        what = f"{what}; there are {', '.join(table.__struct_fields__)}"
    what = f"{place['key']}: {what}" if place["key"] else what
    entries = raw.get(place["kind"])
    if place["number"] is None or not isinstance(entries, list):
        return f"[{place['kind']}]: {what}"
    number = int(place["number"])
    return f"{_called(place['kind'], number, entries[number])}: {what}"


def _called(kind: str, number: int, entry: object) -> str:
    """Return what to call a job whose entry may be wrong in any way: by its id, or its alias unless that is a link."""
    names = [entry.get("id"), entry.get("alias")] if isinstance(entry, Mapping) else []
    name = next((f" {name!r}" for name in names if isinstance(name, str) and name and "://" not in name), "")
    return f"[[{kind}]] number {number + 1}{name}"


def _fitting(defaults: Mapping[str, object], type_: type[Struct]) -> dict[str, object]:
    return {key: value for key, value in defaults.items() if key in type_.__struct_fields__}


def _checked(job: Job, ids: set[str]) -> Job:
    """Give a job its id, and find what only the conference would have found."""
    alias = job.alias
    if "://" in alias:
        link = parse_join_link(alias)
        if link.pin is not None:
            raise UsageError("alias: a join link with a PIN; put the PIN in a file and say pin_file")
        alias = link.alias
    elif job.node is None and "@" not in alias:
        raise UsageError(f"no node known for {alias!r}: say node, or an alias with its domain, or a join link")
    if job.node is not None:
        _check_node(job.node)
    if job.proxy is not None and "@" in job.proxy:
        raise UsageError("proxy: a URL with credentials; set HTTPS_PROXY in the environment instead")
    if job.media_ports is not None and job.media_ports[0] > job.media_ports[1]:
        raise UsageError(f"media_ports {list(job.media_ports)}: say the first port and the last")
    try:
        _ = job.zone
    except (ValueError, KeyError, OSError) as exc:  # KeyError: ZoneInfoNotFoundError
        raise UsageError(f"timezone {job.timezone!r}: there is no such one") from exc
    parse_when(job.when)
    match job:
        case RecordJobEntry():
            values = {"alias": "x"}
            container_for(expand_template(job.output, values, _SOME_DAY))
            if job.transcode is not None:
                preset_named(job.transcode)
        case ProbeJob():
            if job.alone and (job.pair or job.echo):
                raise UsageError(
                    f"alone: with {'echo' if job.echo else 'pair'} what is sent must come; say pair = false"
                )
            _ = job.thresholds
            if job.report is not None:
                expand_template(job.report, {"alias": "x"}, _SOME_DAY)
        case AnnounceJob():
            pass
    wanted = job.id or f"{job.kind}:{alias}"
    name, number = wanted, 1
    while name in ids:
        if job.id:
            raise UsageError(f"id {job.id!r}: there are two")
        number += 1
        name = f"{wanted}#{number}"
    ids.add(name)
    return msgspec.structs.replace(job, id=name)


def _check_node(node: str) -> None:
    try:
        parts = urlsplit(node)
        hostname, username = parts.hostname, parts.username
    except ValueError:
        parts, hostname, username = urlsplit(""), None, None
    if parts.scheme not in ("http", "https") or not hostname or username is not None:
        raise UsageError("node: say https://node.example.com")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise UsageError("node: say https://node.example.com, without a path; a join link is an alias")
