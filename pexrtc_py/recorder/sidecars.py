"""The files beside a recording: events as they come, and when it ends roster, speakers, chat, manifest and a page.

The events' file is complete up to a sixth of a second at any moment, one line each (`event_log`); `read_story` makes of
it what the others are made of, so a kill costs none of them. Names and texts come from strangers: they are escaped for
the format they go to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol, Self, TypeVar

import msgspec

from ..errors import RemoteProtocolError, SourceError, UsageError, WriteError
from ..protocol.events import Event, parse_event, serialize_event
from .event_log import EventLog
from .hashing import Hashing
from .manifest import FileSum, make_manifest
from .naming import recording_paths
from .page import make_page
from .results import RecordingResult
from .story import Story
from .webvtt import chat_vtt, speakers_vtt

__all__ = [
    "SIDECAR_ENDINGS",
    "ClockOfRecording",
    "Sidecars",
    "events_beside",
    "read_story",
    "rewrite_sidecars",
    "sidecar_path",
]

logger = logging.getLogger(__name__)

T = TypeVar("T")

_EVENTS: Final = "events.jsonl"
SIDECAR_ENDINGS: Final = (_EVENTS, "roster.json", "speakers.vtt", "chat.vtt", "manifest.json", "html")
"""What the names of the files beside a recording end in, see `sidecar_path`."""
_SECRETS = frozenset({"pin", "pwd", "sdp"})
"""Keys whose values are nobody's to read, and endings of such; a session description has the passwords of ICE in it."""
_SECRET_ENDINGS = ("token", "password", "secret", "credential")


async def _never() -> None:
    await asyncio.Event().wait()


class ClockOfRecording(Protocol):
    """What sidecars need of a `Recording`."""

    def position(self) -> float:
        """Seconds of the recording now."""

    def add_chapter(self, title: str) -> None:
        """Begin a chapter now."""


def sidecar_path(recording: Path, ending: str) -> Path:
    """Return the path of a file beside a recording: `talk.mkv` and `chat.vtt` give `talk.chat.vtt`."""
    return recording.with_name(f"{recording.stem}.{ending}")


class Sidecars:
    """Notes what happens beside a recording. Driven by `note`; `write` ends it.

    Files are new, 0600, and one that exists already is an error on entering.

    Attributes:
        failures: what could not be written, after `write`.
    """

    def __init__(self, recording: ClockOfRecording, path: Path, *, wall_clock: Callable[[], float] = time.time) -> None:
        """Write beside `path`, on the clock of `recording`."""
        self._recording = recording
        self._path = path
        self._wall_clock = wall_clock
        self._story = Story()
        self._chapters: list[tuple[float, str]] = []
        self._log: EventLog | None = None
        self._hashing = Hashing()
        self._is_discarded = False
        self.failures: list[WriteError] = []

    async def __aenter__(self) -> Self:
        """Make the events' file.

        Raises:
            UsageError: it cannot be made, or the name of any of the files is taken.
        """
        for ending in SIDECAR_ENDINGS:
            if os.path.lexists(taken := sidecar_path(self._path, ending)):
                raise UsageError(f"{taken} exists already, and is not overwritten")
        path = sidecar_path(self._path, _EVENTS)
        try:
            self._log = EventLog(path)
        except OSError as exc:
            raise UsageError(f"{path} cannot be written: {(exc.strerror or str(exc)).lower()}") from exc
        await self._hashing.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._log is None:
            return
        await self._hashing.__aexit__(kind, error, trace)
        self._log.close_soon()
        if error is None:  # else who is cancelled would wait for a disk that hangs
            await self._log.aclose()

    def discard(self) -> None:
        """Remove the events' file: there is no recording that it could be beside. Idempotent."""
        if self._log is not None and not self._is_discarded:
            self._is_discarded = True
            with contextlib.suppress(OSError):
                sidecar_path(self._path, _EVENTS).unlink()

    def note(self, event: Event) -> None:
        """Write an event down, at the second the recording has now, and begin a chapter where it makes one."""
        at_s = round(self._recording.position(), 3)  # as it is written, so that reading tells the same story
        name, data = serialize_event(event)
        line = {
            "at_s": at_s,
            "time": _iso(self._wall_clock()),
            "event": name,
            "data": _without_secrets(msgspec.json.decode(data) if data else None),
        }
        if self._log is not None:
            self._log.write(_one_line(line))
        if title := self._story.apply(event, at_s):
            self._chapters.append((at_s, title))
            self._recording.add_chapter(title)

    def note_file(self, path: Path) -> None:
        """Learn that a file of the recording is complete: it is read for its hash, which the manifest has."""
        self._hashing.add(path)

    async def write(
        self,
        result: RecordingResult,
        about: Mapping[str, object] | None = None,
        *,
        late: Callable[[], Awaitable[object]] = _never,
    ) -> tuple[Path, ...]:
        """Write the files of a recording that has ended; return their paths.

        What cannot be written, or read for its hash, costs no other file: see `failures`. Not safe to cancel: what is
        missing then can be made from the events, which are all written before.

        Args:
            result: what was recorded.
            about: see `make_manifest`.
            late: waits for the moment from which on no more hashes are made.
        """
        if self._log is not None:
            await self._log.aclose()
        # Before the hashes, for a file of hours takes a while to be read: who is killed over it has the rest.
        told = await asyncio.to_thread(lambda: self._write_all(_told_by(self._story, result.duration_s)))
        sums = await self._hashing.finish(result.files, late=late)
        return (*told, *await asyncio.to_thread(self._write_manifest, result, sums, about or {}))

    def _write_manifest(
        self, result: RecordingResult, sums: Mapping[Path, FileSum | None], about: Mapping[str, object]
    ) -> tuple[Path, ...]:
        self._tell_unread([path for path, found in sums.items() if found is None])
        manifest = make_manifest(
            result,
            self._story,
            began_at=None if result.began_at is None else _iso(result.began_at),
            chapters=self._chapters,
            sums={path: found for path, found in sums.items() if found is not None},
            about=about,
        )
        return self._write_all({"manifest.json": manifest, "html": make_page(manifest)})

    def _tell_unread(self, paths: Sequence[Path]) -> None:
        late = []
        for path in paths:
            if reason := _why_unreadable(path):
                self.failures.append(WriteError(f"{path}: {reason}"))
            else:
                late.append(path)
        if late:
            more = f" and {len(late) - 1} more" if len(late) > 1 else ""
            self.failures.append(WriteError(f"{late[0]}{more}: no hash in the manifest, there was no time to read it"))

    def _write_all(self, contents: Mapping[str, bytes]) -> tuple[Path, ...]:
        written = [
            self._tried(sidecar_path(self._path, ending), partial(_write_new, content=content))
            for ending, content in contents.items()
        ]
        return tuple(path for path in written if path is not None)

    def _tried(self, path: Path, step: Callable[[Path], T]) -> T | None:
        """Do something with a file; None, and one failure more, when that cannot be done."""
        try:
            return step(path)
        except WriteError as exc:
            self.failures.append(exc)
            return None


def events_beside(file: Path) -> Path | None:
    """Return the events of the recording that a file is of, a segment or its slides too; None if there are none."""
    paths = (sidecar_path(one, _EVENTS) for one in recording_paths(file))
    return next((path for path in paths if path.exists()), None)


def rewrite_sidecars(events: Path, duration_s: float) -> tuple[Path, ...]:
    """Write what a kill left unwritten beside a recording, out of its events; return what is new.

    What is there stays. The manifest and the page are not made again: what they count died with the recorder.

    Args:
        events: see `events_beside`.
        duration_s: of the recording, or of its last file. What lasted to the end ends then, or at the last event where
            that is later: nobody knows how long segments are together.

    Raises:
        SourceError: there are no events.
        WriteError: a file cannot be written.
    """
    story, _, last_s = _read_events(events)
    recording = events.with_name(f"{events.name.removesuffix(_EVENTS)}x")
    told = _told_by(story, max(duration_s, last_s))
    contents = {sidecar_path(recording, ending): content for ending, content in told.items()}
    return tuple(_write_new(path, content) for path, content in contents.items() if not os.path.lexists(path))


def _told_by(story: Story, duration_s: float) -> dict[str, bytes]:
    """Return the files that are made of events alone, by their endings."""
    return {
        "roster.json": msgspec.json.format(msgspec.json.encode(story.attendance()), indent=2),
        "speakers.vtt": speakers_vtt(story.speeches(duration_s)).encode(),
        "chat.vtt": chat_vtt(story.messages).encode(),
    }


def _why_unreadable(path: Path) -> str:
    """Say why a file cannot be read; empty when it can."""
    try:
        path.open("rb").close()
    except OSError as exc:
        return (exc.strerror or str(exc)).lower()
    return ""


def _write_new(path: Path, content: bytes) -> Path:
    """Write a file that was not there; of one that cannot be written whole nothing is left."""
    is_ours = False
    try:
        with os.fdopen(_create(path), "wb") as file:
            is_ours = True
            file.write(content)
    except OSError as exc:
        if is_ours:
            with contextlib.suppress(OSError):
                path.unlink()
        raise WriteError(f"{path}: {(exc.strerror or str(exc)).lower()}") from exc
    return path


def read_story(events: Path) -> tuple[Story, list[tuple[float, str]]]:
    """Return what an events' file tells, and second and title of its chapters. A last line cut off is passed over.

    Raises:
        SourceError: there is no such file.
    """
    story, chapters, _ = _read_events(events)
    return story, chapters


def _read_events(events: Path) -> tuple[Story, list[tuple[float, str]], float]:
    story = Story()
    chapters: list[tuple[float, str]] = []
    last_s = 0.0
    try:
        with events.open("rb") as lines:
            for line in lines:
                try:
                    noted = msgspec.json.decode(line, type=_Noted)
                    event = parse_event(noted.event, bytes(noted.data).decode())
                except (msgspec.MsgspecError, RemoteProtocolError, UnicodeDecodeError):
                    continue
                last_s = max(last_s, noted.at_s)
                if title := story.apply(event, noted.at_s):
                    chapters.append((noted.at_s, title))
    except OSError as exc:
        raise SourceError(f"{events}: {(exc.strerror or str(exc)).lower()}") from exc
    return story, chapters, last_s


class _Noted(msgspec.Struct):
    at_s: float
    event: str
    data: msgspec.Raw = msgspec.Raw(b"null")


def _one_line(value: object) -> bytes:
    """Return JSON that is one line for those too who take U+0085, U+2028 or U+2029 for its end (`str.splitlines`)."""
    text = msgspec.json.encode(value).decode()
    for separator in ("\x85", "\u2028", "\u2029"):
        text = text.replace(separator, f"\\u{ord(separator):04x}")
    return text.encode() + b"\n"


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _without_secrets(value: object) -> object:
    if isinstance(value, dict):
        return {key: "…" if _is_secret(key) and part else _without_secrets(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_secrets(part) for part in value]
    return value


def _is_secret(key: object) -> bool:
    name = str(key).lower()
    return name in _SECRETS or name.endswith(_SECRET_ENDINGS)
