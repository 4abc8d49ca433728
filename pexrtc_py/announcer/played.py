"""What is to be played, and what became of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from ..endpoint.presentation import PresentationWay
from ..errors import PexrtcError
from ..media.frames import Codec, Kind, Source
from ..webrtc.peer import PeerConfig

__all__ = ["DEFAULT_PRESENT_BY", "Announcement", "Played", "SourceOpener"]

DEFAULT_PRESENT_BY: Final = PresentationWay.AUTO
"""How a presentation comes beside an announcement, unless the user says it."""

SourceOpener: TypeAlias = Callable[[Mapping[Kind, Sequence[Codec]]], Source]
"""Opens a source for the codecs that were agreed; called in a thread, because opening may block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Announcement:
    """What to play and how to call for it."""

    opener: SourceOpener
    """Opens the source."""
    codecs: Mapping[Kind, Codec | None]
    """The kinds the source has, with the codec it can be sent with as it is; None: any, it is encoded."""
    present: bool = False
    """Whether it is a presentation (guide: calls with `present: send`) and not main audio and video."""
    peer: PeerConfig = field(default_factory=PeerConfig)
    """Addresses, ports, TURN, impairment."""
    hold: bool = True
    """Whether silence and the first picture are sent until the far side has reported that it receives, so that nothing
    of the first word is lost. A recording then shows the first picture for a second before the rest. A presentation
    begins with what it is shown beside, whatever it says itself."""
    replay: bool = False
    """Whether a far side that asks for a key frame is sent all since the last one again, at once, where none can be
    made. Otherwise it waits for the next, a second in prepared media. Recordings then have those pictures twice."""
    soft: SourceOpener | None = None
    """The same at a lower level, packet by packet, for ducking; None: there is none."""
    live: bool = False
    """Whether it cannot begin again: a camera, a pipe, a stream. After a transfer it goes on; all else begins anew."""


@dataclass(slots=True, kw_only=True)
class Played:
    """What became of an announcement in one conference."""

    duration_s: float = 0.0
    """Seconds of the source that were played."""
    ended: str = "finished"
    """Why it ended: `finished`, `stopped`, or the node's reason."""
    codecs: dict[Kind, Codec] = field(default_factory=dict)
    """What was sent."""
    packets: dict[Kind, int] = field(default_factory=dict)
    """How many RTP packets were sent."""
    lost: dict[Kind, int] = field(default_factory=dict)
    """How many of them the node reported as lost."""
    join_ms: dict[str, float] = field(default_factory=dict)
    """Milestones of joining, milliseconds since the start."""
    alias: str = ""
    """The conference."""
    started: float | None = None
    """When the source itself began, on `time.monotonic`; None if it did not."""
    acknowledged: bool = False
    """Whether the far side reported that the last packet arrived."""
    error: PexrtcError | None = None
    """What went wrong in this conference; None when nothing did."""
    moved_to: str | None = None
    """Where we were transferred to in the middle of it; what came of it there is told by itself."""
