"""Peers that are not ours. A missing one is a failure that names what to install, never a skip."""

from __future__ import annotations

import importlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
import pytest_asyncio

from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind
from tests.interop.browser import Browser, open_browser, open_chromium
from tests.interop.visitor import WIDE, Visit, Visitor

INFINITY = Path(__file__).with_name("infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A page, and the script that drives it."""

    page: str
    script: bytes


def need(module: str, package: str) -> ModuleType:
    """Import a module of a peer; without it the test fails."""
    try:
        return importlib.import_module(module)
    except ImportError:
        pytest.fail(f"{package} is missing: make peers installs it (locks/peers.txt)")


def need_program(name: str, package: str) -> str:
    """Return the path of a program; without it the test fails."""
    if path := shutil.which(name):
        return path
    pytest.fail(f"{name} is missing: install Debian's package {package}")


def bundle(folder: Path, source: str, target: Path, kind: str) -> Path:
    """Bundle a script with what it imports."""
    esbuild = folder / "node_modules/.bin/esbuild"
    if not esbuild.exists():
        pytest.fail("esbuild is missing: make peers installs it from npm")
    need_program("node", "nodejs")  # runs esbuild
    command = [str(esbuild), source, "--bundle", kind, f"--outfile={target}", "--log-level=warning"]
    subprocess.run(command, cwd=folder, check=True, timeout=60)
    return target


@pytest.fixture(scope="session")
def infinity_folder() -> Path:
    """The folder of tests/interop/infinity with its npm packages."""
    if not (INFINITY / "node_modules/@pexip/infinity").is_dir():
        pytest.fail("@pexip/infinity is missing: make peers installs it from npm")
    return INFINITY


@pytest.fixture(scope="session")
def infinity(infinity_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """@pexip/infinity and our harness, bundled by esbuild."""
    return _page_of(infinity_folder, "main.js", tmp_path_factory.mktemp("infinity"))


@pytest.fixture(scope="session")
def old_client(infinity_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """What asks as the web client of 2016 to 2020 did."""
    return _page_of(infinity_folder, "old_client.js", tmp_path_factory.mktemp("old"))


def _page_of(folder: Path, source: str, target: Path) -> Bundle:
    script = bundle(folder, source, target / "main.js", "--format=iife")
    return Bundle(page=(folder / "page.html").read_text(), script=script.read_bytes())


@pytest_asyncio.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    """Debian's Chromium, headless, with a tone for its microphone and marked pictures for its camera."""
    program = need_program("chromium", "chromium")
    playwright = need("playwright.async_api", "playwright")
    async with open_browser(playwright, program, tmp_path) as browser:
        yield browser


@pytest.fixture
def digits() -> list[str]:
    """DTMF digits that the node was sent."""
    return []


@pytest_asyncio.fixture
async def node(digits: list[str]) -> AsyncIterator[Node]:
    """A node for the tests of its page: a few conferences, open for others."""
    conferences = {
        "meet.alice": RoomSettings(name="Alice's weekly"),
        "meet.pin": RoomSettings(pin="1234"),
        "reception": RoomSettings(service_type=ServiceKind.VIRTUAL_RECEPTION),
        "test.call": RoomSettings(service_type=ServiceKind.TEST_CALL, test_call_s=9),
    }
    # Tokens are renewed every three seconds.
    config = NodeConfig(conferences=conferences, open=True, token_lifetime_s=9)
    async with Node(config, on_digits=lambda alias, participant, sent: digits.extend(sent)) as node:
        yield node


@pytest_asyncio.fixture
async def visit(node: Node, tmp_path: Path) -> AsyncIterator[Visit]:
    """Opens tabs of Chromium, each with a profile of its own; whatever a page complains of fails the test."""
    program = need_program("chromium", "chromium")
    playwright = need("playwright.async_api", "playwright")
    visitors: list[Visitor] = []
    async with open_chromium(playwright, program, tmp_path, "--auto-select-desktop-capture-source=Entire") as chromium:

        async def open_tab() -> Visitor:
            context = await chromium.new_context(viewport={"width": WIDE[0], "height": WIDE[1]})
            visitors.append(Visitor(await context.new_page(), node.url))
            return visitors[-1]

        yield open_tab
        # Chromium writes every violation of the policy to the console, as an error.
        assert [visitor.complaints for visitor in visitors] == [[]] * len(visitors)
