"""Each single fault alone is found by the metric that should find it, and by few others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import av
import numpy as np
import pytest

from pexrtc_py.media.comparison import luma_plane
from pexrtc_py.media.frames import Codec
from pexrtc_py.probe.reference import write_skew
from pexrtc_py.probe.series import SeriesBook
from pexrtc_py.probe.thresholds import Outcome, Threshold
from pexrtc_py.webrtc.impairment import Impairment

from ..support.injection import START, Room, carry, frame_of, listen, sine, watch

ALARMS = (
    "video.loss_ratio > 1%",
    "video.loss_burst > 2",
    "video.reordered_ratio > 0.5%",
    "video.duplicates > 0",
    "video.jitter_p95_ms > 10",
    "video.freezes > 0",
    "video.black_ratio > 1%",
    "video.unread_ratio > 1%",
    "video.frames_lost > 0",
    "video.frames_repeated > 0",
    "video.frames_reordered > 0",
    "video.psnr_db < 30",
    "video.delay_ms > 200",
    "audio.loss_ratio > 1%",
    "audio.loss_burst > 2",
    "audio.reordered_ratio > 0.5%",
    "audio.duplicates > 0",
    "audio.jitter_p95_ms > 10",
    "audio.mos < 4",
    "audio.delay_ms > 200",
    "audio.silence_ratio > 5%",
    "audio.clipped_ratio > 0.01%",
    "audio.chirps_lost > 0",
    "audio.loudness_lufs < -45",
    "av.skew_ms > 45",
    "av.skew_ms < -125",
)
"""What is looked at; that a metric is none of a test's is no alarm."""


def alarms(*books: SeriesBook) -> set[str]:
    """Return the metrics that are outside of what is good."""
    series = [one for book in books for one in book.series()]
    reasons = [Threshold.parse(text, required=False).judge(series) for text in ALARMS]
    return {reason.metric for reason in reasons if reason.outcome is Outcome.FAILED}


def of_room(room: Room) -> set[str]:
    """Return what is found of pictures and sound that go through a room."""
    (pictures, watched), (sound, heard) = watch(room, 4), listen(room, 6)
    write_skew(pictures, START, watched, heard)
    return alarms(pictures, sound)


def of_network(impairment: Impairment) -> set[str]:
    """Return what is found of the packets of both."""
    return alarms(*(carry(codec, impairment, 30)[0] for codec in (Codec.OPUS, Codec.VP8)))


def both(*names: str) -> set[str]:
    """Name metrics of sound and picture alike."""
    return {f"{kind}.{name}" for kind in ("audio", "video") for name in names}


def swapped(place: int) -> int:
    """Swap two frames."""
    return {50: 51, 51: 50}.get(place, place)


def dropped(place: int) -> int:
    """Leave one frame out."""
    return place if place < 60 else place + 1


def repeated(place: int) -> int:
    """Show one frame twice, and no other later."""
    return place if place < 60 else place - 1


def grey(frame: av.VideoFrame) -> av.VideoFrame:
    """Lose contrast."""
    return frame_of((luma_plane(frame).astype(np.float32) * 0.8 + 20).astype(np.uint8))


def overdriven(piece: int, samples: np.ndarray) -> np.ndarray:
    """Play a tone of twice full scale; what a codec makes of clipped chirps is no longer flat."""
    return np.clip(sine(0.0)(piece, samples).astype(np.int32) * 2, -32768, 32767).astype(np.int16)


@dataclass(frozen=True)
class Fault:
    """A fault, and what finds it."""

    find: Callable[[], set[str]]
    metrics: set[str]


FAULTS = {
    "nothing": Fault(lambda: of_room(Room()), set()),
    "nothing, network": Fault(lambda: of_network(Impairment(delay_s=0.02)), set()),
    "a picture held": Fault(
        lambda: of_room(Room(shown=lambda place: 40 if 40 < place <= 60 else place)),
        {"video.freezes", "video.frames_lost", "video.frames_repeated"},
    ),
    "black": Fault(
        lambda: of_room(Room(shown=lambda place: None if 30 <= place < 60 else place)),
        {"video.black_ratio", "video.unread_ratio", "video.freezes", "video.frames_lost"},
    ),
    "a frame dropped": Fault(lambda: of_room(Room(shown=dropped)), {"video.frames_lost"}),
    "a frame repeated": Fault(lambda: of_room(Room(shown=repeated)), {"video.frames_repeated"}),
    "frames swapped": Fault(lambda: of_room(Room(shown=swapped)), {"video.frames_reordered"}),
    "poor contrast": Fault(lambda: of_room(Room(compose=grey)), {"video.psnr_db"}),
    "late pictures": Fault(lambda: of_room(Room(video_delay=0.3)), {"video.delay_ms", "av.skew_ms"}),
    "late sound": Fault(lambda: of_room(Room(audio_delay=0.3)), {"audio.delay_ms", "av.skew_ms"}),
    "both late": Fault(lambda: of_room(Room(video_delay=0.3, audio_delay=0.3)), both("delay_ms")),
    "silence": Fault(
        lambda: of_room(Room(sound=lambda piece, samples: samples * 0 if 98 <= piece < 198 else samples)),
        {"audio.silence_ratio", "audio.chirps_lost"},
    ),
    # The tone stands in place of the chirps.
    "clipping": Fault(lambda: of_room(Room(sound=overdriven)), {"audio.clipped_ratio", "audio.chirps_lost"}),
    "too soft": Fault(
        lambda: of_room(Room(sound=lambda piece, samples: (samples / 30).astype(np.int16))),
        {"audio.loudness_lufs", "audio.silence_ratio"},
    ),
    "loss": Fault(lambda: of_network(Impairment(delay_s=0.02, loss=0.03)), both("loss_ratio")),
    "bursts": Fault(
        lambda: of_network(Impairment(delay_s=0.02, loss=0.05, burst=5)),
        both("loss_ratio", "loss_burst") | {"audio.mos"},
    ),
    "jitter": Fault(lambda: of_network(Impairment(delay_s=0.02, jitter_s=0.03)), both("jitter_p95_ms")),
    # What is overtaken by so much is asked for again, and comes twice.
    "disorder": Fault(
        lambda: of_network(Impairment(delay_s=0.02, reorder=0.03, reorder_s=0.03)),
        both("reordered_ratio"),
    ),
    "duplicates": Fault(lambda: of_network(Impairment(delay_s=0.02, duplicate=0.02)), both("duplicates")),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_alone_is_found_by_its_metric(name: str) -> None:
    """All that is told, and nothing else is."""
    assert FAULTS[name].find() == FAULTS[name].metrics
