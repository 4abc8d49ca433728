"""Who loses packets of the mix gets it with error correction, and nobody else anything other than before."""

from __future__ import annotations

import numpy as np
import pytest

from pexrtc_py.media.decoding import AudioDecoding
from pexrtc_py.media.encoding import AudioEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame
from tests.media.sources.test_tuning import carries_the_one_before, voice

from .conference_media_clients import Client, conference, perform
from .test_conference_media_sound import ADA, BEN, CLEO, Ear, running


async def test_only_the_listener_that_loses_has_an_encoder_of_its_own() -> None:
    """Ben loses and Cleo does not: his packets carry the ones before again, hers are as before; then both share."""
    ben, cleo, encoder = Ear(), Ear(), AudioEncoder()
    parts: list[list[tuple[EncodedFrame, EncodedFrame]]] = []
    async with running() as sound:
        sound.add_output(BEN, Codec.OPUS, ben)
        sound.add_output(CLEO, Codec.OPUS, cleo)
        mouth = sound.add_input(ADA)
        sounds, number = voice(), 0
        for percent in (0, 15, 0):
            sound.expect_loss(BEN, ben, percent)
            sound.expect_loss(CLEO, ben, 15)  # of a tap that is not hers
            await cleo.hear(3)
            begun = len(cleo.frames)
            while len(cleo.frames) < begun + 40:
                for _ in range(2):
                    for frame in encoder.encode(sounds[number].samples, rtp_time=960 * number, time=number / 50):
                        mouth.push(frame)
                    number += 1
                await cleo.hear(2)
            theirs = {frame.rtp_time: frame for frame in ben.frames}
            parts.append([(theirs[frame.rtp_time], frame) for frame in cleo.frames[begun : begun + 40]])
    for part in (parts[0], parts[2]):
        assert all(own is other for own, other in part)
    assert not any(own is other for own, other in parts[1])
    assert sum(carries_the_one_before(own) for own, _ in parts[1]) > 10
    assert not any(carries_the_one_before(hers) for part in parts for _, hers in part)
    levels = []
    for frames in zip(*parts[1], strict=True):
        decoding = AudioDecoding()
        heard = np.concatenate([s.samples[:, 0] for frame in frames for s in decoding.feed(frame)]).astype(float)
        levels.append(np.sqrt((heard[4800:] ** 2).mean()))
    assert 0.8 < levels[0] / levels[1] < 1.25, "both hear the same"


@pytest.mark.parametrize("wishes", [True, False])
async def test_reports_of_a_client_reach_the_mix(*, wishes: bool) -> None:
    """What Ben's client reports lost makes his packets other than Cleo's; not if he has no use for correction."""
    ada, ben, cleo = Client("ada", hertz=400), Client("ben"), Client("cleo")
    async with conference(ada, ben, cleo) as (media, _):
        for client in (ada, ben, cleo):
            client.add_main()
        offers = ben.peer.create_offer
        if not wishes:

            async def plain(*, restart: bool = False) -> str:
                return (await offers(restart=restart)).replace("useinbandfec=1", "useinbandfec=0")

            ben.peer.create_offer = plain  # type: ignore[method-assign]  # of this client only
        for client in (ada, ben, cleo):
            await client.join(media)
        await perform([ada], 0.5)
        sender = media._calls[ben.call].peer.lines[0].sender
        assert sender is not None
        for second in range(3):
            sender.expected_loss.handle_loss(0.3, 1e12 + 5 * second)
        assert sender.expected_loss.percent == 15
        before = len(ben.heard.frames)
        await perform([ada], 0.8)
        hers = {frame.data for frame in cleo.heard.frames}
        shared = [frame.data in hers for frame in ben.heard.frames]
    assert sum(shared[:before]) > 0.8 * before
    assert (sum(shared[before + 10 :]) < 5) is wishes
