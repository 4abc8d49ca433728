"""What a line of a call may send and how, and what of an offer the node takes."""

from __future__ import annotations

from dataclasses import replace

from ..media.frames import Codec, EncodedFrame, Gap
from ..protocol.sdp import parse_sdp
from ..webrtc.line import Line
from ..webrtc.line_media import sender_config
from ..webrtc.peer import AnswerPolicy
from ..webrtc.sender import Sender

__all__ = ["PictureLine", "answer_policy", "sendable_codecs"]

_CODECS = {
    "audio": (Codec.OPUS, Codec.G722, Codec.PCMU, Codec.PCMA),
    "video": (Codec.VP8, Codec.H264),
}


class PictureLine:
    """A tap that sends pictures on a line in whichever of the negotiated codecs they come."""

    def __init__(self, line: Line, sender: Sender) -> None:
        self._line = line
        self._sender = sender

    def push(self, item: EncodedFrame | Gap) -> None:
        """Send, after setting the sender to the codec of the picture."""
        agreed = self._line.negotiated
        if isinstance(item, EncodedFrame) and item.codec is not self._sender.config.codec and agreed is not None:
            before = self._sender.config
            config = sender_config(agreed, self._line.sources, before=before, codec=item.codec)
            self._sender.reconfigure(replace(config, max_bitrate_bps=before.max_bitrate_bps))
        self._sender.push(item)

    def end(self) -> None:
        """The line outlives what is shown on it."""


def sendable_codecs(line: Line) -> tuple[Codec, ...]:
    """What may be sent on a line, the preferred first."""
    send = () if line.negotiated is None else line.negotiated.send
    return tuple(dict.fromkeys(Codec(payload.name) for payload in send if payload.is_codec))


def answer_policy(sdp: str, bitrate_bps: int) -> AnswerPolicy:
    """Take what we can do, in the order the offer has it (RFC 3264 section 6.1).

    Raises:
        SdpError: the offer cannot be read.
    """
    offer = parse_sdp(sdp)
    codecs: dict[str, list[str]] = {}
    for kind, ours in _CODECS.items():
        offered = [p.name.lower() for media in offer.media if media.media == kind for p in media.payloads]
        ranked = dict.fromkeys(offered)
        names = {codec.lower(): codec for codec in ours}
        codecs[kind] = [names[name] for name in ranked if name in names]
    return AnswerPolicy(codecs=codecs, bitrate_bps=bitrate_bps)
