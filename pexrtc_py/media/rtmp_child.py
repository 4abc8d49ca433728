"""RTMP in a process of its own: FFmpeg holds Python's lock while it connects, and what comes from outside costs it.

The first line of standard input is the URL as JSON: the end of its path is a key, and everybody on a machine can read
its command lines.

`python -m pexrtc_py.media.rtmp_child listen DEADLINE_S` waits for one publisher and writes its frames to standard
output as `frame_pipe` has them: H.264 as it comes where WebRTC takes it (it says `prepared` then), else encoded anew,
and Opus. It reads `key` and `bitrate N` from standard input then, a line each.

`python -m pexrtc_py.media.rtmp_child push KINDS` reads frames from standard input then and publishes them as H.264 of
one size with a key frame every two seconds and AAC, whatever comes: a stream has one form for ever. It writes
`connected` once the server has taken it, and `key` when it needs a key frame.

Both end when their standard input does, so no child outlives its parent; why they failed is the last line of standard
error.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import threading
from collections.abc import Sequence
from fractions import Fraction
from urllib.parse import urlsplit

import av
from av.container import InputContainer

from ..errors import PexrtcError, SourceError, UsageError, WriteError
from .compositor_canvas import Canvas, SceneTile
from .decoding import AudioDecoding, VideoDecoding
from .encoding import SAMPLE_RATE
from .frame_pipe import FramePipeReader, pack_item
from .frames import Codec, EncodedFrame, Kind
from .sources.demuxed import LIVE_LOOK_S, Demuxed
from .sources.encoded import EncodeConfig
from .sources.file import DemuxedSource
from .sources.opening import NETWORK_SCHEMES, Opening, open_input, shown
from .sources.packets import codec_of

__all__ = ["main"]

_MEMORY_BYTES = 4 << 30
_READ_CHUNK = 1 << 16
# A publisher that is silent for so long has gone; a server that takes nothing for so long is dead.
_SILENCE_S = 15.0
_SIZE = (1280, 720)
_FRAME_RATE = 30
_VIDEO_BPS, _AUDIO_BPS = 2_000_000, 128_000
_KEY_INTERVAL_S = 2
# Without a new picture the last one is sent again this often, so that players see that the stream lives.
_STILL_S = 0.5
_WHOLE = SceneTile(source=0, label="", x=0.0, y=0.0, width=1.0, height=1.0)
# What FFmpeg's server says of a publisher that asks for another stream than ours; it lets it in all the same.
_STRANGER = ("nexpected stream", "don't match")


def _write(item: EncodedFrame | str) -> None:
    sys.stdout.buffer.write(pack_item(item))
    sys.stdout.buffer.flush()


def _whitelist(url: str) -> str:
    scheme = urlsplit(url).scheme
    if not scheme.startswith("rtmp") or scheme not in NETWORK_SCHEMES:
        raise UsageError(f"{shown(url)}: no RTMP address")
    return NETWORK_SCHEMES[scheme]


def _follow_parent(source: list[DemuxedSource]) -> None:
    """Carry out what the parent asks for; end with it."""
    for line in sys.stdin.buffer:
        word, _, value = line.decode("ascii", "replace").strip().partition(" ")
        for made in source:
            if word == "key":
                made.request_key_frame()
            elif word == "bitrate" and value.isdigit():
                made.set_bitrate(int(value))
    os._exit(0)


def _listen(url: str, deadline: str) -> None:
    source: list[DemuxedSource] = []
    threading.Thread(target=_follow_parent, args=[source], name="rtmp-parent", daemon=True).start()
    opening = Opening(
        name="rtmp publisher",
        url=url,
        format="flv",
        options={
            "listen": "1",
            "protocol_whitelist": _whitelist(url),
            "fflags": "nobuffer",
            "analyzeduration": "300000",
        },
        open_timeout_s=float(deadline),
        read_timeout_s=_SILENCE_S,
    )
    _write("listening")
    container = _open_for_ours(opening)
    accept = {Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.H264,)}
    opened: Demuxed[EncodedFrame] = Demuxed(opening.name, container, accept, look_s=LIVE_LOOK_S)
    made = DemuxedSource(opened, accept, EncodeConfig(largest=_SIZE), live=True)
    source.append(made)
    pictures = opened.tracks.get(Kind.VIDEO)
    if pictures is not None and not pictures.obstacle and codec_of(pictures.stream) is Codec.H264:
        _write("prepared")
    _write("connected")
    try:
        while (frame := made.pull()) is not None:
            _write(frame)
    except SourceError as exc:
        # FFmpeg has no other word for a publisher that says goodbye.
        sys.stderr.write(f"{exc}\n")


def _open_for_ours(opening: Opening) -> InputContainer:
    """Wait for the publisher; one that does not know the name of the stream is turned away."""
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture(local=False) as said:
        container = open_input(opening)
    av.logging.set_level(None)
    if any(mark in text for _, _, text in said for mark in _STRANGER):
        container.close()
        raise SourceError("a publisher asked for a stream of another name")
    return container


class _Pusher:
    """Publishes what comes as one stream of FLV."""

    def __init__(self, url: str, kinds: str) -> None:
        options = {
            "protocol_whitelist": _whitelist(url),
            "rw_timeout": str(round(_SILENCE_S * 1e6)),
            "flvflags": "no_duration_filesize",
        }
        self._container = av.open(url, "w", format="flv", options=options)
        self._audio: av.AudioStream | None = None
        if "audio" in kinds:
            self._audio = self._container.add_stream("aac", rate=SAMPLE_RATE, layout="stereo")
            self._audio.bit_rate = _AUDIO_BPS
        self._video = self._container.add_stream(
            "libx264",
            rate=_FRAME_RATE,
            options={
                "preset": "superfast",
                "tune": "zerolatency",
                "profile": "main",
                "maxrate": str(_VIDEO_BPS),
                "bufsize": str(_VIDEO_BPS),
            },
        )
        self._video.width, self._video.height = _SIZE
        self._video.pix_fmt = "yuv420p"
        self._video.bit_rate = _VIDEO_BPS
        self._video.codec_context.gop_size = _KEY_INTERVAL_S * _FRAME_RATE
        self._video.codec_context.time_base = Fraction(1, 1000)
        self._container.start_encoding()
        self._canvas = Canvas(*_SIZE)
        self._hearing, self._seeing = AudioDecoding(channels=2), VideoDecoding()
        self._resampler = av.AudioResampler(format="fltp", layout="stereo", rate=SAMPLE_RATE, frame_size=1024)
        self._begin: float | None = None
        self._samples = 0
        self._shown_ms, self._keyed_ms = -1, -(10**9)

    def push(self, frame: EncodedFrame) -> None:
        """Publish what a frame holds."""
        if self._begin is None:
            self._begin = frame.time
        time = frame.time - self._begin
        if frame.kind is Kind.AUDIO:
            self._hear(frame, time)
        else:
            for picture in self._seeing.feed(frame):
                self._canvas.clear()
                self._canvas.draw(picture.frame, _WHOLE)
                self._show(time)
            if self._seeing.needs_key:
                _write("key")
        if time * 1000 - self._shown_ms > _STILL_S * 1000:
            self._show(time)

    def close(self) -> None:
        """Publish what is left, and tell the server that this was all."""
        if self._begin is not None:
            self._container.mux(self._video.encode(None))
        self._container.close()

    def _hear(self, frame: EncodedFrame, time: float) -> None:
        for sound in self._hearing.feed(frame):
            if self._audio is None:
                return
            # Samples are counted, so that AAC has no holes; only a jump of the mix moves them.
            wanted = round(time * SAMPLE_RATE)
            if abs(wanted - self._samples) > SAMPLE_RATE // 10:
                self._samples = max(wanted, self._samples)
            piece = sound.frame()
            piece.pts, piece.time_base = self._samples, Fraction(1, SAMPLE_RATE)
            self._samples += piece.samples
            for resampled in self._resampler.resample(piece):
                self._container.mux(self._audio.encode(resampled))

    def _show(self, time: float) -> None:
        pts = round(time * 1000)
        if pts <= self._shown_ms:
            return
        self._shown_ms = pts
        picture = self._canvas.frame()
        picture.pts, picture.time_base = pts, Fraction(1, 1000)
        if pts - self._keyed_ms >= _KEY_INTERVAL_S * 1000:
            self._keyed_ms = pts
            picture.pict_type = av.video.frame.PictureType.I
        self._container.mux(self._video.encode(picture))


def _push(url: str, kinds: str) -> None:
    try:
        pusher = _Pusher(url, kinds)
        _write("connected")
        reader = FramePipeReader()
        while data := os.read(0, _READ_CHUNK):
            for item in reader.feed(data):
                if isinstance(item, EncodedFrame):
                    pusher.push(item)
        pusher.close()
    except (av.FFmpegError, OSError) as exc:
        raise WriteError(f"{shown(url)}: {(exc.strerror or str(exc)).lower()}") from exc


def _read_url() -> str:
    """Read the first line of standard input, and nothing beyond it."""
    line = bytearray()
    while (piece := os.read(0, 1)) not in (b"", b"\n"):
        line += piece
    if not line:
        os._exit(0)  # the parent has gone
    return str(json.loads(line))


def main(arguments: Sequence[str]) -> int:
    """Do what the first argument says."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    job, detail = arguments
    try:
        {"listen": _listen, "push": _push}[job](_read_url(), detail)
    except PexrtcError as exc:
        sys.stderr.write(f"{exc}\n")
        sys.stderr.flush()
        os._exit(1)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
