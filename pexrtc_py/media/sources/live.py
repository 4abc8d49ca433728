"""Live inputs: devices, addresses of the network, standard input.

A device goes on whether we keep up or not. When pictures come later than they should, because the encoder or the
machine is too slow, they are left out before they cost anything; sound is kept, and what is sent keeps its own times.
"""

from __future__ import annotations

import os
import re
import select
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import av

from ...errors import SourceError, UsageError
from ..frames import EncodedFrame, Kind, Source
from .demuxed import LIVE_LOOK_S, LOOK_S, Demuxed
from .encoded import EncodeConfig
from .file import DemuxedSource, RawFile
from .generated import Screen
from .opening import NETWORK_SCHEMES, Opening, open_input, shown
from .raw import DEFAULT_ACCEPT, Accept, Interruptible, Picture, RawFormat, RawSource, Sound

__all__ = [
    "NETWORK_SCHEMES", "KeepUp", "PcmFormat", "PipeSource", "RawPipe",
    "camera", "capture", "is_address", "microphone", "open_address", "open_pipe",
    "raw_address", "raw_pipe", "screen", "shown",
]  # fmt: skip

# How much later than the promptest a picture may be before it is left out.
_LATE_S: Final = 0.4
# The promptest picture is forgotten at this pace, so that a device whose clock runs slow is not seen as ever later.
_FORGET_S_PER_S: Final = 0.001
# Schemes whose servers send in real time; what comes by HTTP comes in bursts and is paced by the player.
_REAL_TIME: Final = frozenset({"rtsp", "rtsps", "rtmp", "rtmps"})
_PIPE_CHECK_S: Final = 0.2
# Whether a pipe is written in real time is not known; a second of delay is bearable if it is.
_PIPE_LOOK_S: Final = 1.0
_LARGEST: Final = (1920, 1080)


class KeepUp:
    """A live `RawSource` without the pictures that come too late to be worth encoding."""

    live = True

    def __init__(self, raw: RawSource, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._raw = raw
        self._clock = clock
        self._promptest: float | None = None
        self._asked_at = 0.0
        self.dropped = 0
        """Pictures that were left out."""

    @property
    def formats(self) -> Mapping[Kind, RawFormat]:
        """Those of the source."""
        return self._raw.formats

    def pull(self) -> Sound | Picture | None:
        """Return the next piece that is not too late; None at the end."""
        while isinstance(item := self._raw.pull(), Picture):
            now = self._clock()
            delay = now - item.time
            if self._promptest is None:
                self._promptest, self._asked_at = delay, now
            self._promptest = min(delay, self._promptest + (now - self._asked_at) * _FORGET_S_PER_S)
            self._asked_at = now
            if delay - self._promptest <= _LATE_S:
                break
            self.dropped += 1
        return item

    def interrupt(self) -> None:
        """Pass it on. Thread-safe."""
        if isinstance(self._raw, Interruptible):
            self._raw.interrupt()

    def close(self) -> None:
        """Close the source. Idempotent."""
        self._raw.close()


def capture(
    form: str,
    device: str,
    *,
    kinds: tuple[Kind, ...] = (Kind.AUDIO, Kind.VIDEO),
    options: Mapping[str, str] | None = None,
) -> KeepUp:
    """Open a device by FFmpeg's name of its input format: `v4l2`, `alsa`, `x11grab`, `lavfi` and others.

    Args:
        form: the input format; it has to be in PyAV's build of FFmpeg.
        device: what that format calls it: `/dev/video0`, `default`, `:0.0`.
        kinds: what to take of it.
        options: FFmpeg's options of that format.

    Raises:
        SourceError: there is no such format or device, or it is taken.
    """
    name = f"{form}:{shown(device)}"
    names = {part for known in av.formats_available for part in known.split(",")}
    if form not in names:
        raise SourceError(f"{name}: this build of FFmpeg has no input called {form}")
    opening = Opening(name=name, url=device, format=form, options=options or {})
    opened: Demuxed[Sound | Picture] = Demuxed(name, open_input(opening), kinds, look_s=LIVE_LOOK_S)
    return KeepUp(RawFile(opened, _LARGEST, live=True))


def camera(device: str = "/dev/video0", screen: Screen | None = None) -> KeepUp:
    """Open a camera (Video4Linux).

    Raises:
        SourceError: it is not there, or taken.
    """
    screen = screen or Screen()
    options = {"video_size": f"{screen.width}x{screen.height}", "framerate": f"{screen.frame_rate:g}"}
    return capture("v4l2", device, kinds=(Kind.VIDEO,), options=options)


def microphone(device: str = "default") -> KeepUp:
    """Open a microphone (ALSA).

    Raises:
        SourceError: it is not there, or taken.
    """
    return capture("alsa", device, kinds=(Kind.AUDIO,))


def screen(display: str = "", *, size: tuple[int, int] | None = None, frame_rate: float = 15.0) -> KeepUp:
    """Open what a screen shows (X11).

    Args:
        display: `:0.0`, or `:0.0+100,200` for a part; empty: `DISPLAY` of the environment.
        size: width and height; None: all of it.
        frame_rate: pictures per second.

    Raises:
        SourceError: there is no such display, or it may not be read.
    """
    options = {"framerate": f"{frame_rate:g}", "draw_mouse": "1"}
    if size is not None:
        options["video_size"] = f"{size[0]}x{size[1]}"
    return capture("x11grab", display or os.environ.get("DISPLAY", ":0"), kinds=(Kind.VIDEO,), options=options)


def is_address(text: str) -> bool:
    """Whether text is an address of the network rather than the name of a file."""
    return bool(re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", text))


def open_address(url: str, *, accept: Accept = DEFAULT_ACCEPT, config: EncodeConfig | None = None) -> Source:
    """Open an address: http(s) with media or an HLS playlist, rtsp(s), rtmp(s).

    Nothing but the network is read, whatever a playlist there says.

    Raises:
        UsageError: another scheme.
        SourceError: it does not answer in ten seconds, refuses, or has nothing to play.
    """
    opening, live = _address(url)
    opened: Demuxed[EncodedFrame] = Demuxed(opening.name, open_input(opening), accept, look_s=_look_s(live=live))
    return DemuxedSource(opened, accept, config or EncodeConfig(), live=live)


def raw_address(url: str) -> RawSource:
    """Open an address to be decoded, as `open_address` does.

    Raises:
        UsageError: another scheme.
        SourceError: it does not answer in ten seconds, refuses, or has nothing to play.
    """
    opening, live = _address(url)
    opened: Demuxed[Sound | Picture] = Demuxed(
        opening.name, open_input(opening), tuple(Kind), look_s=_look_s(live=live)
    )
    raw = RawFile(opened, _LARGEST, live=live)
    return KeepUp(raw) if live else raw


def _look_s(*, live: bool) -> float:
    return LIVE_LOOK_S if live else LOOK_S


def _address(url: str) -> tuple[Opening, bool]:
    scheme = urlsplit(url).scheme.lower()
    if scheme not in NETWORK_SCHEMES:
        raise UsageError(f"{shown(url)}: only {', '.join(NETWORK_SCHEMES)} can be played from the network")
    options = {"protocol_whitelist": NETWORK_SCHEMES[scheme]}
    if scheme.startswith("rtsp"):
        # Over TCP nothing is lost on the way in, and no port has to be open.
        options["rtsp_transport"] = "tcp"
    if scheme in _REAL_TIME:
        # FFmpeg would look for five seconds at what comes, before we see any of it.
        options |= {"analyzeduration": "1000000", "fflags": "nobuffer"}
    return Opening(name=shown(url), url=url, options=options), scheme in _REAL_TIME


@dataclass(frozen=True, slots=True, kw_only=True)
class PcmFormat:
    """How raw samples on a pipe are laid out."""

    sample_format: str = "s16le"
    """FFmpeg's name: `s16le`, `f32le`."""
    sample_rate: int = 48000
    """Samples per second."""
    channels: int = 1
    """1 or 2."""


class _Pipe:
    """Reads a pipe so that waiting for it can be ended."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._over = threading.Event()

    def read(self, size: int) -> bytes:
        while not self._over.is_set():
            if select.select([self._fd], [], [], _PIPE_CHECK_S)[0]:
                return os.read(self._fd, size)
        return b""

    def interrupt(self) -> None:
        self._over.set()


class _PipeSource:
    """A source that reads a pipe, and stops reading when it is interrupted."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def interrupt(self) -> None:
        """Read no more. Thread-safe."""
        self._pipe.interrupt()


class PipeSource(_PipeSource, DemuxedSource):
    """A `Source` read from a pipe."""

    def __init__(self, pipe: _Pipe, opened: Demuxed[EncodedFrame], accept: Accept, config: EncodeConfig) -> None:
        _PipeSource.__init__(self, pipe)
        DemuxedSource.__init__(self, opened, accept, config)


class RawPipe(_PipeSource, RawFile):
    """A `RawSource` read from a pipe."""

    def __init__(self, pipe: _Pipe, opened: Demuxed[Sound | Picture]) -> None:
        _PipeSource.__init__(self, pipe)
        RawFile.__init__(self, opened, _LARGEST)


def open_pipe(
    fd: int | None = None,
    *,
    pcm: PcmFormat | None = None,
    accept: Accept = DEFAULT_ACCEPT,
    config: EncodeConfig | None = None,
) -> PipeSource:
    """Open standard input or another pipe: `ffmpeg ... -f matroska - | pexrtc announce ... -`.

    It is read no faster than it is played, so a writer that makes no pace of its own waits for us.

    Args:
        fd: a file descriptor, not closed here; None: standard input.
        pcm: raw samples of this layout; None: FFmpeg finds out what it is.
        accept: codecs that can be sent.
        config: how to encode what has to be encoded.

    Raises:
        SourceError: nothing comes, or nothing that can be played.
    """
    pipe = _Pipe(sys.stdin.fileno() if fd is None else fd)
    opened: Demuxed[EncodedFrame] = Demuxed(
        "standard input", open_input(_piped(pipe, pcm)), accept, look_s=_PIPE_LOOK_S
    )
    return PipeSource(pipe, opened, accept, config or EncodeConfig())


def raw_pipe(fd: int | None = None, *, pcm: PcmFormat | None = None) -> RawPipe:
    """Open standard input or another pipe to be decoded, as `open_pipe` does.

    Raises:
        SourceError: nothing comes, or nothing that can be played.
    """
    pipe = _Pipe(sys.stdin.fileno() if fd is None else fd)
    return RawPipe(pipe, Demuxed("standard input", open_input(_piped(pipe, pcm)), tuple(Kind), look_s=_PIPE_LOOK_S))


def _piped(pipe: _Pipe, pcm: PcmFormat | None) -> Opening:
    options: dict[str, str] = {}
    if pcm is not None:
        options = {"sample_rate": str(pcm.sample_rate), "ch_layout": "stereo" if pcm.channels == 2 else "mono"}
    return Opening(
        name="standard input",
        url=pipe,
        format=pcm.sample_format if pcm else None,
        options=options,
        open_timeout_s=None,
        read_timeout_s=None,
    )
