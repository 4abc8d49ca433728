"""The rate of one sender: what the losses, the receiver and the queues on the way leave of what the call allows."""

from __future__ import annotations

from collections.abc import Callable

from ..media.frames import Kind
from .feedback import LossRate
from .sender_config import SenderConfig

__all__ = ["SendRate"]

_LEAST_BPS = 64_000
_PROBE_EVERY_S, _PROBE_S = 4.0, 1.25  # a second head for each picture of that time: some 4 kb/s on average
_STEP = 0.05  # smaller changes are not told: each may cost an encoder something


class SendRate:
    """Decides at which rate to send, and tells it when it changes. Sound has none, and pictures without any limit.

    Args:
        config: of the sender.

    Attributes:
        has_estimate: whether the receiver has told what it can take.
        on_change: told the bits per second to send from now on, when they change by 5 % or more.
    """

    def __init__(self, config: SenderConfig) -> None:
        self.on_change: Callable[[int], None] | None = None
        self.has_estimate = False
        self._config = config
        self._source_bps: int | None = None
        self._rate = _new_rate(config, None)
        self._told = self._rate.bitrate_bps if self._rate is not None else 0

    @property
    def bitrate_bps(self) -> int | None:
        """What to send now, bits per second; None for any rate."""
        return self._rate.bitrate_bps if self._rate is not None else None

    def probes(self, now: float) -> bool:
        """Whether small pictures are to be cut in two now and then, so that they leave as bursts: below the rate that
        the call allows, what the way carries is to be found (`feedback_room`)."""
        return self._rate is not None and self._rate.is_held and now % _PROBE_EVERY_S < _PROBE_S

    def reconfigure(self, config: SenderConfig) -> None:
        """Begin anew with what the call allows now."""
        self._config = config
        self._rate = _new_rate(config, self._source_bps)
        self._tell()

    def limit_to_source(self, bitrate_bps: int) -> None:
        """Never send more than a source encodes at by itself, and tell it at once when less is to be sent.

        A call that names no limit would have no rate to lower; one far above what is sent would be lowered for long
        before anything changes. What is known of the way stays known where the next source is like the one before.
        """
        if bitrate_bps != self._source_bps:
            self._source_bps = bitrate_bps
            self._rate = _new_rate(self._config, bitrate_bps)
        self._told = bitrate_bps
        self._tell()

    def handle_loss(self, fraction: float, now: float) -> None:
        """Take the fraction of packets lost (0 to 1) out of a report block."""
        if self._rate is not None:
            self._rate.handle_loss(fraction, now)
            self._tell()

    def handle_estimate(self, bitrate_bps: int) -> None:
        """Take the receiver's own estimate (REMB)."""
        if self._rate is not None:
            self.has_estimate = True
            self._rate.handle_estimate(bitrate_bps)
            self._tell()

    def handle_queue(self, through_bps: int, now: float, *, is_full: bool = False) -> None:
        """Take what gets through of this stream while a queue grows on its way, or `is_full`, bits per second."""
        if self._rate is not None:
            self._rate.handle_queue(through_bps, now, is_full=is_full)
            self._tell()

    def handle_room(self, room_bps: int, now: float, *, is_crowded: bool = False) -> None:
        """Take what bursts find that the way carries of this stream, bits per second, and whether a queue stands."""
        if self._rate is not None:
            self._rate.handle_room(room_bps, now, is_crowded=is_crowded)
            self._tell()

    def _tell(self) -> None:
        bitrate = self.bitrate_bps
        if bitrate is not None and abs(bitrate - self._told) >= _STEP * self._told:
            self._told = bitrate
            if self.on_change is not None:
                self.on_change(bitrate)


def _new_rate(config: SenderConfig, source_bps: int | None) -> LossRate | None:
    limits = [limit for limit in (config.max_bitrate_bps, source_bps) if limit is not None]
    if not limits or config.kind is Kind.AUDIO:
        return None
    most = min(limits)
    return LossRate(most, least_bps=min(_LEAST_BPS, most), most_bps=most)
