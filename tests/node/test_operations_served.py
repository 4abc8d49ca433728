"""The table and the node agree: no row without a handler or a reason, no handler without a row."""

from __future__ import annotations

from aiohttp import web

from pexrtc_py.node import Node
from pexrtc_py.node.routes import NODE_OPERATIONS
from pexrtc_py.protocol.operations import OPERATIONS
from pexrtc_py.protocol.room import ROOM_OPERATIONS

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

FILL = {"participant": "p", "call": "c", "mix": "m", "breakout": "b", "path": "logo.png"}


def test_every_supported_operation_has_one_handler() -> None:
    """What the table says the node does is done by the room or by the node, by one of them."""
    supported = {name for name, operation in OPERATIONS.items() if operation.supported}
    assert supported == ROOM_OPERATIONS | set(NODE_OPERATIONS) | {"request_token"}
    assert not ROOM_OPERATIONS & set(NODE_OPERATIONS)


async def test_unsupported_operations_answer_404() -> None:
    """What the table says the node does not do answers 404, as a node that is too old for it does."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as alice:
        await alice.join()
        for operation in OPERATIONS.values():
            if not operation.supported:
                status, _ = await alice.refused(operation.fill(**FILL), {}, verb=operation.verb)
                assert status == web.HTTPNotFound.status_code, operation.name


async def test_without_a_token_nothing_is_served() -> None:
    """Every supported operation but request_token answers 403 Invalid token to one who has none."""
    async with Node(media=SilentMediaMaker()) as node, RawClient(node.url) as nobody:
        for operation in OPERATIONS.values():
            if (
                operation.supported
                and operation.since <= int(node.config.version)
                and operation.name != "request_token"
            ):
                refused = await nobody.refused(operation.fill(**FILL), verb=operation.verb)
                assert refused == (403, "Invalid token"), operation.name
