"""`pexrtc announce`: play files into a conference."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from ..announcer.announcement import Announcement, Played, play, play_with_slides
from ..announcer.material import announcement_of_files, presentation_of
from ..endpoint.conference import Conference, open_conference
from ..media.player import Player
from ..tasks import first_of
from .exits import ExitCode
from .joining import peer_config, session_config
from .options import Insecure, Json, MediaAddress, Name, NodeUrl, PinFile, Quiet, Verbose, configure_logging
from .running import Stopping, run
from .screen import Screen

__all__ = ["announce"]

_SHOW_EVERY_S = 0.5


def announce(
    alias: Annotated[str, typer.Argument(help="Alias of the conference.")],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="What to play, one after the other.")],
    node_url: NodeUrl,
    loop: Annotated[
        int, typer.Option("--loop", min=0, metavar="N", help="Play everything N times; 0 until stopped.")
    ] = 1,
    present: Annotated[
        Path | None,
        typer.Option("--present", metavar="FILE", help="Show this as a presentation meanwhile.", show_default=False),
    ] = None,
    name: Name = "Announcer",
    pin_file: PinFile = None,
    media_address: MediaAddress = None,
    insecure: Insecure = False,
    json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = 0,
) -> None:
    """Play files into a conference: any that FFmpeg reads.

    What the node takes as it is (VP8, H.264 without B-frames, Opus) is sent as it is; all else is transcoded.

        pexrtc announce --node http://127.0.0.1:8080 meet.alice media/announcement.mkv

    It leaves when the last sample has been acknowledged. Ctrl-C stops it and leaves the conference.
    """
    configure_logging(verbose)
    screen = Screen(json=json, quiet=quiet)

    async def work(stopping: Stopping) -> ExitCode:
        peer = peer_config(media_address)
        main = await asyncio.to_thread(announcement_of_files, files, loop=loop or None, peer=peer)
        slides = await asyncio.to_thread(presentation_of, present, peer=peer) if present is not None else None
        config = session_config(node_url, alias, name=name, pin_file=pin_file, insecure=insecure)
        async with open_conference(config) as conference:
            screen.note(f"joined {alias} as {conference.session.token_result.display_name or name}")
            played = await _play(conference, main, slides, stopping, screen)
        screen.note(_summary(played))
        screen.result(_as_result(played))
        return ExitCode.DONE

    raise typer.Exit(run(work, screen))


async def _play(
    conference: Conference, main: Announcement, slides: Announcement | None, stopping: Stopping, screen: Screen
) -> Played:
    players: list[Player] = []
    playing = (
        play(conference, main, on_player=players.append)
        if slides is None
        else play_with_slides(conference, main, slides, on_player=players.append)
    )

    async def stop() -> None:
        await stopping.wait()
        for player in players:
            player.stop()
        if players:  # the player ends, and with it the playing; without one there is nothing to wait for
            await asyncio.Event().wait()

    async def show() -> None:
        with screen.live() as live:
            while True:
                if players and screen.is_terminal:
                    live.update(screen.rows({"playing": f"{players[0].position_s:6.1f} s"}), refresh=True)
                await asyncio.sleep(_SHOW_EVERY_S)

    _, played = await first_of(playing=playing, stop=stop(), show=show())
    return played if isinstance(played, Played) else Played(ended="stopped")


def _summary(played: Played) -> str:
    sent = ", ".join(
        f"{kind} {codec} {played.packets[kind]} packets, {played.lost[kind]} lost"
        for kind, codec in played.codecs.items()
    )
    return f"played {played.duration_s:.1f} s ({played.ended}): {sent or 'nothing'}"


def _as_result(played: Played) -> dict[str, object]:
    return {
        "duration_s": played.duration_s,
        "ended": played.ended,
        "streams": [
            {"kind": str(kind), "codec": str(codec), "packets": played.packets[kind], "lost": played.lost[kind]}
            for kind, codec in played.codecs.items()
        ],
        "join": played.join_ms,
    }
