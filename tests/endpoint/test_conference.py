"""A conference as programs use it: what is not in a call."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from PIL import Image

from pexrtc_py.endpoint.conference import connect
from pexrtc_py.errors import Forbidden
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.events import PresentationFrame

from ..support.silent_media import SilentMediaMaker

ALIAS = "meet.alice"


def jpeg(colour: str) -> bytes:
    """A small picture of one colour."""
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "JPEG")
    return file.getvalue()


async def test_pictures_are_presented_without_a_call() -> None:
    """Each picture comes to the others as it was uploaded, by the id of its event; the floor is free afterwards."""
    shown = [jpeg(colour) for colour in ("red", "green", "blue")]
    async with (
        asyncio.timeout(15),
        Node(media=SilentMediaMaker()) as node,
        connect(node.url, ALIAS, display_name="Alice") as alice,
        connect(node.url, ALIAS) as bob,
    ):
        events, got = bob.events(), list[bytes]()
        fetched = asyncio.Event()

        async def pictures() -> AsyncIterator[bytes]:
            for picture in shown:
                fetched.clear()
                yield picture
                await fetched.wait()

        async def watch() -> None:
            async for event in events:
                if isinstance(event, PresentationFrame):
                    got.append(await bob.client.presentation_jpeg(event.event_id))
                    fetched.set()
                    if len(got) == len(shown):
                        return

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(watch())
            await bob.session.wait_for(lambda s: s.roster.synced)
            await alice.present_pictures(pictures())
        assert got == shown
        await bob.session.wait_for(lambda s: s.roster.presenter is None)


async def test_who_loses_the_floor_is_told() -> None:
    """When somebody else presents, the next picture is refused, and the floor stays with the other."""
    async with (
        asyncio.timeout(15),
        Node(media=SilentMediaMaker()) as node,
        connect(node.url, ALIAS, display_name="Alice") as alice,
        connect(node.url, ALIAS) as bob,
    ):

        async def pictures() -> AsyncIterator[bytes]:
            yield jpeg("red")
            await bob.client.participant_take_floor(bob.participant_uuid)
            yield jpeg("green")

        with pytest.raises(Forbidden):
            await alice.present_pictures(pictures())
        await alice.session.wait_for(lambda s: s.roster.presenter == bob.participant_uuid)
