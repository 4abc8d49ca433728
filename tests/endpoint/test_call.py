"""A call of the endpoint to our own node, and its ends."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from pexrtc_py.endpoint.conference import connect
from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.conference_media import ConferenceMedia, ConferenceMediaConfig
from pexrtc_py.node.media_port import MediaListener
from pexrtc_py.node.node_state import NodeState
from pexrtc_py.protocol.models import CallUuid, StunServer
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.webrtc.peer import PeerConfig


async def test_servers_a_node_names_wrongly_cost_no_call() -> None:
    """A URL that cannot be read was refused as if the user had given it."""
    config = NodeConfig(stun=(StunServer(url="http://192.0.2.1"),))
    async with Node(config) as node, connect(node.url, "meet.alice") as conference, conference.call() as call:
        await call.connected()


class RejectingMedia(ConferenceMedia):
    """Ends each call as soon as it is acknowledged, as a node without licences does."""

    def __init__(self, settings: RoomSettings, listener: MediaListener) -> None:
        super().__init__(settings, listener, ConferenceMediaConfig(peer=PeerConfig(addresses=("127.0.0.1",))))
        self._told = listener

    def ack(self, call: CallUuid) -> None:
        self._told.on_call_lost(call, "Call rejected")


@web.middleware
async def late(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """A network on which answers to ack are slower than events."""
    response = await handler(request)
    if request.path.endswith("/ack"):
        await asyncio.sleep(0.2)
    return response


def slow_down(app: web.Application, node: NodeState) -> None:
    """Put the slow network before a node."""
    app.middlewares.append(late)


async def test_a_call_that_is_ended_while_it_is_made_has_ended() -> None:
    """The event came before the answer to ack, and nobody knew the call yet: it had to wait for its path to fail."""
    async with Node(media=RejectingMedia, add_pages=slow_down) as node, connect(node.url, "meet.alice") as conference:
        await conference.session.wait_for(lambda session: session.roster.synced)
        async with conference.call() as call, asyncio.timeout(5):
            assert await call.ended() == "Call rejected"
