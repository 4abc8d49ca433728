"""What a Matroska file holds, and how one is left that nobody closed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import av
import av.stream

ORIGIN = 1000.0


def packets(path: Path, stream: int) -> list[av.Packet[av.stream.Stream]]:
    """Read all packets of a stream."""
    with av.open(path) as container:
        return [packet for packet in container.demux(container.streams[stream]) if packet.size]


def times_ms(path: Path, stream: int) -> list[int]:
    """Read the presentation times of a stream in milliseconds."""
    return [
        round(float(packet.pts * packet.time_base * 1000))
        for packet in packets(path, stream)
        if packet.pts is not None and packet.time_base is not None
    ]


def data(path: Path, stream: int) -> list[bytes]:
    """Read the bytes of each packet of a stream."""
    return [bytes(packet) for packet in packets(path, stream)]


def split_lengths(packet: bytes) -> list[bytes]:
    """Split a length-prefixed access unit."""
    units = []
    while packet:
        size = int.from_bytes(packet[:4], "big")
        units.append(packet[4 : 4 + size])
        packet = packet[4 + size :]
    return units


def kill_recorder(path: Path, container: str, after_s: float) -> int:
    """Record in a child, kill it after so many seconds of media; return the time it had come to, in milliseconds."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.writing_child", path, container], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if int(line) >= after_s * 1000:
                child.send_signal(signal.SIGKILL)
                break
        rest = child.stdout.read().split()
    return int(rest[-1] if rest else line)
