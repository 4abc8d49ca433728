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

import tomllib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, ClassVar, Final, TypeAlias
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta, Struct, field

from ..errors import UsageError
from ..media.writers.containers import container_for
from ..probe.running import MAX_DURATION_S
from ..probe.thresholds import Threshold, profile
from ..protocol.joinlink import parse_join_link
from ..recorder.naming import expand_template
from .when import parse_when

__all__ = [
    "AnnounceJob",
    "FleetFile",
    "Job",
    "LimitsTable",
    "ProbeJob",
    "RecordJobEntry",
    "UploadTable",
    "WebhookTable",
    "load_jobs",
    "parse_jobs",
]

_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
_Seconds: TypeAlias = Annotated[float, Meta(gt=0)]
_Bytes: TypeAlias = Annotated[int, Meta(ge=1)]


class _Joining(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How any job gets into a conference."""

    node: str | None = None
    """Address of the node; not needed when the alias has a domain or is a join link."""
    pin_file: str | None = None
    """A file whose first line is the PIN; read when the job starts."""
    extension: str | None = None
    """Where to go from a Virtual Reception."""
    ca_file: str | None = None
    """Certificates to trust instead of the system's, PEM."""
    proxy: str | None = None
    """HTTP proxy to reach the node through."""
    insecure: bool = False
    """Whether not to check the node's certificate."""
    media_addresses: tuple[str, ...] = ()
    """Local addresses for media; empty: those that fit the node."""
    timezone: str | None = None
    """Whose clock `when` goes by, `Europe/Berlin` for example; the system's if not given."""


class Defaults(_Joining, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What holds for every job that does not say otherwise."""

    output: str | None = None
    """Of recordings."""
    name: str | None = None
    """How participants are called."""
    when: str | tuple[str, ...] | None = None
    """When they are due."""


class _Job(_Joining, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What all jobs have."""

    kind: ClassVar[str]

    alias: Annotated[str, Meta(min_length=1)]
    """Alias of the conference, alias@domain, or a join link without PIN."""
    id: str = ""
    """What the job is called in status, logs and metrics; by kind and alias if not given."""

    @property
    def zone(self) -> ZoneInfo | None:
        """Whose clock `when` goes by; None for the system's."""
        return ZoneInfo(self.timezone) if self.timezone is not None else None


class RecordJobEntry(_Job, frozen=True, kw_only=True, tag_field="kind", tag="record", forbid_unknown_fields=True):
    """Record a conference."""

    kind: ClassVar[str] = "record"

    output: str = "{alias}-{date}-{time}.mkv"
    """Where to; `{alias}`, `{date}`, `{time}` are filled in. A name that is taken gets a number."""
    when: str | tuple[str, ...] = "always"
    """When it is due, see `when`."""
    name: str = "Recorder"
    """How the participant is called."""
    slides: bool = True
    """Whether to record presentations."""
    duration_s: _Seconds | None = None
    """Seconds after which a recording ends (and, with `always`, the next begins)."""
    size_bytes: _Bytes | None = None
    """Bytes after which a recording ends."""
    silence_s: _Seconds | None = None
    """Seconds of silence after which it ends."""
    alone_s: _Seconds | None = None
    """Seconds without another person after which it ends; 30 with `when = "conference"`."""
    no_media_s: _Seconds | None = None
    """Seconds without a frame after which it ends."""
    segment_s: _Seconds | None = None
    """Seconds in one file."""
    segment_bytes: _Bytes | None = None
    """Bytes in one file."""
    min_free_bytes: Annotated[int, Meta(ge=0)] = 0
    """End the file, complete, when its disk has less than this left."""
    fsync_s: _Seconds | None = None
    """How often to have the disk hold everything."""


class AnnounceJob(_Job, frozen=True, kw_only=True, tag_field="kind", tag="announce", forbid_unknown_fields=True):
    """Play files into a conference."""

    kind: ClassVar[str] = "announce"

    files: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What to play, one after the other."""
    when: str | tuple[str, ...] = "always"
    """When it is due."""
    name: str = "Announcer"
    """How the participant is called."""
    loop: Annotated[int, Meta(ge=0)] = 1
    """How often to play everything; 0 until the job ends."""
    present: str | None = None
    """What to show as a presentation meanwhile."""


class ProbeJob(_Job, frozen=True, kw_only=True, tag_field="kind", tag="probe", forbid_unknown_fields=True):
    """Measure a conference."""

    kind: ClassVar[str] = "probe"

    when: str | tuple[str, ...] = "every 15m"
    """When it is due."""
    name: str = "Probe"
    """How the participants are called."""
    pair: bool = True
    """Whether two participants measure each other; else one alone."""
    echo: bool = False
    """One alone: the far end is a test call service and sends back what it gets."""
    duration_s: Annotated[float, Meta(ge=1, le=MAX_DURATION_S)] = 30.0
    """Seconds of media."""
    width: Annotated[int, Meta(ge=64, le=3840, multiple_of=2)] = 1280
    """Of the picture that is sent, pixels."""
    height: Annotated[int, Meta(ge=64, le=2160, multiple_of=2)] = 720
    """Likewise."""
    frame_rate: Annotated[float, Meta(ge=1, le=60)] = 30.0
    """Pictures per second."""
    profile: str | None = None
    """Thresholds by name."""
    fail_if: tuple[str, ...] = ()
    """Thresholds of its own, as `pexrtc probe --fail-if` has them."""
    report: str | None = None
    """A file for each result, JSON; `{alias}`, `{date}`, `{time}` are filled in."""

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """All of them.

        Raises:
            UsageError: one cannot be read, or there is no such profile.
        """
        named = profile(self.profile) if self.profile is not None else ()
        return (*named, *(Threshold.parse(text) for text in self.fail_if))


Job: TypeAlias = RecordJobEntry | AnnounceJob | ProbeJob


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
    delete: str | None = None
    """Remove the local file when it has arrived: confirmed by `size` or by `hash`; never if not given."""
    keep_days: Annotated[float, Meta(ge=0)] | None = None
    """Remove local files after so many days, uploaded ones only when there is an upload."""

    def __post_init__(self) -> None:
        if self.delete not in (None, "size", "hash"):
            raise ValueError("delete: say size or hash")


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
        file = msgspec.convert(raw, _File)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as exc:
        raise UsageError(str(exc)) from exc
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
                raise UsageError(f"{exc} - at `$.{kind}[{number}]`") from exc
    return FleetFile(
        jobs=tuple(jobs),
        workers=file.fleet.workers,
        drain_s=file.fleet.drain_s,
        limits=file.limits,
        webhooks=file.webhook,
        upload=file.upload,
    )


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
    try:
        _ = job.zone
    except (ValueError, OSError) as exc:
        raise UsageError(f"timezone {job.timezone!r}: there is no such one") from exc
    parse_when(job.when)
    match job:
        case RecordJobEntry():
            values = {"alias": "x"}
            container_for(expand_template(job.output, values, _SOME_DAY))
        case ProbeJob():
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
