"""libwebrtc as a peer, by the package wrtc: prints its offer, reads the answer, prints what it decodes.

A process of its own, because it has threads that last. Each line is JSON: `sdp`, then `levels` of the frequencies given
as arguments, `mark` of pictures, and `count` of getStats. It sends a tone of 440 Hz and marked
pictures. Run with `python -m tests.interop.wrtc_peer HZ...`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import enum
import importlib
import json
import sys
from typing import Any

import numpy as np

from tests.interop.signals import HEIGHT, PEER_HZ, PEER_MARKS, RATE, WIDTH, levels, mark_reader, reference_of, tone

webrtc: Any = importlib.import_module("webrtc")  # of `make peers`; a checkout without it has no types of it either

_PIECE = RATE // 50
_PIECES_A_PICTURE = 4


def say(**what: object) -> None:
    """Print a line."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def perform(sound: Any, pictures: Any) -> None:
    """Send a piece of sound each 20 ms and a picture with every fourth."""
    reference, begin = reference_of(PEER_MARKS.start), asyncio.get_running_loop().time()
    for number in range(sys.maxsize):
        timestamp = number * 20_000
        samples = tone(PEER_HZ, _PIECE, number % 50 * _PIECE).tobytes()
        await sound.write(
            webrtc.AudioData(
                webrtc.AudioDataInit(
                    format="s16",
                    sample_rate=RATE,
                    number_of_frames=_PIECE,
                    number_of_channels=1,
                    timestamp=timestamp,
                    data=samples,
                )
            )
        )
        if number % _PIECES_A_PICTURE == 0:
            planes = reference.picture(number // _PIECES_A_PICTURE).to_ndarray().tobytes()
            form = webrtc.VideoFrameBufferInit(
                format="I420", coded_width=WIDTH, coded_height=HEIGHT, timestamp=timestamp
            )
            await pictures.write(webrtc.VideoFrame(planes, form))
        await asyncio.sleep(begin + (number + 1) / 50 - asyncio.get_running_loop().time())


async def listen(track: Any, frequencies: list[int]) -> None:
    """Tell what is heard, five times a second."""
    pieces: list[np.ndarray[Any, np.dtype[np.int16]]] = []
    async for data in webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track)).readable:
        with data:
            buffer = bytearray(data.number_of_frames * data.number_of_channels * 2)
            data.copy_to(buffer, webrtc.AudioDataCopyToOptions(plane_index=0, format="s16"))
            assert data.sample_rate == RATE
            pieces.append(np.frombuffer(buffer, np.int16)[:: data.number_of_channels])
        if len(pieces) == 20:
            say(levels=levels(np.concatenate(pieces), *frequencies))
            pieces.clear()


async def watch(track: Any) -> None:
    """Tell which pictures are seen."""
    reader = mark_reader()
    async for frame in webrtc.MediaStreamTrackProcessor(webrtc.MediaStreamTrackProcessorInit(track)).readable:
        with frame:
            buffer = bytearray(frame.allocation_size())
            layout = await frame.copy_to(buffer)
            width, height = frame.coded_width, frame.coded_height
        luma = np.frombuffer(buffer, np.uint8)[layout[0].offset :][: layout[0].stride * height]
        found = reader.read(luma.reshape(height, layout[0].stride)[:, :width])
        if found is not None:
            say(mark=found.mark.frame_id)


def shown(item: Any) -> dict[str, object]:
    """Return the plain members of one dictionary of getStats, by the names of W3C."""
    members = {member.name: getattr(item, member.name, None) for member in dataclasses.fields(item)}
    plain = {name: value for name, value in members.items() if isinstance(value, (str, int, float))}
    return {_camel(name): str(value) if isinstance(value, enum.Enum) else value for name, value in plain.items()}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


async def count(peer: Any) -> None:
    """Tell what getStats counts, six times a second."""
    while True:
        report = await peer.get_stats()
        for item in report.values():
            if item.type == "inbound-rtp":
                counts = {
                    "decoded": item.frames_decoded or 0,
                    "packets": item.packets_received,
                    "lost": item.packets_lost,
                }
                say(count={"kind": item.kind, **counts})
        say(report=[shown(item) for item in report.values()])
        await asyncio.sleep(0.16)


async def main(frequencies: list[int]) -> None:
    """Offer, take the answer, and play until standard input ends."""
    webrtc.allow_loopback()
    loop = asyncio.get_running_loop()
    async with webrtc.RTCPeerConnection() as peer, asyncio.TaskGroup() as group:
        sound, pictures = (webrtc.MediaStreamTrackGenerator(kind) for kind in ("audio", "video"))
        gathered = asyncio.Event()
        peer.on("icecandidate", lambda event: gathered.set() if event.candidate is None else None)
        received = []
        peer.on("track", lambda event: received.append(event.track))
        peer.add_track(sound)
        peer.add_track(pictures)
        await peer.set_local_description(await peer.create_offer())
        await gathered.wait()
        say(sdp=peer.local_description.sdp)
        answer = json.loads(await loop.run_in_executor(None, sys.stdin.readline))["sdp"]
        await peer.set_remote_description(webrtc.RTCSessionDescriptionInit("answer", answer))
        tasks = [
            group.create_task(perform(sound.writable.get_writer(), pictures.writable.get_writer())),
            group.create_task(count(peer)),
        ]
        for track in received:
            tasks.append(group.create_task(listen(track, frequencies) if track.kind == "audio" else watch(track)))
        await loop.run_in_executor(None, sys.stdin.read)
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    asyncio.run(main([int(argument) for argument in sys.argv[1:]]))
