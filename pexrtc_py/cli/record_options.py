"""What `pexrtc record` can be asked for; `record_wishes` makes of it what a recording is told."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..endpoint.presentation import PresentationWay
from ..media.transcoding import PRESETS
from ..media.writers.containers import CONTAINERS

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
    "SlidesBy",
    "StopAfterSilence",
    "StopWhenAlone",
    "StopWhenNoMedia",
    "StopWhenNobodyComes",
    "Thumbnails",
    "Transcode",
    "Until",
    "WaitFor",
]

Output = Annotated[
    str | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Where to; {alias}, {date} and {time} are filled in. Default: {alias}-{date}-{time}.mkv.",
    ),
]
ContainerName = Annotated[
    str | None,
    typer.Option(
        "--container",
        metavar="KIND",
        help=f"Kind of file: {', '.join(CONTAINERS)}. Default: by the ending of FILE. Nothing is transcoded: codecs "
        "that fit are asked for (MP4: H.264; Ogg and WAV: sound alone).",
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
SlidesBy = Annotated[
    PresentationWay,
    typer.Option(
        "--slides-by",
        help="How presentations come: by a line of the one call, or by a call of their own; `auto` goes by the node's "
        "release.",
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
    ),
]
Announce = Annotated[
    Path | None,
    typer.Option(
        "--announce",
        metavar="FILE",
        help="Say this aloud once recording begins: any file with sound. It is heard, not recorded.",
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
    ),
]
SegmentSize = Annotated[
    float | None,
    typer.Option("--segment-size", min=0.1, metavar="MB", help="The same every MB megabytes."),
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
    ),
]
Duration = Annotated[
    float | None,
    typer.Option("--duration", min=0.1, metavar="S", help="Stop after S seconds of recording."),
]
Until = Annotated[
    str | None,
    typer.Option("--until", metavar="HH:MM", help="Stop at this time of day, today or tomorrow, in local time."),
]
MaxSize = Annotated[
    float | None,
    typer.Option("--max-size", min=0.1, metavar="MB", help="Stop when all files have MB megabytes together."),
]
StopAfterSilence = Annotated[
    float | None,
    typer.Option("--stop-after-silence", min=0.1, metavar="S", help="Stop when nobody was heard for S seconds."),
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
        "--stop-when-no-media", min=0.1, metavar="S", help="Stop when neither sound nor picture came for S seconds."
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
    typer.Option("--notice", metavar="TEXT", help="Say this in chat when recording begins."),
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
