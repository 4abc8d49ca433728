"""The node that the tests of sessions join."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from .small_node import SmallNode, run_small_node


@pytest_asyncio.fixture
async def node() -> AsyncIterator[SmallNode]:
    async with run_small_node() as node:
        yield node
