"""What a recording is told, out of the options of `pexrtc record`: bytes of megabytes, paths of a template."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from ..errors import UsageError
from ..media.writers.container import Container, WriterConfig
from ..media.writers.containers import CONTAINERS, container_for
from ..recorder.file_series import SegmentRules
from ..recorder.naming import expand_template
from ..recorder.persistence import StayRules
from ..recorder.recording_config import RecordingConfig
from ..recorder.stopping import StopRules

__all__ = ["Wishes", "next_moment"]

_MB = 1_000_000


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
    """Return when it is next `HH:MM` by the clocks here, which may be changed until then.

    Raises:
        UsageError: that is no time of day.
    """
    try:
        moment = datetime.strptime(text, "%H:%M").time()
    except ValueError as exc:
        raise UsageError(f"--until {text}: a time of day, 17:30 for example") from exc
    here = now.astimezone()
    # Without a zone it is the wall clock's, on which a day has 23, 24 or 25 hours.
    today = datetime.combine(here.date(), moment)
    return today.astimezone() if today.astimezone() > here else (today + timedelta(days=1)).astimezone()


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes * _MB)
