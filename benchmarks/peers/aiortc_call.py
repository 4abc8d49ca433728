"""One call of stock aiortc, as the other peers make theirs: offered or answered over standard input and output.

On 127.0.0.1, which aioice leaves out: in a process of its own its module may be changed.
"""

from __future__ import annotations

import aioice.ice
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from benchmarks._children import say

__all__ = ["accept", "answer", "connection", "offer", "use_loopback"]


def use_loopback() -> None:
    """Gather 127.0.0.1 and nothing else."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]


def connection() -> RTCPeerConnection:
    """Return a new peer."""
    return RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))


async def offer(peer: RTCPeerConnection, call: int = 0) -> None:
    """Offer to receive sound and pictures."""
    peer.addTransceiver("audio", direction="recvonly")
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    say(call=call, offer=peer.localDescription.sdp)


async def accept(peer: RTCPeerConnection, sdp: str) -> None:
    """Take the answer."""
    await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="answer"))


async def answer(peer: RTCPeerConnection, call: int, sdp: str) -> None:
    """Answer an offer with the tracks that the peer has."""
    await peer.setRemoteDescription(RTCSessionDescription(sdp=sdp, type="offer"))
    await peer.setLocalDescription(await peer.createAnswer())
    say(call=call, answer=peer.localDescription.sdp)
