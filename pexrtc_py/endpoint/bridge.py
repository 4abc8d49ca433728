"""Two conferences joined by one leg: what is heard and seen in each goes to the other, as it was sent.

The way a node dials another: the called conference is joined as one participant, the calling one as another, and
encoded frames pass between them. Nothing is decoded; a codec that the two nodes do not share is left out.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from ..errors import CodecMismatch
from ..media.frames import Codec
from ..signalling import SessionConfig
from ..tasks import first_of
from ..webrtc.line import Line
from .call import AUDIO_CODECS, VIDEO_CODECS, Call, CallConfig
from .conference import open_conference

__all__ = ["bridge"]

logger = logging.getLogger(__name__)


async def bridge(called: SessionConfig, calling: SessionConfig, *, dtmf_sequence: str | None = None) -> str:
    """Join `called`, then `calling`, and pass media between them until either ends; return why. Cancelling leaves both.

    Args:
        called: the conference that was dialled.
        calling: the conference that dialled; joined once the other has answered.
        dtmf_sequence: digits to send to the called one first.

    Raises:
        RefusedError: one of the nodes will not have us.
        CodecMismatch: nothing can be passed on.
        PexrtcError: one of the nodes cannot be reached, or has no media for us.
    """
    async with open_conference(called) as far, far.call() as far_call:
        await far_call.connected()
        if dtmf_sequence:
            await far_call.send_digits(dtmf_sequence)
        agreed = CallConfig(
            audio_codecs=_first(far_call.audio, AUDIO_CODECS), video_codecs=_first(far_call.video, VIDEO_CODECS)
        )
        async with open_conference(calling) as near, near.call(agreed) as near_call:
            await near_call.connected()
            _join(far_call, near_call)
            logger.info("= bridged %s and %s", called.alias, calling.alias)
            name, why = await first_of(
                far=far_call.ended(), near=near_call.ended(), far_over=far.ended(), near_over=near.ended()
            )
    return f"{name.removesuffix('_over')} side: {why}"


def _first(line: Line | None, codecs: Sequence[Codec]) -> tuple[Codec, ...]:
    """Offer to the second node what the first one takes, first."""
    taken = line.codec if line is not None else None
    return tuple(sorted(codecs, key=lambda codec: codec is not taken))


def _join(one: Call, other: Call) -> None:
    pairs = [(one.audio, other.audio), (one.video, other.video)]
    passed = [_pass(*pair) + _pass(*reversed(pair)) for pair in pairs]
    if not any(passed):
        raise CodecMismatch("the two conferences have no codec in common")


def _pass(source: Line | None, target: Line | None) -> int:
    """Send on one line what is received on another; return how many ways that makes."""
    if source is None or target is None or source.receiver is None or target.sender is None:
        return 0
    if source.codec is not target.codec:
        return 0
    source.receiver.add_tap(target.sender)
    target.sender.on_key_frame_request = source.receiver.request_key_frame
    return 1
