"""`pexrtc announce`: play any source into conferences."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Annotated

import typer

from ..announcer.played import DEFAULT_PRESENT_BY
from ..announcer.readiness import Readiness
from ..errors import UsageError
from .announce_options import (
    At,
    Camera,
    Digits,
    DigitsAfter,
    Duck,
    Every,
    Greet,
    Log,
    Loop,
    Loudness,
    Microphone,
    OnChat,
    OnDigits,
    Plays,
    Present,
    PresentBy,
    Prove,
    Queue,
    Rooms,
    Say,
    SkipWhen,
    StopWhen,
    To,
    When,
    WhenPeople,
    read_digits,
    read_loudness,
    read_moments,
    read_places,
)
from .announce_run import Order, announce_order
from .exits import ExitCode
from .joining import WayIn, peer_config
from .options import (
    CaFile,
    Extension,
    Insecure,
    Json,
    MediaAddress,
    MediaPorts,
    Name,
    Node,
    PinFile,
    Proxy,
    Quiet,
    Verbose,
    configure_logging,
)
from .running import Stopping, run
from .screen import Screen
from .stats_dumping import Dumped, StatsDumpFile, with_stats_dump

__all__ = ["announce"]


def announce(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[ALIAS] SOURCE...", help="The conference, then what to play.")
    ] = None,
    node: Node = None,
    to: To = None,
    rooms: Rooms = None,
    loop: Loop = 1,
    camera: Camera = None,
    microphone: Microphone = None,
    present: Present = None,
    present_by: PresentBy = DEFAULT_PRESENT_BY,
    loudness: Loudness = "-20",
    duck: Duck = False,
    when: When = None,
    at: At = None,
    every: Every = None,
    when_people: WhenPeople = None,
    greet: Greet = False,
    on_digits: OnDigits = None,
    on_chat: OnChat = None,
    skip_when: SkipWhen = None,
    stop_when: StopWhen = None,
    plays: Plays = None,
    say: Say = "",
    digits: Digits = "",
    digits_after: DigitsAfter = "",
    prove: Prove = False,
    log: Log = None,
    queue: Queue = None,
    stats_dump: StatsDumpFile = None,
    name: Name = "Announcer",
    pin_file: PinFile = None,
    extension: Extension = None,
    media_address: MediaAddress = None,
    media_ports: MediaPorts = None,
    ca_file: CaFile = None,
    proxy: Proxy = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Play sources into a conference, one after the other without a seam: on time, levelled, from first word to last.

    \b
    A SOURCE is a file, or
      list.m3u                a playlist            https://... rtsp://...   an address
      speech:Hello            a voice (espeak-ng)   slides:a.png@0,b.png@5   pictures with times
      tone:440                a tone                pattern:1280x720@25      test pattern and clock
      silence: black:640x360  nothing               screen::0 microphone:default camera:/dev/video0
      -                       standard input        stdin:s16le,48000,2      raw samples on it
      gain:-6:SOURCE          softer                fade:2:SOURCE            faded in
      mix:SOURCE|SOURCE       together              overlay:SOURCE|SOURCE    one over the other
      then:SOURCE|SOURCE      in a row              for:10:SOURCE            ten seconds of it

    Files and speech are prepared once (Opus, VP8 or H.264, loudness) and kept in the cache, see `pexrtc prepare`; what
    is ready is sent as it is. It begins when the far side receives, and leaves when the last sample has been
    acknowledged. Without a moment (--when and the like) it plays at once. Ctrl-C stops it. Transferred, it goes on in
    the other conference: what was being played begins again there; what is live, or played into several, goes on.
    With --json one that stays prints a line as each play begins, ends and has been heard, and all results at its end.

    \b
        pexrtc announce --node http://127.0.0.1:8080 meet.alice media/announcement.mkv
        pexrtc announce meet.alice@example.com "speech:Five minutes left" --when "quiet 3s" --prove
        pexrtc announce --rooms rooms.txt fire-drill.wav --present slides:1.png@0,2.png@5 --log played.jsonl
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)
    places = read_places(words or [], to or [], rooms, may_lack_source=any((camera, microphone, queue)))
    level = read_loudness(loudness)
    if duck and level is None:
        raise UsageError("--duck: needs a loudness to go below, so --loudness cannot be off")
    order = Order(
        aliases=places.aliases,
        sources=[*places.sources, *_devices(camera, microphone)],
        present=present,
        present_by=present_by,
        loop=loop or None,
        readiness=Readiness(loudness_lufs=level, duck=duck),
        moments=read_moments(
            when or [],
            at=at or [],
            every=every,
            people=when_people,
            greet=greet,
            digits=on_digits,
            chat=on_chat,
            skip_when=skip_when or [],
            stop_when=stop_when or [],
            plays=plays,
        ),
        say=say,
        digits_before=read_digits(digits),
        digits_after=read_digits(digits_after),
        prove=prove,
        log=log,
        queue=queue,
        name=name,
        way=WayIn(node=node, pin_file=pin_file, extension=extension, ca_file=ca_file, proxy=proxy, insecure=insecure),
        peer=peer_config(media_address, media_ports),
    )

    def work(stopping: Stopping, dumped: Dumped) -> Coroutine[object, object, ExitCode]:
        return announce_order(replace(order, peer=dumped(order.peer)), stopping, screen)

    raise typer.Exit(run(with_stats_dump(stats_dump, work), screen))


def _devices(camera: str | None, microphone: str | None) -> list[str]:
    """Return the source that the devices make; both together are one, sound and picture."""
    parts = []
    if microphone is not None:
        parts.append(f"microphone:{microphone}")
    if camera is not None:
        parts.append(f"camera:{camera}")
    return [f"mix:{'|'.join(parts)}"] if len(parts) == 2 else parts
