"""Matroska and WebM as a recorder needs them (RFC 9559): nothing is held back, so nothing can be lost.

libavformat cannot do it. Its interleaver keeps every packet in memory as long as a VP8 or VP9 track is silent, whatever
`max_interleave_delta` says (those codecs are exempt from it): a participant who switches the camera off would end the
recording's safety. And it writes clusters only when they end. Here frames reach the file in the round they came in,
into a cluster whose length is filled in when it ends; a reader takes one without a length up to what is there.

Layout: EBML header; Segment: space for the SeekHead, Info with the duration as it grows, Tracks, Clusters; and when the
file is closed well: Cues, Chapters, and the SeekHead to find them.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from time import time as wall_clock

from ..frames import Codec, EncodedFrame, Kind
from . import ebml
from .muxer import Chapter
from .target import Target
from .tracks import TrackSpec, annexb_units, opus_head, picture_size

__all__ = ["MatroskaMuxer", "describe"]

_TICKS_PER_S = 1000
_CLUSTER_TICKS = 500
_CUE_TICKS = 2000
_SEEK_HEAD_SPACE = 256
_SEGMENT, _SEEK_HEAD, _INFO, _TRACKS, _CLUSTER = 0x18538067, 0x114D9B74, 0x1549A966, 0x1654AE6B, 0x1F43B675
_CUES, _CHAPTERS = 0x1C53BB6B, 0x1043A770
_DURATION = 0x4489
_SIMPLE_BLOCK = b"\xa3"
_SIZE_BYTES = len(ebml.unsigned(0xB0, 0)) + len(ebml.unsigned(0xBA, 0))
_EPOCH_2001 = 978_307_200  # RFC 8794 section 7.6: dates count from 2001-01-01


class MatroskaMuxer:
    """A `Muxer` whose file is complete up to the last round at any moment."""

    def __init__(self, doc_type: str) -> None:
        """Write `matroska` or `webm`."""
        self._doc_type = doc_type
        self._codecs: list[Codec] = []
        self._pieces: list[bytes] = []
        self._size = 0
        self._places: dict[int, int] = {}
        self._segment_at = 0
        self._duration_at = 0
        self._cluster_at: int | None = None
        self._cluster_time = 0
        self._end = 0
        self._cue_track = 0
        self._cues: list[tuple[int, int]] = []
        self._guessed: dict[int, int] = {}
        """Of tracks declared before their first picture: where the header says their size."""

    def begin(self, target: Target, specs: Sequence[TrackSpec], metadata: Mapping[str, str]) -> None:
        """Write the header."""
        self._target = target
        self._codecs = [spec.codec for spec in specs]
        self._cue_track = next((index for index, spec in enumerate(specs) if spec.kind is Kind.VIDEO), 0)
        self._add(
            ebml.element(
                0x1A45DFA3,
                ebml.unsigned(0x4286, 1),
                ebml.unsigned(0x42F7, 1),
                ebml.unsigned(0x42F2, 4),
                ebml.unsigned(0x42F3, 8),
                ebml.text(0x4282, self._doc_type),
                ebml.unsigned(0x4287, 4),  # written with version 4, SimpleBlock and CodecDelay,
                ebml.unsigned(0x4285, 2),  # readable from version 2 on
            )
        )
        self._add(ebml.head(_SEGMENT, 0)[:4] + ebml.UNKNOWN_SIZE)
        self._segment_at = self._size
        self._add(ebml.void(_SEEK_HEAD_SPACE))
        self._places[_INFO] = self._size
        info = [
            ebml.unsigned(0x2AD7B1, 1_000_000_000 // _TICKS_PER_S),
            ebml.text(0x4D80, "pexrtc_py"),
            ebml.text(0x5741, "pexrtc_py"),
            ebml.element(0x4461, struct.pack(">q", (int(wall_clock()) - _EPOCH_2001) * 1_000_000_000)),
        ]
        if title := metadata.get("title"):
            info.append(ebml.text(0x7BA9, title))
        self._add(ebml.element(_INFO, *info, ebml.real(_DURATION, 0.0)))
        self._duration_at = self._size - 8
        self._places[_TRACKS] = self._size
        entries = [_track_entry(number, spec) for number, spec in enumerate(specs, start=1)]
        self._add(ebml.element(_TRACKS, *entries))
        end = self._size
        for index in reversed(range(len(entries))):
            if specs[index].is_reserved and specs[index].kind is Kind.VIDEO:
                self._guessed[index] = end - _SIZE_BYTES
            end -= len(entries[index])
        self.flush()

    def ticks_per_s(self, index: int) -> float:
        """Return 1000: players expect milliseconds, and WebM demands them."""
        return float(_TICKS_PER_S)

    def write(self, index: int, frame: EncodedFrame, at: int, duration: int) -> None:
        """Append a SimpleBlock (RFC 9559 section 10.2)."""
        if index in self._guessed and frame.key:
            self._correct_size(index, frame)
        starts_group = index == self._cue_track and frame.key and self._codecs[index].kind is Kind.VIDEO
        age = at - self._cluster_time
        if self._cluster_at is None or age >= _CLUSTER_TICKS or starts_group or age < -0x8000:
            self._begin_cluster(at)
            age = 0
        if index == self._cue_track and frame.key and (not self._cues or at >= self._cues[-1][0] + _CUE_TICKS):
            self._cues.append((at, self._cluster_at or 0))
        data = _length_prefixed(frame.data) if frame.codec is Codec.H264 else frame.data
        block = struct.pack(">BhB", 0x81 + index, age, 0x80 if frame.key else 0)
        self._add(_SIMPLE_BLOCK + (len(block) + len(data) | 1 << 28).to_bytes(4, "big") + block)
        self._add(data)
        self._end = max(self._end, at + duration)

    def flush(self) -> None:
        """Write the pieces in one go, then the duration up to here."""
        if not self._pieces:
            return
        content = b"".join(self._pieces)
        self._pieces.clear()
        self._target.seek(self._size - len(content))
        self._target.write(content)
        self._patch(self._duration_at, struct.pack(">d", float(self._end)))

    def finish(self, chapters: Sequence[Chapter]) -> None:
        """Write cues and chapters and fill in all lengths and places."""
        if not self._places:
            return
        self._end_cluster()
        if self._cues:
            self._places[_CUES] = self._size
            self._add(ebml.element(_CUES, *(self._cue_point(at, place) for at, place in self._cues)))
        if chapters:
            self._places[_CHAPTERS] = self._size
            self._add(_chapters(chapters))
        self.flush()
        entries = [
            ebml.element(
                0x4DBB, ebml.element(0x53AB, ident.to_bytes(4, "big")), ebml.unsigned(0x53AC, self._offset(place))
            )
            for ident, place in self._places.items()
        ]
        seek_head = ebml.element(_SEEK_HEAD, *entries)
        self._patch(self._segment_at, seek_head + ebml.void(_SEEK_HEAD_SPACE - len(seek_head)))
        self._patch_length(self._segment_at - 8, self._size - self._segment_at)

    def _correct_size(self, index: int, frame: EncodedFrame) -> None:
        """Fill in what a reserved track's first key frame says; elements of a size keep their length."""
        width, height = (frame.width, frame.height) if frame.width else picture_size(frame.codec, frame.data)
        if width and height:
            self._patch(self._guessed.pop(index), _picture_size(width, height))

    def _begin_cluster(self, at: int) -> None:
        self._end_cluster()
        self._cluster_at = self._size
        self._cluster_time = at
        self._add(ebml.head(_CLUSTER, 0)[:4] + ebml.UNKNOWN_SIZE + ebml.unsigned(0xE7, at))

    def _end_cluster(self) -> None:
        if self._cluster_at is not None:
            self.flush()
            self._patch_length(self._cluster_at + 4, self._size - self._cluster_at - 12)
            self._cluster_at = None

    def _add(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._size += len(piece)

    def _patch(self, place: int, content: bytes) -> None:
        self._target.seek(place)
        self._target.write(content)

    def _patch_length(self, place: int, length: int) -> None:
        self._patch(place, (length | 1 << 56).to_bytes(8, "big"))

    def _offset(self, place: int) -> int:
        """Place relative to the Segment's content, as Matroska counts."""
        return place - self._segment_at

    def _cue_point(self, at: int, place: int) -> bytes:
        positions = ebml.element(
            0xB7, ebml.unsigned(0xF7, self._cue_track + 1), ebml.unsigned(0xF1, self._offset(place))
        )
        return ebml.element(0xBB, ebml.unsigned(0xB3, at), positions)


def describe(specs: Sequence[TrackSpec]) -> bytes:
    """Return a Matroska file that declares these tracks and holds nothing; the way to tell libavformat of them."""
    header = ebml.element(0x1A45DFA3, ebml.text(0x4282, "matroska"), ebml.unsigned(0x4287, 4), ebml.unsigned(0x4285, 2))
    tracks = ebml.element(_TRACKS, *(_track_entry(number, spec) for number, spec in enumerate(specs, start=1)))
    info = ebml.element(_INFO, ebml.unsigned(0x2AD7B1, 1_000_000))
    cluster = ebml.element(_CLUSTER, ebml.unsigned(0xE7, 0))  # the demuxer gives up without one
    return header + ebml.element(_SEGMENT, info, tracks, cluster)


def _track_entry(number: int, spec: TrackSpec) -> bytes:
    name, private = _codec(spec)
    parts = [
        ebml.unsigned(0xD7, number),
        ebml.unsigned(0x73C5, number),
        ebml.unsigned(0x83, 1 if spec.kind is Kind.VIDEO else 2),
        ebml.unsigned(0x9C, 0),  # no lacing
        ebml.text(0x22B59C, "und"),
        ebml.text(0x86, name),
    ]
    if spec.title:
        parts.append(ebml.text(0x536E, spec.title))
    if private:
        parts.append(ebml.element(0x63A2, private))
    if spec.kind is Kind.VIDEO:
        # Last in the entry: `_SIZE_BYTES` before its end a size that was guessed is corrected.
        parts.append(ebml.element(0xE0, _picture_size(spec.width, spec.height)))
    else:
        parts.append(ebml.element(0xE1, ebml.real(0xB5, float(spec.sample_rate)), ebml.unsigned(0x9F, spec.channels)))
    if spec.codec is Codec.OPUS:
        parts.append(ebml.unsigned(0x56BB, 80_000_000))  # SeekPreRoll, nanoseconds (RFC 7845 section 4.6)
    return ebml.element(0xAE, *parts)


def _picture_size(width: int, height: int) -> bytes:
    return ebml.unsigned(0xB0, width) + ebml.unsigned(0xBA, height)


def _codec(spec: TrackSpec) -> tuple[str, bytes]:
    """Return the codec's identifier and private part, as the Matroska codec mappings have them."""
    match spec.codec:
        case Codec.OPUS:
            return "A_OPUS", opus_head(spec.channels)
        case Codec.PCMU | Codec.PCMA | Codec.G722:
            # WAVEFORMATEX: tag, channels, rate, bytes per second, block, bits, size of what follows
            tag = {Codec.PCMU: 7, Codec.PCMA: 6, Codec.G722: 0x028F}[spec.codec]
            bits = 4 if spec.codec is Codec.G722 else 8
            return "A_MS/ACM", struct.pack("<HHIIHHH", tag, 1, spec.sample_rate, 8000, 1, bits, 0)
        case Codec.VP8:
            return "V_VP8", b""
        case Codec.VP9:
            return "V_VP9", b""
        case Codec.H264:
            return "V_MPEG4/ISO/AVC", _avc_configuration(spec.parameter_sets)


def _avc_configuration(parameter_sets: bytes) -> bytes:
    """Return the AVCDecoderConfigurationRecord of ISO/IEC 14496-15 section 5.3.3.1; empty without parameter sets."""
    units = annexb_units(parameter_sets)
    sequence = [unit for unit in units if unit[0] & 31 == 7]
    picture = [unit for unit in units if unit[0] & 31 == 8]
    if not sequence or not picture:
        return b""
    record = b"\x01" + sequence[0][1:4] + bytes([0xFF, 0xE0 | len(sequence)])
    record += b"".join(struct.pack(">H", len(unit)) + unit for unit in sequence)
    record += bytes([len(picture)]) + b"".join(struct.pack(">H", len(unit)) + unit for unit in picture)
    if sequence[0][1] in (100, 110, 122, 144):
        record += b"\xfd\xf8\xf8\x00"  # High and above: 4:2:0, 8 bits, no extensions, as WebRTC has it
    return record


def _length_prefixed(annexb: bytes) -> bytes:
    """Turn start codes into lengths of four bytes; parameter sets stay in band, they may change."""
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in annexb_units(annexb))


def _chapters(chapters: Sequence[Chapter]) -> bytes:
    atoms = [
        ebml.element(
            0xB6,
            ebml.unsigned(0x73C4, number),
            ebml.unsigned(0x91, round(chapter.start_s * 1e9)),
            ebml.unsigned(0x92, round(chapter.end_s * 1e9)),
            ebml.element(0x80, ebml.text(0x85, chapter.title), ebml.text(0x437C, "und")),
        )
        for number, chapter in enumerate(chapters, start=1)
    ]
    return ebml.element(_CHAPTERS, ebml.element(0x45B9, ebml.unsigned(0x45BC, 1), *atoms))
