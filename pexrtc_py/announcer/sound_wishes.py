"""How sound that is encoded here is encoded for all who hear it: as they wish, and for the losses that they report.

One encoding serves them all. Any decoder takes any Opus, so what one has use for it gets (two channels, error
correction, the loss to be expected), and what one cannot take nobody gets (the bitrate). DTX is nobody's to ask for: it
is what the source is configured to.
"""

from __future__ import annotations

from ..media.frames import Codec, Kind, Source
from ..media.sources.raw import SoundTuning, Tunable
from ..protocol.opus import opus_wishes
from .outlet import Outlet

__all__ = ["SoundWishes"]


class SoundWishes:
    """Tunes the encoder of a source. Driven by `enter`, `leave` and the reports of far sides.

    Args:
        source: whose sound may be encoded.
    """

    def __init__(self, source: Source) -> None:
        self._source = source if isinstance(source, Tunable) else None
        self._outlets: dict[str, Outlet] = {}  # by the call's UUID

    def enter(self, outlet: Outlet) -> None:
        """Heed a far side from now on."""
        sender = outlet.senders.get(Kind.AUDIO)
        if sender is not None and sender.config.codec is Codec.OPUS and self._source is not None:
            self._outlets[outlet.call.uuid] = outlet
            sender.expected_loss.on_change = lambda percent: self._tune()
            self._tune()

    def leave(self, outlet: Outlet) -> None:
        """Heed it no more."""
        if self._outlets.pop(outlet.call.uuid, None) is not None:
            outlet.senders[Kind.AUDIO].expected_loss.on_change = None
            self._tune()

    def _tune(self) -> None:
        if self._source is None or not self._outlets:
            return
        wishes = [opus_wishes(_parameters(outlet)) for outlet in self._outlets.values()]
        losses = [outlet.senders[Kind.AUDIO].expected_loss.percent for outlet in self._outlets.values()]
        self._source.tune_sound(
            SoundTuning(
                stereo=any(each.stereo for each in wishes),
                fec=any(each.fec for each in wishes),
                most_bps=min((each.most_bps for each in wishes if each.most_bps is not None), default=None),
                expected_loss_percent=max(losses),
            )
        )


def _parameters(outlet: Outlet) -> str:
    """What the far side says about the payload type that is sent to it."""
    line = outlet.call.audio
    send = line.negotiated.send if line is not None and line.negotiated is not None else ()
    number = outlet.senders[Kind.AUDIO].config.payload_type
    return next((payload.parameters for payload in send if payload.payload_type == number), "")
