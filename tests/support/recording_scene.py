"""A recording whose streams push what a test gives them, at times of its choosing; and what its files hold."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import av

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Tap
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.results import RecordingResult
from pexrtc_py.recorder.roles import Role

START = 500.0
Frames = Sequence[EncodedFrame | Gap]
"""What one stream brings."""


class Stream:
    """What a recording knows of a receiver: taps, and a wish for key frames."""

    def __init__(self) -> None:
        self.taps: list[Tap] = []
        self.key_frames_asked = 0

    def add_tap(self, tap: Tap) -> None:
        """Give frames to `tap`."""
        self.taps.append(tap)

    def remove_tap(self, tap: Tap) -> None:
        """Give it no more."""
        self.taps.remove(tap)

    def request_key_frame(self) -> None:
        """Count."""
        self.key_frames_asked += 1

    def push(self, item: EncodedFrame | Gap) -> None:
        """Push to all taps."""
        for tap in tuple(self.taps):
            tap.push(item)


class Clock:
    """Time that stands where the last frame put it."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        """Return the moment."""
        return self.now


class Scene:
    """A recording with its three streams."""

    def __init__(self, path: Path, config: RecordingConfig | None = None) -> None:
        self.clock = Clock()
        self.recording = Recording(config or RecordingConfig(path=path), clock=self.clock)
        self.streams = {role: Stream() for role in Role}

    def attach(self, *roles: Role, **codecs: Codec) -> None:
        """Attach these roles."""
        for role in roles:
            self.recording.attach(role, self.streams[role], codec=codecs.get(role))

    async def play(self, **frames: Frames) -> None:
        """Push the frames of each role in order of time, the clock with them."""
        feed = sorted(
            ((item.time, Role(role), item) for role, items in frames.items() for item in items), key=lambda x: x[0]
        )
        for number, (at, role, item) in enumerate(feed):
            self.clock.now = max(self.clock.now, at)
            self.streams[role].push(item)
            if number % 10 == 0:
                self.recording._check()  # what the task does five times a second of real time
                await asyncio.sleep(0)


def read(path: Path) -> dict[str, list[tuple[int, bytes]]]:
    """Read a file: per codec, time in milliseconds and bytes of each packet."""
    content: dict[str, list[tuple[int, bytes]]] = {}
    with av.open(path) as container:
        for packet in container.demux():
            if packet.size and packet.pts is not None:
                content.setdefault(packet.stream.codec_context.codec.canonical_name, []).append(
                    (packet.pts, bytes(packet))
                )
    return content


def expected(frames: Sequence[EncodedFrame], origin: float = START) -> list[tuple[int, bytes]]:
    """Say what a file holds of these frames."""
    return [(round((frame.time - origin) * 1000), frame.data) for frame in frames]


def packets_and_gaps(result: RecordingResult, role: Role) -> tuple[int, int]:
    """Count those of a role, all files together."""
    streams = [stream for stream in result.streams if stream.role is role]
    return sum(one.packets for one in streams), sum(one.gaps for one in streams)
