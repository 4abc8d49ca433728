"""Our receiver: one call, decoded, seen and heard (`_live`). Offers, says `ready`, reports at `stop`."""

from __future__ import annotations

import uvloop

from benchmarks._children import read_answers, read_commands, say
from benchmarks._live import Senses
from pexrtc_py.media.decoding_taps import AudioDecoder, VideoDecoder
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.peer import Peer, PeerConfig


async def watch(decoder: VideoDecoder, senses: Senses) -> None:
    """Look at all pictures."""
    async for luma in decoder.arrays("gray8"):
        senses.see(luma)


async def listen(decoder: AudioDecoder, senses: Senses) -> None:
    """Hear all sound."""
    async for sound in decoder.sounds():
        samples = sound.samples[:, 0]
        senses.hear(samples, len(samples) / 48000 if sound.concealed else 0.0)


async def run() -> None:
    """Receive until told to stop."""
    senses = Senses()
    async with read_commands() as reader, Peer(PeerConfig(addresses=("127.0.0.1",))) as peer:
        sound = peer.add_line(Kind.AUDIO, direction=Direction.RECVONLY, codecs=[Codec.OPUS])
        picture = peer.add_line(Kind.VIDEO, direction=Direction.RECVONLY, codecs=[Codec.VP8])
        say(call=0, offer=await peer.create_offer())
        await peer.accept_answer((await read_answers(reader, range(1)))[0])
        await peer.connected()
        assert sound.receiver is not None
        assert picture.receiver is not None
        async with (
            AudioDecoder() as audio,
            VideoDecoder(request_key_frame=picture.receiver.request_key_frame) as video,
        ):
            sound.receiver.add_tap(audio)
            picture.receiver.add_tap(video)
            await senses.follow(reader, watch(video, senses), listen(audio, senses))
    say(**senses.report())


if __name__ == "__main__":
    uvloop.run(run())
