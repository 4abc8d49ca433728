"""Opening what FFmpeg can read, and nothing behind it: whitelists, timeouts, and one clear line when it fails.

A media file can name others (playlists, concat scripts, SDP files), and FFmpeg would follow. So a local path may only
lead to itself: protocol `file`, and no demuxer that reaches further. An address of the network may only lead to the
network: nothing from the local disk can be drawn into a conference by a playlist from outside.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

import av
from av.container import InputContainer

from ...errors import SourceError
from ...protocol.escaping import visible

__all__ = ["NETWORK_SCHEMES", "Opening", "Readable", "open_input", "open_local", "shown", "translated"]

# Demuxers that open other things than what they were given, or that make pictures of no file.
_REACHING: Final = frozenset({
    "alsa", "applehttp", "concat", "dash", "fbdev", "hls", "imf", "kmsgrab", "lavfi", "oss", "pulse", "rtp", "rtsp",
    "sap", "sdp", "tee", "tedcaptions", "v4l2", "video4linux2,v4l2", "vapoursynth", "webm_dash_manifest", "x11grab",
})  # fmt: skip
_LOCAL_FORMATS: Final = ",".join(sorted(av.formats_available - _REACHING))

NETWORK_SCHEMES: Final[Mapping[str, str]] = {
    "http": "http,https,tcp,tls,crypto,data",
    "https": "https,tcp,tls,crypto,data",
    "rtsp": "rtsp,rtp,rtcp,udp,tcp",
    "rtsps": "rtsp,rtsps,rtp,srtp,udp,tcp,tls",
    "rtmp": "rtmp,tcp",
    "rtmps": "rtmps,rtmp,tcp,tls",
}
"""Schemes of addresses that can be opened, with the protocols each of them may use (FFmpeg's `protocol_whitelist`)."""


class Readable(Protocol):
    """A file object, as far as FFmpeg needs it."""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How to open an input."""

    name: str
    """What messages call it; no credentials."""
    url: str | Readable
    """What FFmpeg opens, or a file object that is read."""
    format: str | None = None
    """FFmpeg's name of the format or device; None: found out by FFmpeg."""
    options: Mapping[str, str] = field(default_factory=dict)
    """FFmpeg's options, whitelists included."""
    open_timeout_s: float | None = 10.0
    """Longest time to wait for the input to open; None: for ever."""
    read_timeout_s: float | None = 10.0
    """Longest time to wait for the next packet; None: for ever."""


def shown(url: str) -> str:
    """Return `url` fit to be shown: without user, password, query and a stream's key, and no control characters."""
    bare = re.sub(r"(?<=//)[^/]*@", "", url.split("?", 1)[0])  # up to the last @, as FFmpeg reads it
    # A password with a slash or a question mark in it, which it may not have: what looks like a port is half of it.
    bare = re.sub(r"(?<=://)[^/:@\[\]]*:(?!\d*(?:/|$)).*", "***", bare)
    # What comes after the application is the name of a stream, which lets whoever knows it publish.
    bare = re.sub(r"^(rtmp\w*://[^/]*/(?:[^/]+/)?).+", r"\1***", bare)
    return visible(bare)


@contextmanager
def translated(name: str, doing: str) -> Iterator[None]:
    """Turn FFmpeg's errors into one `SourceError` that says what could not be done, and to what."""
    try:
        yield
    except av.error.ExitError as exc:  # what FFmpeg says when its time is over: "immediate exit requested"
        raise SourceError(f"{name}: cannot {doing}: nothing came for too long") from exc
    except (av.error.FFmpegError, OSError) as exc:
        reason = exc.strerror or str(exc)
        raise SourceError(f"{name}: cannot {doing}: {reason[:1].lower()}{reason[1:]}") from exc


def open_input(opening: Opening) -> InputContainer:
    """Open an input.

    Raises:
        SourceError: it is not there, not permitted, too slow, or nothing that FFmpeg knows.
    """
    with translated(opening.name, "open" if opening.format is None else f"open as {opening.format}"):
        return av.open(
            opening.url,
            "r",
            format=opening.format,
            options=dict(opening.options),
            timeout=(opening.open_timeout_s, opening.read_timeout_s),
        )


def open_local(path: Path) -> InputContainer:
    """Open a media file of this machine, and only that one file.

    Raises:
        SourceError: it is missing, empty, a directory, a playlist, or no media.
    """
    name = shown(str(path))
    with translated(name, "open"):
        status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise SourceError(f"{name}: is a directory, not a media file")
    if stat.S_ISREG(status.st_mode) and status.st_size == 0:
        raise SourceError(f"{name}: is empty")
    options = {"protocol_whitelist": "file", "format_whitelist": _LOCAL_FORMATS}
    # "file:" keeps FFmpeg from taking a name with a colon for a protocol.
    return open_input(Opening(name=name, url=f"file:{path}", options=options))
