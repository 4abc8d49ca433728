"""What a receiver and a sender must know of a negotiation, in their own words."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import replace

from ..media.frames import Codec, Kind
from ..protocol.interleaving import parse_interleaving
from ..protocol.negotiation import ABS_SEND_TIME, AUDIO_LEVEL, MID, TRANSPORT_CC, NegotiatedLine, Sources
from ..protocol.negotiation_formats import first_codec, is_interleaved
from ..protocol.sdp import parse_parameters
from .receiver_config import EventFormat, Feedback, MediaFormat, PayloadFormat, ReceiverConfig, RtxFormat
from .sender_config import SenderConfig

__all__ = ["receiver_config", "sender_config"]


def receiver_config(line: NegotiatedLine, sources: Sources, *, max_bitrate_bps: int | None = None) -> ReceiverConfig:
    """What a receiver of this line must know."""
    feedback = _feedback(line)
    return ReceiverConfig(
        kind=Kind(line.kind),
        formats=_formats(line),
        local_ssrc=sources.ssrc,
        cname=sources.cname,
        mid=line.mid or str(line.index),
        feedback=feedback,
        transport_sequence_id=line.extensions.get(TRANSPORT_CC),
        abs_send_time_id=line.extensions.get(ABS_SEND_TIME),
        audio_level_id=line.extensions.get(AUDIO_LEVEL),
        max_bitrate_bps=max_bitrate_bps,
    )


def sender_config(
    line: NegotiatedLine, sources: Sources, *, before: SenderConfig | None = None, codec: Codec | None = None
) -> SenderConfig:
    """What a sender of this line must know.

    Args:
        line: what was agreed; its codec is not None.
        sources: what we send as.
        before: what the sender was told last; its random numbers are kept.
        codec: what it shall send if the peer takes it, else the peer's first; None: that, or what it sent before.
    """
    wanted = codec or (before.codec if before is not None else None)
    payload = next((item for item in line.send if item.name == wanted), None) or first_codec(line.send)
    if payload is None:
        raise AssertionError("a line without a codec sends nothing")
    rtx = next((item.payload_type for item in line.send if item.apt == payload.payload_type), None)
    events = [item for item in line.send if item.name == "telephone-event" and item.clock_rate == payload.clock_rate]
    mode = parse_parameters(payload.parameters).get("packetization-mode", "0") if payload.name == "H264" else "1"
    config = SenderConfig(
        codec=Codec(payload.name),
        payload_type=payload.payload_type,
        cname=sources.cname,
        ssrc=sources.ssrc,
        packetization_mode=int(mode),
        nack="nack" in payload.feedback,
        rtx_payload_type=rtx,
        rtx_ssrc=sources.rtx_ssrc if sources.rtx_ssrc is not None else sources.ssrc,
        event_payload_type=events[0].payload_type if events else None,
        mid=line.mid or "",
        mid_id=line.extensions.get(MID),
        abs_send_time_id=line.extensions.get(ABS_SEND_TIME),
        transport_sequence_id=line.extensions.get(TRANSPORT_CC),
        audio_level_id=line.extensions.get(AUDIO_LEVEL),
        max_bitrate_bps=line.remote_bitrate_bps,
    )
    if before is None:
        return config
    return replace(config, first_sequence=before.first_sequence, timestamp_offset=before.timestamp_offset)


def _feedback(line: NegotiatedLine) -> Feedback:
    values = frozenset[str]().union(*(payload.feedback for payload in line.receive if payload.is_codec))
    return Feedback(
        nack="nack" in values,
        pli="nack pli" in values,
        fir="ccm fir" in values,
        remb="goog-remb" in values,
        transport="transport-cc" in values and TRANSPORT_CC in line.extensions,
        reduced_size=line.reduced_size,
    )


def _formats(line: NegotiatedLine) -> Mapping[int, PayloadFormat]:
    formats: dict[int, PayloadFormat] = {}
    # SPS and PPS are said by whoever sends them: the peer, in its own description.
    said = {payload.payload_type: payload.parameters for payload in line.send}
    for payload in line.receive:
        if payload.apt is not None:
            formats[payload.payload_type] = RtxFormat(apt=payload.apt)
        elif payload.is_codec:
            fmtp = said.get(payload.payload_type, "")
            formats[payload.payload_type] = MediaFormat(
                codec=Codec(payload.name),
                parameter_sets=_parameter_sets(fmtp),
                interleaving=parse_interleaving(fmtp) if is_interleaved(payload) else None,
            )
        elif payload.name == "telephone-event":
            formats[payload.payload_type] = EventFormat(clock_rate=payload.clock_rate)
    return formats


def _parameter_sets(fmtp: str) -> bytes:
    """SPS and PPS of `sprop-parameter-sets` (RFC 6184 section 8.1) as Annex B; empty when there are none."""
    sets = parse_parameters(fmtp).get("sprop-parameter-sets", "")
    try:
        units = [base64.b64decode(item, validate=True) for item in sets.split(",") if item]
    except ValueError:  # binascii.Error is one; so is what is no ASCII
        return b""
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)
