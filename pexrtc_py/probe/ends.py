"""One end of a measurement: a participant that sends a reference, and listens.

Everything of an end lives in `open_end`'s block: leaving it stops the player, hangs up, leaves the conference. The
display name says who it is, and the call tag marks it as a bot; it asks nothing of the room but to be in it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from ..endpoint.call import AUDIO_CODECS, Call, CallConfig
from ..endpoint.conference import Conference, open_conference
from ..endpoint.phases import JoinPhases
from ..media.clips import clip_path
from ..media.decoding import Picture
from ..media.frames import Codec, Kind, Source, Tap
from ..media.marks_source import Reference, ReferenceConfig
from ..media.player import Player, PlayerConfig
from ..media.sources.file import open_file
from ..protocol.sdp import Direction
from ..signalling import SessionConfig
from ..webrtc.peer import PeerConfig
from .lateness import LoopWatch
from .network import NetworkWatch
from .reference import PictureListener, SentLog, SoundListener, write_skew
from .result import Moment
from .series import SeriesBook
from .watching import PictureWatch

__all__ = ["End", "EndConfig", "Listening", "open_end", "write_phases"]

_READ_AHEAD_S: Final = 0.3
"""What is encoded ahead: a key frame that is asked for comes so much later."""
_PHASES = {
    "token": "token_ms",
    "events": "events_ms",
    "offered": "offer_ms",
    "answered": "answer_ms",
    "acked": "ack_ms",
    "ice": "ice_ms",
    "dtls": "dtls_ms",
    "first_audio": "first_audio_ms",
    "first_video": "first_video_ms",
}
"""Milestones of joining, and their metrics."""
_MEDIA: Final = {"setup.first_sound_ms": "sound", "setup.first_picture_ms": "picture"}
"""What must come, by the metric of its first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndConfig:
    """Who joins, and what it sends."""

    session: SessionConfig
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Media addresses, TURN, impairment."""
    reference: ReferenceConfig = field(default_factory=ReferenceConfig)
    """What it sends."""
    video_bps: int | None = None
    """Bits per second of video; None: by size and rate."""
    audio_codecs: tuple[Codec, ...] = AUDIO_CODECS
    """In order of preference."""
    video_codecs: tuple[Codec, ...] = (Codec.VP8, Codec.H264)
    """In order of preference; those that we can encode."""
    connect_timeout_s: float = 15.0
    """How long ICE and DTLS may take together."""
    network_only: bool = False
    """Look at packets only: a clip is sent as it lies on disk, and nothing that comes is decoded."""


class End:
    """A participant in a call; made by `open_end`."""

    def __init__(self, conference: Conference, call: Call, config: EndConfig) -> None:
        self.conference = conference
        self.call = call
        self.config = config
        self.player: Player | None = None
        self.sent = {
            Kind.AUDIO: SentLog(1.0, self._started_at),
            Kind.VIDEO: SentLog(config.reference.frame_rate, self._started_at),
        }

    @property
    def name(self) -> str:
        """How it is called in the roster."""
        return self.config.session.display_name

    def make_player(self) -> Player:
        """Return the player of its reference, in the codecs that were agreed; entering it begins to send."""
        lines = {Kind.AUDIO: self.call.audio, Kind.VIDEO: self.call.video}
        senders = {kind: line.sender for kind, line in lines.items() if line and line.sender and line.codec}
        codecs = {kind: sender.config.codec for kind, sender in senders.items()}
        source: Source
        if self.config.network_only:
            accept = {kind: [codec] for kind, codec in codecs.items()}
            source = open_file(clip_path("motion.mkv"), accept=accept, loop=None)
        else:
            source = Reference(self.config.reference).source(
                audio=codecs.get(Kind.AUDIO), video=codecs.get(Kind.VIDEO), video_bps=self.config.video_bps
            )
        taps: dict[Kind, list[Tap]] = {kind: [self.sent[kind], sender] for kind, sender in senders.items()}
        self.player = Player(source, taps, config=PlayerConfig(read_ahead_s=_READ_AHEAD_S))
        if (sender := senders.get(Kind.VIDEO)) is not None:
            sender.on_key_frame_request = self.player.request_key_frame
            sender.on_bitrate = self.player.set_bitrate
        return self.player

    def _started_at(self) -> float | None:
        return self.player.started_at if self.player is not None else None


@asynccontextmanager
async def open_end(config: EndConfig) -> AsyncIterator[End]:
    """Join and call; nothing is sent before its player is entered. Media may not be connected yet.

    Raises:
        PexrtcError: the node refused, cannot be reached, or its answer cannot be used.
    """
    async with open_conference(config.session) as conference:
        call_config = CallConfig(
            audio=Direction.SENDRECV,
            video=Direction.SENDRECV,
            audio_codecs=config.audio_codecs,
            video_codecs=config.video_codecs,
            peer=config.peer,
            connect_timeout_s=config.connect_timeout_s,
        )
        async with conference.call(call_config) as call:
            yield End(conference, call, config)


class Listening:
    """What one end receives, measured: pictures, sound and network, into one book.

    Args:
        end: who listens.
        book: where samples go.
        began: when the run began, `time.monotonic`.
        source: whose reference is expected, None when what comes is not ours.
        sent_book: where figures of what the end sends go; None: into the same book.
        on_picture: called in a thread with each decoded picture and the second of the run at which it was shown.
    """

    def __init__(
        self,
        end: End,
        book: SeriesBook,
        began: float,
        *,
        source: End | None = None,
        sent_book: SeriesBook | None = None,
        on_picture: Callable[[Picture, float], None] | None = None,
    ) -> None:
        self.book = book
        self._end, self._began = end, began
        self._network = NetworkWatch(book, began, sent_book=sent_book, echo=source is end)
        self._first: dict[str, float] = {}
        lines = {"first_sound_ms": end.call.audio, "first_picture_ms": end.call.video}
        self._due = [f"setup.{name}" for name, line in lines.items() if line is not None and line.receiver is not None]
        """Of what was agreed."""
        self._complete = asyncio.Event()
        self._dropped = 0
        self._stack = AsyncExitStack()
        video, audio = (line.receiver if line else None for line in (end.call.video, end.call.audio))
        if end.config.network_only:
            video = audio = None
        self._pictures: PictureListener | None = None
        self._sound: SoundListener | None = None
        if video is not None:
            self._pictures = PictureListener(
                book,
                began,
                reference=Reference(source.config.reference) if source else None,
                sent=source.sent[Kind.VIDEO] if source else None,
                request_key_frame=video.request_key_frame,
                on_first=lambda moment: self._note_first("setup.first_picture_ms", moment),
                on_picture=on_picture,
            )
            video.add_tap(self._pictures)
        if audio is not None:
            self._sound = SoundListener(
                book,
                began,
                sent=source.sent[Kind.AUDIO] if source else None,
                on_first=lambda moment: self._note_first("setup.first_sound_ms", moment),
                answers=source is end,
            )
            audio.add_tap(self._sound)

    @property
    def has_picture_and_sound(self) -> bool:
        """Whether at least one of each that was agreed was decoded, or came where nothing is decoded."""
        return not self.missing

    @property
    def missing(self) -> str:
        """What was agreed and was not decoded yet (or did not come, where nothing is decoded), in words."""
        if not self._due:
            return "line for sound or picture"
        return " and ".join(_MEDIA[metric] for metric in self._due if not self._has(metric))

    def _has(self, metric: str) -> bool:
        phases = self._end.call.phases
        if self._end.config.network_only:
            return (phases.first_audio if metric == "setup.first_sound_ms" else phases.first_video) is not None
        return metric in self._first

    @property
    def pictures(self) -> PictureWatch | None:
        """What watches the pictures, with its accounts; None where there are none, or nothing is decoded."""
        return self._pictures.watch if self._pictures is not None else None

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What its figures rest on and could not be measured; known once it is finished."""
        if self._sound is None or self._sound.watch is None or not self._sound.watch.is_uncertain:
            return ()
        return (f"{self.book.stream}: too few chirps were heard to know that sound is not late by whole seconds more",)

    async def wait_for_picture_and_sound(self) -> None:
        """Wait until both were decoded. Cancelling is safe."""
        await self._complete.wait()

    def _note_first(self, metric: str, moment: float) -> None:
        self._first[metric] = moment
        if not self.missing:
            self._complete.set()

    def read_network(self) -> None:
        """Take the transport's statistics as they are now, and how late we ourselves were since the last time."""
        now = time.monotonic()
        self._network.read(self._end.call.peer.statistics(now), now)
        at, listeners = now - self._began, [each for each in (self._pictures, self._sound) if each is not None]
        for metric, lates in (
            ("self.send_late_ms", [log.late for log in self._end.sent.values()]),
            ("self.decode_wait_ms", [listener.waited for listener in listeners]),
        ):
            worst = [seconds for late in lates if (seconds := late.take()) is not None]
            if worst:
                self.book.add(metric, at, 1000 * max(worst))
        dropped = sum(listener.dropped for listener in listeners)
        self.book.add("self.dropped", at, dropped - self._dropped)
        self._dropped = dropped

    async def finish(self, until: float) -> list[Moment]:
        """Stop listening and write what is known only at the end; `until` is when the other side stopped sending.

        Returns:
            The freezes, as moments of the run.
        """
        for line, listener in ((self._end.call.video, self._pictures), (self._end.call.audio, self._sound)):
            if listener is not None:
                if line is not None and line.receiver is not None:
                    line.receiver.remove_tap(listener)
                await listener.aclose()
        self._network.finish()
        phases = self._end.call.phases
        write_phases(self.book, phases)
        for metric, moment in self._first.items():
            self.book.add(metric, 0.0, 1000 * (moment - phases.started))
        moments: list[Moment] = []
        if self._pictures is not None:
            watch = self._pictures.watch
            watch.finish(until)
            moments = [
                Moment(
                    time=round(freeze.begin - self._began, 3),
                    what=f"freeze of {freeze.duration:.2f} s",
                    stream=self.book.stream,
                )
                for freeze in watch.freezes
            ]
        if self._sound is not None and self._sound.watch is not None:
            self._sound.watch.finish(until)
            if self._pictures is not None:
                write_skew(self.book, self._began, self._pictures.watch, self._sound.watch)
        return moments

    async def __aenter__(self) -> Listening:
        await self._stack.enter_async_context(LoopWatch(self.book, self._began))
        for listener in (self._pictures, self._sound):
            if listener is not None:
                await self._stack.enter_async_context(listener)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def write_phases(book: SeriesBook, phases: JoinPhases) -> None:
    """Write the milestones of joining that were reached."""
    reached = phases.as_ms()
    for name, metric in _PHASES.items():
        if name in reached:
            book.add(f"setup.{metric}", 0.0, reached[name])
