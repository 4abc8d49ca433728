"""The jobs there are, as the file describes each: every key with what it means and what it is when not given."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeAlias
from zoneinfo import ZoneInfo

from msgspec import Meta, Struct

from ..announcer.played import DEFAULT_PRESENT_BY
from ..endpoint.presentation import PresentationWay
from ..probe.running import MAX_DURATION_S
from ..probe.thresholds import Threshold, profile
from ..recorder.naming import expand_home

__all__ = ["AnnounceJob", "Defaults", "Job", "ProbeJob", "RecordJobEntry"]

_Seconds: TypeAlias = Annotated[float, Meta(gt=0)]
_Bytes: TypeAlias = Annotated[int, Meta(ge=1)]
_Port: TypeAlias = Annotated[int, Meta(ge=1024, le=65535)]


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
    media_ports: tuple[_Port, _Port] | None = None
    """First and last UDP port for media; any if not given."""
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

    removed_wait_s: Annotated[float, Meta(ge=0)] = 900.0
    """Seconds to stay away after somebody put the participant out."""

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
    audio: bool = True
    """Whether to record sound."""
    video: bool = True
    """Whether to record pictures."""
    slides: bool | Literal["file", "track"] = True
    """Whether to record presentations: in a file of their own (true, or `file`), or put into that of the rest when it
    is complete (`track`)."""
    slides_by: PresentationWay = PresentationWay.AUTO
    """How they come: by a line of the one call (`line`), by a call of their own (`call`), or as the node's release has
    it (`auto`)."""
    sidecars: bool = False
    """Whether to write events, roster, speakers, chat, a manifest and a page beside the recording."""
    thumbnails: bool = False
    """Whether to make a picture of each complete file, and one of each slide."""
    transcode: str | None = None
    """Make another form of each complete file beside it: a preset, `mp4` for example."""
    notice: str | None = None
    """Chat message to everybody once recording begins."""
    announce: str | None = None
    """What everybody hears once recording begins: a file with sound. It is not recorded."""
    chat_control: bool = False
    """Whether Hosts may say `!pause`, `!resume` and `!stop` in chat."""
    digit_control: bool = False
    """Whether digits sent to the recorder count."""
    rejoin_for_s: Annotated[float, Meta(ge=0)] = 300.0
    """Seconds to try to be back within the same recording; then it is a run that failed."""
    duration_s: _Seconds | None = None
    """Seconds after which a recording ends (and, with `always`, the next begins)."""
    size_bytes: _Bytes | None = None
    """Bytes after which a recording ends."""
    silence_s: _Seconds | None = None
    """Seconds of silence after which it ends."""
    alone_s: _Seconds | None = None
    """Seconds without another person after which it ends; 30 with `when = "conference"`."""
    deserted_s: _Seconds | None = None
    """The same since the last person left: who is there before all others waits for them."""
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

    @property
    def folder(self) -> Path:
        """The folder that all its files are in or below: `output` without what is filled in."""
        return Path(expand_home(self.output).split("{", 1)[0] + "x").absolute().parent

    @property
    def reads_again(self) -> bool:
        """Whether its files are needed once more when it ends."""
        return self.sidecars or self.thumbnails or self.transcode is not None or self.slides == "track"


class AnnounceJob(_Job, frozen=True, kw_only=True, tag_field="kind", tag="announce", forbid_unknown_fields=True):
    """Play sources into a conference."""

    kind: ClassVar[str] = "announce"

    files: Annotated[tuple[str, ...], Meta(min_length=1)]
    """What to play, one after the other: files, or any source that `pexrtc announce` takes, `speech:Hello`."""
    when: str | tuple[str, ...] = "always"
    """When it is due."""
    name: str = "Announcer"
    """How the participant is called."""
    loop: Annotated[int, Meta(ge=0)] = 1
    """How often to play everything; 0 until the job ends."""
    present: str | None = None
    """What to show as a presentation meanwhile."""
    present_by: PresentationWay = DEFAULT_PRESENT_BY
    """How it is shown: by a line of the one call (`line`), by a call of its own (`call`), or as the node's release has
    it (`auto`)."""


class ProbeJob(_Job, frozen=True, kw_only=True, tag_field="kind", tag="probe", forbid_unknown_fields=True):
    """Measure a conference."""

    kind: ClassVar[str] = "probe"

    when: str | tuple[str, ...] = "every 15m"
    """When it is due."""
    name: str = "Probe"
    """How the participants are called."""
    pair: bool = True
    """Whether two participants measure each other; else one does, without a reference."""
    echo: bool = False
    """One participant: the far end is a test call service and sends back what it gets."""
    alone: bool = False
    """One participant: nobody else sends, so it has not failed when neither sound nor picture comes."""
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
