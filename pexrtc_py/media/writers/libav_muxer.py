"""Containers that libavformat writes: MP4 and Ogg.

PyAV lets one declare a stream from one that was read, and in no other way without opening an encoder; so the tracks are
described in a few hundred bytes of Matroska in memory and read from there. Two traps of libavformat are kept off: a
stream declared after the header makes `close` abort the process, so there is none; and its interleaver would wait for
a silent track without an end, so `max_interleave_delta` bounds it (VP8 and VP9 are exempt from that bound: they go to
Matroska).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from fractions import Fraction

import av
import av.container
import av.error

from ...errors import WriteError
from ..frames import EncodedFrame
from .matroska_muxer import describe
from .muxer import Chapter
from .target import Target
from .tracks import TrackSpec, opus_duration

__all__ = ["LibavMuxer", "OggOpusMuxer"]

_SILENCE = {1: b"\xf8\xff\xfe", 2: b"\xfc\xff\xfe"}
"""20 ms of digital silence in Opus (CELT, full band), by channels; the packet that libopus makes of zeros."""
_SILENCE_TICKS = 960
_LONGEST_TITLE = 254
_FIRST_PICTURE_S = 1 / 30
"""How long the first picture is shown; each later one is said to last as long as the one before it."""


class LibavMuxer:
    """A `Muxer` over libavformat."""

    def __init__(self, format_name: str, options: Mapping[str, str]) -> None:
        """Write `format_name` with the muxer's `options`."""
        self._format = format_name
        self._options = dict(options)
        self._output: av.container.OutputContainer | None = None
        self._streams: list[av.AudioStream | av.VideoStream] = []
        self._pictures: dict[int, tuple[int, int]] = {}

    def begin(self, target: Target, specs: Sequence[TrackSpec], metadata: Mapping[str, str]) -> None:
        """Write the header."""
        output = av.open(target, "w", format=self._format, container_options=self._options)
        self._output = output
        output.metadata.update(metadata)
        with av.open(io.BytesIO(describe(specs)), "r", format="matroska") as described:
            for spec, template in zip(specs, described.streams, strict=True):
                if not isinstance(template, av.AudioStream | av.VideoStream):
                    raise AssertionError("what we described is sound or picture")
                stream = output.add_stream_from_template(template, opaque=True)
                if spec.parameter_sets:
                    # Annex B, as our frames are; libavformat then turns them into what the container wants.
                    stream.codec_context.extradata = spec.parameter_sets
                if spec.title:
                    stream.metadata["title"] = spec.title
                stream.time_base = Fraction(1, spec.sample_rate if spec.channels and not spec.width else 90000)
                self._streams.append(stream)
        try:
            output.start_encoding()
        except (av.error.FFmpegError, ValueError) as exc:
            raise WriteError(f"not begun by {self._format}: {exc}") from exc

    def ticks_per_s(self, index: int) -> float:
        """Return what the container has settled on."""
        base = self._streams[index].time_base
        return base.denominator / base.numerator if base else 1.0

    def write(self, index: int, frame: EncodedFrame, at: int, duration: int) -> None:
        """Give the frame to libavformat.

        A picture says not how long it lasts, and libavformat from 63 on takes it at its word: MP4's edit list then ends
        before the last picture, and players leave it out.
        """
        self._mux(index, frame.data, at, duration or self._shown_for(index, at), key=frame.key)

    def flush(self) -> None:
        """Do nothing: `flush_packets` is among the options."""

    def finish(self, chapters: Sequence[Chapter]) -> None:
        """Write index and chapters."""
        if self._output is None:
            return
        try:
            self._output.set_chapters(
                [
                    {
                        "id": number,
                        "start": round(chapter.start_s * 1000),
                        "end": round(chapter.end_s * 1000),
                        "time_base": Fraction(1, 1000),  # type: ignore[typeddict-item, unused-ignore]  # PyAV 19 says its own
                        "metadata": {"title": _title(chapter.title)},
                    }
                    for number, chapter in enumerate(chapters, start=1)
                ]
            )
            self._output.close()
        except (av.error.FFmpegError, ValueError) as exc:
            raise WriteError(f"not completed by {self._format}: {exc}") from exc

    def _shown_for(self, index: int, at: int) -> int:
        before, step = self._pictures.get(index, (at, 0))
        step = at - before or step or round(_FIRST_PICTURE_S * self.ticks_per_s(index))
        self._pictures[index] = (at, step)
        return step

    def _mux(self, index: int, data: bytes, at: int, duration: int, *, key: bool) -> None:
        stream = self._streams[index]
        packet = av.Packet(data)
        packet.stream = stream
        packet.time_base = stream.time_base or Fraction(1, 90000)
        packet.pts = packet.dts = at
        packet.duration = duration
        packet.is_keyframe = key
        if self._output is None:
            raise AssertionError("a header comes first")
        try:
            self._output.mux_one(packet)
        except (av.error.FFmpegError, ValueError) as exc:
            raise WriteError(f"not accepted by {self._format}: {exc}") from exc


def _title(text: str) -> str:
    """Return a title as libavformat writes one: MP4 has a byte for its length, and it cuts through characters."""
    whole = text.replace("\0", " ").encode("utf-8", "replace")
    return whole[:_LONGEST_TITLE].decode("utf-8", "ignore")


class OggOpusMuxer(LibavMuxer):
    """Opus in Ogg, which counts samples and knows no holes: packets of silence fill them (RFC 7845 section 4.1).

    Packets follow one another without regard to jitter below `_SILENCE_TICKS`: their samples are the clock.
    """

    def __init__(self) -> None:
        super().__init__("ogg", {"page_duration": "200000", "flush_packets": "1"})
        self._end = 0
        self._channels = 1

    def begin(self, target: Target, specs: Sequence[TrackSpec], metadata: Mapping[str, str]) -> None:
        """Write the header."""
        self._channels = specs[0].channels
        super().begin(target, specs, metadata)

    def write(self, index: int, frame: EncodedFrame, at: int, duration: int) -> None:
        """Write what is missing before the frame, then the frame."""
        while at - self._end >= _SILENCE_TICKS:
            self._mux(index, _SILENCE[self._channels], self._end, _SILENCE_TICKS, key=True)
            self._end += _SILENCE_TICKS
        samples = opus_duration(frame.data) or duration
        self._mux(index, frame.data, self._end, samples, key=True)
        self._end += samples
