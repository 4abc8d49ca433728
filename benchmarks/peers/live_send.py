"""A live sender: marked pictures of 640x360 at 30 a second and sound with a chirp a second, to each call.

Each call has a video encoder of its own, which answers a request with a key frame at once, as cameras do; pictures,
sound and their times are the same for all. Takes `{"call": n, "offer": sdp}`, says `{"call": n, "answer": sdp}`; at
`{"start": true}` it begins and says `{"began": t}`, when picture 0 was due on CLOCK_MONOTONIC. Ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack

import uvloop

from benchmarks._children import read_commands, say
from benchmarks._live import BITRATE_BPS, RATE, REFERENCE
from benchmarks.peers.send import POLICY
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.marks_source import Reference
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from pexrtc_py.webrtc.sender import Sender

_LOSS_PERCENT = 10  # what the sound is protected against; the receivers' reports would make it differ between them


class Camera:
    """The pictures of one call."""

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._encoder = VideoEncoder(Codec.VP8, REFERENCE.width, REFERENCE.height, RATE, BITRATE_BPS)
        self._key = False
        sender.on_key_frame_request = self._ask

    def _ask(self) -> None:
        self._key = True

    def encode(self, reference: Reference, number: int, due: float) -> list[EncodedFrame]:
        """Encode a picture, in a thread."""
        key, self._key = self._key, False
        frame = reference.picture(number)
        return self._encoder.encode(frame, rtp_time=number * 90000 // RATE, time=due, force_key=key)

    def push(self, frames: list[EncodedFrame]) -> None:
        """Send what was encoded."""
        for frame in frames:
            self._sender.push(frame)


async def show(cameras: list[Camera], began: float) -> None:
    """Send a picture to each call 30 times a second."""
    reference, number = Reference(REFERENCE), 0
    while True:
        due = began + number / RATE
        await asyncio.sleep(due - time.monotonic())
        for camera in cameras:
            camera.push(await asyncio.to_thread(camera.encode, reference, number, due))
        number += 1


async def sound(senders: list[Sender], began: float) -> None:
    """Send the same packet of sound to each call 50 times a second."""
    reference, number = Reference(REFERENCE), 0
    encoder = AudioEncoder(Codec.OPUS, expected_loss_percent=_LOSS_PERCENT)
    while True:
        due = began + number / 50
        await asyncio.sleep(due - time.monotonic())
        for frame in encoder.encode(reference.sound(number), rtp_time=number * 960, time=due):
            for sender in senders:
                sender.push(frame)
        number += 1


async def run() -> None:
    """Serve until the input ends."""
    async with AsyncExitStack() as stack, read_commands() as reader:
        cameras: list[Camera] = []
        voices: list[Sender] = []
        tasks: list[asyncio.Task[None]] = []
        group = await stack.enter_async_context(asyncio.TaskGroup())
        while line := await reader.readline():
            said = json.loads(line)
            if "offer" in said:
                peer = await stack.enter_async_context(Peer(PeerConfig(addresses=("127.0.0.1",))))
                say(call=said["call"], answer=await peer.answer_offer(said["offer"], POLICY))
                senders = {line.kind: line.sender for line in peer.lines if line.kind and line.sender is not None}
                cameras.append(Camera(senders[Kind.VIDEO]))
                voices.append(senders[Kind.AUDIO])
            elif "start" in said:
                began = time.monotonic() + 0.1
                tasks += [group.create_task(show(cameras, began)), group.create_task(sound(voices, began))]
                say(began=began)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    uvloop.run(run())
