"""What `pexrtc record` can be asked for, and what of it becomes the configuration of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from ..media.transcoding import PRESETS
from ..media.writers.container import Container, WriterConfig
from ..media.writers.containers import CONTAINERS, container_for
from ..recorder.file_series import SegmentRules
from ..recorder.naming import expand_template
from ..recorder.persistence import StayRules
from ..recorder.recording import RecordingConfig
from ..recorder.stopping import StopRules

__all__ = [
    "Announce",
    "AudioOnly",
    "ChatControl",
    "ContainerName",
    "DigitControl",
    "Duration",
    "Fsync",
    "MaxSize",
    "MinFree",
    "NoSidecars",
    "NoSlides",
    "Notice",
    "Output",
    "RejoinFor",
    "SegmentDuration",
    "SegmentSize",
    "Slides",
    "StopAfterSilence",
    "StopWhenAlone",
    "StopWhenNoMedia",
    "StopWhenNobodyComes",
    "Thumbnails",
    "Transcode",
    "Until",
    "WaitFor",
    "Wishes",
    "next_moment",
]

_MB = 1_000_000

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to; {alias}, {date} and {time} are filled in. Default: {alias}-{date}-{time}.mkv.",
        show_default=False,
    ),
]
ContainerName = Annotated[
    str | None,
    typer.Option(
        "--container",
        metavar="KIND",
        help=f"Kind of file: {', '.join(CONTAINERS)}. Default: by the ending of FILE. Nothing is transcoded: codecs "
        "that fit are asked for (MP4: H.264; Ogg and WAV: sound alone).",
        show_default=False,
    ),
]
AudioOnly = Annotated[bool, typer.Option("--audio-only", help="Neither pictures nor presentations.")]
NoSlides = Annotated[bool, typer.Option("--no-slides", help="No presentations.")]
Slides = Annotated[
    str,
    typer.Option(
        "--slides",
        metavar="KIND",
        help="Presentations: `file`, NAME.slides.mkv; `track`, put into FILE when it is complete.",
    ),
]
Thumbnails = Annotated[
    bool,
    typer.Option("--thumbnails", help="Make a picture of each complete file, and one of each slide."),
]
Transcode = Annotated[
    str | None,
    typer.Option(
        "--transcode",
        metavar="PRESET",
        help=f"Make another form of each complete file beside it: {', '.join(PRESETS)}.",
        show_default=False,
    ),
]
Announce = Annotated[
    Path | None,
    typer.Option(
        "--announce",
        metavar="FILE",
        help="Say this aloud once recording begins: any file with sound. It is heard, not recorded.",
        show_default=False,
    ),
]
NoSidecars = Annotated[
    bool,
    typer.Option(
        "--no-sidecars",
        help="Write no events, roster, speakers, chat, manifest and page beside FILE.",
    ),
]
SegmentDuration = Annotated[
    float | None,
    typer.Option(
        "--segment-duration",
        min=1,
        metavar="S",
        help="Begin another file every S seconds; each plays alone, no frame is lost between them.",
        show_default=False,
    ),
]
SegmentSize = Annotated[
    float | None,
    typer.Option(
        "--segment-size",
        min=0.1,
        metavar="MB",
        help="The same every MB megabytes.",
        show_default=False,
    ),
]
MinFree = Annotated[
    float,
    typer.Option(
        "--min-free",
        min=0,
        metavar="MB",
        help="End the file, complete, when its disk has less than this left; 0: write until it is full.",
    ),
]
Fsync = Annotated[
    float | None,
    typer.Option(
        "--fsync",
        min=0.1,
        metavar="S",
        help="Have the disk hold everything every S seconds, against a power cut. A kill of the process costs no more "
        "without it.",
        show_default=False,
    ),
]
Duration = Annotated[
    float | None,
    typer.Option(
        "--duration",
        min=0.1,
        metavar="S",
        help="Stop after S seconds of recording.",
        show_default=False,
    ),
]
Until = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="HH:MM",
        help="Stop at this time of day, today or tomorrow, in local time.",
        show_default=False,
    ),
]
MaxSize = Annotated[
    float | None,
    typer.Option(
        "--max-size",
        min=0.1,
        metavar="MB",
        help="Stop when all files have MB megabytes together.",
        show_default=False,
    ),
]
StopAfterSilence = Annotated[
    float | None,
    typer.Option(
        "--stop-after-silence",
        min=0.1,
        metavar="S",
        help="Stop when nobody was heard for S seconds.",
        show_default=False,
    ),
]
StopWhenAlone = Annotated[
    float,
    typer.Option(
        "--stop-when-alone",
        min=0,
        metavar="S",
        help="Stop S seconds after the last person has left; bots do not count. 0: never.",
    ),
]
StopWhenNobodyComes = Annotated[
    float,
    typer.Option(
        "--stop-when-nobody-comes",
        min=0,
        metavar="S",
        help="Stop when no person was there for S seconds, from the start. 0: never.",
    ),
]
StopWhenNoMedia = Annotated[
    float | None,
    typer.Option(
        "--stop-when-no-media",
        min=0.1,
        metavar="S",
        help="Stop when neither sound nor picture came for S seconds.",
        show_default=False,
    ),
]
RejoinFor = Annotated[
    float,
    typer.Option(
        "--rejoin-for",
        min=0,
        metavar="S",
        help="When call, node or network is lost, try to be back for S seconds; the same recording goes on. 0: not at "
        "all. Whom somebody removed stays out.",
    ),
]
WaitFor = Annotated[
    float,
    typer.Option(
        "--wait-for",
        min=0,
        metavar="S",
        help="Try to get in for S seconds when there is no such conference yet, or no node. A waiting room is waited "
        "out in any case.",
    ),
]
Notice = Annotated[
    str | None,
    typer.Option(
        "--notice",
        metavar="TEXT",
        help="Say this in chat when recording begins.",
        show_default=False,
    ),
]
ChatControl = Annotated[
    bool,
    typer.Option("--chat-control", help="Hosts may say !pause, !resume and !stop in chat."),
]
DigitControl = Annotated[
    bool,
    typer.Option(
        "--digit-control",
        help="DTMF sent to the recorder counts: *1 pauses, *2 resumes, *9 stops.",
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The options of a recording."""

    output: str | None
    container: str | None
    duration_s: float | None
    until: str | None
    max_size_mb: float | None
    silence_s: float | None
    alone_s: float
    nobody_comes_s: float
    no_media_s: float | None
    segment_s: float | None
    segment_mb: float | None
    min_free_mb: float
    fsync_s: float | None
    rejoin_for_s: float
    wait_for_s: float

    @property
    def stay(self) -> StayRules:
        """How hard to cling to the conference."""
        return StayRules(rejoin_for_s=self.rejoin_for_s, wait_for_s=self.wait_for_s)

    def recordings(self, aliases: list[str], now: datetime) -> list[RecordingConfig]:
        """Describe the recording of each conference.

        Raises:
            UsageError: something of it cannot be, or two conferences would go to one file.
        """
        return [self._recording(path, container, now) for path, container in self._targets(aliases, now)]

    def _targets(self, aliases: list[str], now: datetime) -> list[tuple[Path, Container]]:
        wanted = None
        if self.container is not None:
            wanted = CONTAINERS.get(self.container.lower().removeprefix("."))
            if wanted is None:
                raise UsageError(f"--container {self.container}: there is {', '.join(CONTAINERS)}")
        template = self.output
        if template is None:
            template = "{alias}-{date}-{time}" + (wanted.suffix if wanted is not None else ".mkv")
        paths = [expand_template(template, {"alias": alias}, now) for alias in aliases]
        if len(set(paths)) < len(paths):
            raise UsageError(f"--output {template}: two conferences would go to one file; use {{alias}} in it")
        return [(path, wanted or container_for(path)) for path in paths]

    def _recording(self, path: Path, container: Container, now: datetime) -> RecordingConfig:
        return RecordingConfig(
            path=path,
            container=container,
            stop=StopRules(
                duration_s=self.duration_s,
                size_bytes=_bytes(self.max_size_mb),
                at=next_moment(self.until, now).timestamp() if self.until is not None else None,
                silence_s=self.silence_s,
                alone_s=self.nobody_comes_s or None,
                deserted_s=self.alone_s or None,
                no_media_s=self.no_media_s,
            ),
            segments=SegmentRules(duration_s=self.segment_s, size_bytes=_bytes(self.segment_mb)),
            writer=WriterConfig(min_free_bytes=_bytes(self.min_free_mb) or 0, fsync_interval_s=self.fsync_s),
        )


def next_moment(text: str, now: datetime) -> datetime:
    """Return when it is next `HH:MM`.

    Raises:
        UsageError: that is no time of day.
    """
    try:
        moment = datetime.strptime(text, "%H:%M").time()
    except ValueError as exc:
        raise UsageError(f"--until {text}: a time of day, 17:30 for example") from exc
    today = now.replace(hour=moment.hour, minute=moment.minute, second=0, microsecond=0)
    return today if today > now else today + timedelta(days=1)


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes * _MB)
