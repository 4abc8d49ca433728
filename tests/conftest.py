"""What every test must leave behind: nothing. No task, no thread, no socket. And the node that many begin with."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import threading
from collections.abc import AsyncIterator, Generator, Iterator

import hypothesis
import pytest
import pytest_asyncio

from pexrtc_py import Node

# The suite is the same each time and quick; `make soak` looks for what it does not find.
hypothesis.settings.register_profile("suite", max_examples=30, deadline=None, derandomize=True)
hypothesis.settings.register_profile("soak", max_examples=3000, deadline=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

# Threads that libraries keep for the life of the process and that hold nothing of a test.
_LASTING_THREADS = ("pytest_timeout", "asyncio_", "ThreadPoolExecutor", "AnyIO worker", "execnet", "pexrtc-shared")


def pytest_collection_finish() -> None:
    """Take all that is loaded out of the collector's sight: looking at it after every test is most of a quick test."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol() -> Generator[None, object, object]:
    """Do the same with what a test has left behind on purpose, such as caches and modules: it would only grow."""
    done = yield
    gc.collect()
    gc.freeze()
    return done


def pytest_sessionfinish() -> None:
    """Look at all of it once more, for what has become garbage since."""
    gc.unfreeze()
    gc.collect()


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """A command sets logging up for its process, which here is that of all tests."""
    root, names = logging.getLogger(), ("pexrtc_py", "aiortc", "aioice", "libav")
    handlers, levels = list(root.handlers), [logging.getLogger(name).level for name in names]
    yield
    root.handlers[:] = handlers
    for name, level in zip(names, levels, strict=True):
        logging.getLogger(name).setLevel(level)


@pytest.fixture(autouse=True)
def leave_no_thread() -> Iterator[None]:
    """Fail a test that leaves a thread running."""
    before = set(threading.enumerate())
    yield
    left = [t for t in threading.enumerate() if t not in before and not t.name.startswith(_LASTING_THREADS)]
    for thread in left:
        thread.join(timeout=2.0)
    names = [t.name for t in left if t.is_alive()]
    assert not names, f"threads left running: {names}"


@pytest_asyncio.fixture(autouse=True)
async def leave_no_task() -> AsyncIterator[None]:
    """Fail a test that leaves a task running."""
    before = asyncio.all_tasks()
    yield
    await asyncio.sleep(0)
    left = [t for t in asyncio.all_tasks() if t not in before and t is not asyncio.current_task()]
    if left:
        await asyncio.wait(left, timeout=1.0)
    names = [repr(t) for t in left if not t.done()]
    gc.collect()
    assert not names, f"tasks left running: {names}"


@pytest_asyncio.fixture
async def node() -> AsyncIterator[Node]:
    """A node on loopback, in which any conference comes to life when somebody asks for it."""
    async with Node() as node:
        yield node
