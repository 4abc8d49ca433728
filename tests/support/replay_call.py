"""One call of the replay node: aiortc's own peer connection. It imports nothing of pexrtc_py."""

from __future__ import annotations

import re
import uuid
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any

import av
import numpy as np
from aiortc import MediaStreamTrack, RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError
from aiortc.sdp import candidate_from_sdp

from tests.support.replay_answer import aiortc_can_read, reshape
from tests.support.replay_media import MovingBar, Slide, Tone


class ReplayCall:
    """One call: a peer connection that plays a tone and a picture, or a slide, and keeps what it gets.

    Args:
        address: where it takes media.
        start: runs a coroutine for as long as the node lives.
        present: "receive" when the other side wants to be sent slides.
    """

    def __init__(
        self, address: str, start: Callable[[Coroutine[Any, Any, None]], None], present: str | None = None
    ) -> None:
        self.present = present
        self.heard: deque[np.ndarray[Any, Any]] = deque(maxlen=500)
        """Samples of the last 10 s, decoded, a frame each."""
        self.seen: deque[np.ndarray[Any, Any]] = deque(maxlen=30)
        """Brightness of the last pictures, decoded; of a call with more than slides the main ones."""
        self.slides_seen: deque[np.ndarray[Any, Any]] = deque(maxlen=30)
        """The same of the slides of such a call."""
        self.uuid = str(uuid.uuid4())
        self.pc = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
        self.pc.on("track", self._take)
        self.acks = 0
        self.audio_frames = 0
        self.video_frames = 0
        self.candidates: list[dict[str, str]] = []
        self._address = address
        self._start = start
        self._slides: set[str] = set()

    async def answer(self, offer: str) -> str:
        await self.pc.setRemoteDescription(RTCSessionDescription(sdp=aiortc_can_read(offer), type="offer"))
        slides, wanted = self._slides_mids(offer), self._slides_mids(offer, "a=recvonly")
        self._slides = slides if self.present is None else set()
        for transceiver in self.pc.getTransceivers():
            if self.present == "receive":
                if transceiver.sender.track is None:
                    transceiver.sender.replaceTrack(Slide())
                    transceiver.direction = "sendonly"
            elif transceiver.mid in wanted:
                if transceiver.sender.track is None:
                    transceiver.sender.replaceTrack(Slide())
                transceiver.direction = "sendonly"
            elif transceiver.mid not in slides and transceiver.sender.track is None:
                transceiver.sender.replaceTrack(Tone() if transceiver.kind == "audio" else MovingBar())
                transceiver.direction = "sendrecv"
            # Only on this instance: aioice knows no loopback addresses otherwise.
            connection: Any = transceiver.sender.transport.transport.iceGatherer._connection
            gather = type(connection).get_component_candidates
            connection.get_component_candidates = partial(_gather_on, gather, connection, self._address)
        answer = await self.pc.createAnswer()
        assert answer is not None
        await self.pc.setLocalDescription(answer)
        return reshape(self.pc.localDescription.sdp, offer, self._address)

    def _slides_mids(self, offer: str, also: str = "") -> set[str]:
        parts = [part for part in re.split(r"(?=^m=)", offer, flags=re.M)[1:] if also in part]
        mids = [re.search(r"^a=mid:(\S+)", part, flags=re.M) for part in parts if "a=content:slides" in part]
        return {mid.group(1) for mid in mids if mid is not None}

    async def add_candidate(self, body: dict[str, str]) -> None:
        self.candidates.append(body)
        if not body["candidate"]:
            return
        candidate = candidate_from_sdp(body["candidate"].removeprefix("candidate:"))
        candidate.sdpMid = body["mid"]
        await self.pc.addIceCandidate(candidate)

    def _take(self, track: MediaStreamTrack) -> None:
        self._start(self._count(track))

    async def _count(self, track: MediaStreamTrack) -> None:
        with suppress(MediaStreamError):
            while True:
                frame = await track.recv()
                if isinstance(frame, av.AudioFrame):
                    self.audio_frames += 1
                    self.heard.append(frame.to_ndarray().reshape(-1, len(frame.layout.channels))[:, 0])
                elif isinstance(frame, av.VideoFrame):
                    self.video_frames += 1
                    is_slide = any(
                        t.mid in self._slides and t.receiver.track is track for t in self.pc.getTransceivers()
                    )
                    (self.slides_seen if is_slide else self.seen).append(frame.to_ndarray(format="gray"))


async def _gather_on(gather: Any, connection: Any, address: str, component: int, **_: object) -> Any:
    return await gather(connection, component=component, addresses=[address])
