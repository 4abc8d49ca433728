"""Statistics of streams by the names and units of W3C webrtc-stats, and the meters behind them.

`msgspec.to_builtins` of a struct gives the dictionary a browser's `getStats` would: camelCase, seconds for durations,
milliseconds for timestamps (here of `time.monotonic`), 0 to 1 for fractions and levels. What we do not know is None,
not 0. Names that W3C does not have are marked "ours".

Counters are of a media line: they go on when the sender changes its SSRC, of which the current one is given.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import msgspec

__all__ = [
    "FrameMeter",
    "InboundRtp",
    "OutboundRtp",
    "PacketTotals",
    "RemoteInboundRtp",
    "RemoteOutboundRtp",
    "RtpStatistics",
]

_FREEZE_FRAMES = 30  # W3C webrtc-stats, freezeCount: linear average of the durations of the last 30 rendered frames
_PAUSE_S = 5.0  # likewise, pauseCount


class _Struct(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What all have in common."""

    id: str
    """Name of the object, constant over the call."""
    timestamp: float
    """When it was taken, milliseconds; of what the other side reports (`remote-`...), when the report arrived."""
    kind: str
    """`audio` or `video`."""
    ssrc: int
    """The stream."""
    mid: str = ""
    """`a=mid` of its line."""


class InboundRtp(_Struct, frozen=True, kw_only=True, tag_field="type", tag="inbound-rtp"):
    """A stream we receive (RTCInboundRtpStreamStats)."""

    mime_type: str
    """Codec, `video/VP8` for example; W3C has it in the codec object."""
    packets_received: int
    packets_lost: int
    """Never arrived, not by retransmission either."""
    jitter: float
    """Seconds."""
    bytes_received: int
    """Payload, that of retransmissions included; not of what came again in vain."""
    header_bytes_received: int
    last_packet_received_timestamp: float
    packets_discarded: int
    """Arrived too late, or were dropped on the way to a key frame."""
    packets_duplicated: int
    packets_malformed: int
    """Ours: could not be taken apart."""
    retransmitted_packets_received: int
    """By RTX; so this and `packets_lost` together are what the network lost."""
    retransmitted_bytes_received: int = 0
    """Payload of those; part of `bytes_received`."""
    nack_count: int
    pli_count: int
    fir_count: int
    jitter_buffer_delay: float
    """Seconds, summed over samples or frames."""
    jitter_buffer_emitted_count: int
    frames_received: int | None = None
    """Whole frames given out."""
    key_frames_received: int | None = None
    """Ours: nothing is decoded here."""
    frames_dropped: int | None = None
    """Frames of which something came, and that could not be decoded: incomplete, or after a loss and before a key."""
    frame_width: int | None = None
    frame_height: int | None = None
    frames_per_second: float | None = None
    freeze_count: int | None = None
    """Intervals between frames of at least max(3 d, d + 150 ms), d being the mean of the last 30 intervals."""
    total_freezes_duration: float | None = None
    pause_count: int | None = None
    """Intervals of more than 5 s; they are no freezes."""
    total_pauses_duration: float | None = None
    total_inter_frame_delay: float | None = None
    total_squared_inter_frame_delay: float | None = None
    total_samples_received: int | None = None
    """Samples of sound, the missing ones included."""
    concealed_samples: int | None = None
    """Those missing."""
    concealment_events: int | None = None
    audio_level: float | None = None
    """0 to 1, by the sender's header extension."""
    network_lost: int = 0
    """Ours: packets that never came by themselves, whether retransmission mended it or not; late ones are not lost."""
    loss_runs: int = 0
    """Ours: in how many runs, by sequence number."""
    packets_missing: int = 0
    """Ours: of `packets_lost`, those that may come still."""
    packets_padding: int = 0
    """Ours: RTX that repeats nothing, sent to probe for bandwidth; no part of the other counts."""
    packets_reordered: int = 0
    """Ours: came after a later one (RFC 4737), retransmissions apart."""
    jitter_deviations: tuple[float, ...] = ()
    """Ours: the last |D| of RFC 3550 section 6.4.1 that `jitter` is made of, seconds."""
    jitter_deviation_count: int = 0
    """Ours: how many there have been of this SSRC."""


class RemoteOutboundRtp(_Struct, frozen=True, kw_only=True, tag_field="type", tag="remote-outbound-rtp"):
    """What the sender of a stream reports (RTCRemoteOutboundRtpStreamStats)."""

    packets_sent: int
    bytes_sent: int
    remote_timestamp: float
    """Wall clock of the sender, milliseconds since the Unix epoch."""
    reports_sent: int


class OutboundRtp(_Struct, frozen=True, kw_only=True, tag_field="type", tag="outbound-rtp"):
    """A stream we send (RTCOutboundRtpStreamStats)."""

    mime_type: str
    """As in `InboundRtp`."""
    packets_sent: int
    bytes_sent: int
    header_bytes_sent: int
    retransmitted_packets_sent: int
    retransmitted_bytes_sent: int
    nack_count: int
    pli_count: int
    fir_count: int
    active: bool
    target_bitrate: float | None = None
    """Bits per second; None while nothing limits it."""
    frames_sent: int | None = None
    key_frames_sent: int | None = None
    """Ours: nothing is encoded here."""
    frame_width: int | None = None
    frame_height: int | None = None


class RemoteInboundRtp(_Struct, frozen=True, kw_only=True, tag_field="type", tag="remote-inbound-rtp"):
    """What the receiver of our stream reports (RTCRemoteInboundRtpStreamStats)."""

    packets_lost: int
    fraction_lost: float
    """Since the report before, 0 to 1."""
    jitter: float
    """Seconds."""
    round_trip_time: float | None
    """Seconds; None before it could be measured."""
    total_round_trip_time: float
    round_trip_time_measurements: int


RtpStatistics = InboundRtp | OutboundRtp | RemoteInboundRtp | RemoteOutboundRtp


@dataclass(frozen=True, slots=True, kw_only=True)
class PacketTotals:
    """Packet counters of streams that came one after the other."""

    received: int = 0
    lost: int = 0
    late: int = 0
    duplicates: int = 0
    padding: int = 0
    malformed: int = 0
    repaired: int = 0
    repaired_bytes: int = 0
    network_lost: int = 0
    loss_runs: int = 0
    reordered: int = 0
    payload_bytes: int = 0
    header_bytes: int = 0
    frames_dropped: int = 0

    def __add__(self, other: PacketTotals) -> PacketTotals:
        return PacketTotals(**{name: getattr(self, name) + getattr(other, name) for name in self.__slots__})


class FrameMeter:
    """Measures frames as they are given out. Driven by `frame` and `gap`."""

    def __init__(self) -> None:
        self.frames = 0
        self.key_frames = 0
        self.width = 0
        self.height = 0
        self.freezes = 0
        self.freezes_s = 0.0
        self.pauses = 0
        self.pauses_s = 0.0
        self.inter_frame_s = 0.0
        self.inter_frame_squared = 0.0
        self.held_s = 0.0
        """Seconds between the arrival of frames' first packets and giving them out, times `units` each."""
        self.units = 0
        """Frames of video or ticks of audio given out."""
        self.missing = 0
        """Ticks of audio that gaps stood for."""
        self.gaps = 0
        self._in_gap = False
        self._last: float | None = None
        self._durations: deque[float] = deque(maxlen=_FREEZE_FRAMES)
        self._sum = 0.0
        self._times: deque[float] = deque(maxlen=240)

    def sound(self, duration: int, held: float) -> None:
        """Count an audio frame."""
        self.frames += 1
        self.units += duration
        self._in_gap = False
        if held:
            self.held_s += held * duration

    def gap(self, duration: int) -> None:
        """Count a gap in the sound; one that follows another is the same event."""
        if not self._in_gap:
            self.gaps += 1
            self._in_gap = True
        self.missing += duration

    def picture(self, now: float, held: float, *, key: bool, width: int, height: int) -> None:
        """Count a video frame given out now."""
        self.frames += 1
        self.units += 1
        self.held_s += held
        if key:
            self.key_frames += 1
            self.width = width
            self.height = height
        self._times.append(now)
        last, self._last = self._last, now
        if last is None:
            return
        duration = now - last
        self.inter_frame_s += duration
        self.inter_frame_squared += duration * duration
        if duration > _PAUSE_S:
            self.pauses += 1
            self.pauses_s += duration
            return
        durations = self._durations
        if durations:
            mean = self._sum / len(durations)
            if duration >= 3 * mean and duration >= mean + 0.150:
                self.freezes += 1
                self.freezes_s += duration
        if len(durations) == _FREEZE_FRAMES:
            self._sum -= durations[0]
        durations.append(duration)
        self._sum += duration

    def frames_per_second(self, now: float) -> float:
        """Return how many frames of video were given out in the last second."""
        return float(sum(time > now - 1.0 for time in self._times))
