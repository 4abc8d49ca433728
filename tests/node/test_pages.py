"""The node's web page over HTTP: what is served, under which policy, and what the list tells to whom."""

from __future__ import annotations

import re
from importlib import resources

import httpx
import msgspec
import pytest

from pexrtc_py.node import Node, NodeConfig
from pexrtc_py.node.pages import RECORDER_TAG
from pexrtc_py.protocol.joinlink import parse_join_link
from pexrtc_py.protocol.room_settings import RoomSettings, ServiceKind

from ..support.raw_client import RawClient
from ..support.silent_media import SilentMediaMaker

CONFERENCES = {
    "meet.alice": RoomSettings(name="Alice's weekly"),
    "meet.pin": RoomSettings(pin="1234"),
    "reception": RoomSettings(service_type=ServiceKind.VIRTUAL_RECEPTION),
}
PAGES = ["/", "/webapp/m/meet.alice", "/webapp/m/no%2Fsuch/step-by-step"]


def node(*, open_: bool = True) -> Node:
    """A node with a few conferences and no media."""
    return Node(NodeConfig(conferences=CONFERENCES, open=open_), media=SilentMediaMaker())


@pytest.mark.parametrize("page", PAGES)
async def test_pages_hold_their_own_policy(page: str) -> None:
    """Nothing inline, nothing from elsewhere: all that a page names is served, with a type, under the same policy."""
    async with node() as running, httpx.AsyncClient(base_url=running.url) as http:
        answer = await http.get(page)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert not re.search(r"<style|<script(?![^>]* src=)|\son[a-z]+=|\sstyle=|javascript:|//(?!/)\w", answer.text)
        named = set(re.findall(r'(?:src|href)="(/page/[^"]+)"', answer.text))
        assert len(named) >= 3
        for path in named:
            part = await http.get(path)
            assert part.status_code == 200
            assert part.headers["x-content-type-options"] == "nosniff"
            assert part.headers["content-security-policy"] == policy
            again = await http.get(path, headers={"if-none-match": part.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")


async def test_modules_import_only_what_is_served() -> None:
    """Every file of the package is served, and every import of a script leads to one."""
    folder = resources.files("pexrtc_py.node").joinpath("page")
    scripts = [entry for entry in folder.iterdir() if entry.name.endswith(".js")]
    assert {"room.js", "rooms.js"} <= {entry.name for entry in scripts}
    async with node() as running, httpx.AsyncClient(base_url=running.url) as http:
        for entry in scripts:
            text = entry.read_text("utf-8")
            assert (await http.get(f"/page/{entry.name}")).text == text
            assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|https?:", text)
            for imported in re.findall(r"from '\./([^']+)'", text):
                assert folder.joinpath(imported).is_file()


async def test_list_tells_no_names() -> None:
    """The list has conferences with their number of participants and whether they are recorded, busy ones first."""
    async with node() as running, RawClient(running.url) as alice, RawClient(running.url) as bot:
        await alice.join("Alice Secret")
        await bot.join("Minutes", call_tag=RECORDER_TAG)
        async with httpx.AsyncClient(base_url=running.url) as http:
            answer = await http.get("/page/rooms.json")
            told = msgspec.json.decode(answer.content)
            assert answer.headers["cache-control"] == "no-store"
        assert told["open"] is True
        assert told["rooms"][0] == {
            "alias": "meet.alice",
            "title": "Alice's weekly",
            "kind": "conference",
            "pin": False,
            "people": 2,
            "recorded": True,
        }
        assert [(room["alias"], room["pin"], room["people"]) for room in told["rooms"][1:]] == [
            ("meet.pin", True, 0),
            ("reception", False, 0),
        ]
        assert "Secret" not in answer.text
        assert "1234" not in answer.text


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("/webapp/?conference=meet.alice&name=Bob", "/webapp/m/meet.alice"),
        ("/webapp/conference/meet.alice", "/webapp/m/meet.alice"),
        ("/m/?conference=a/b%0d%0ax", "/webapp/m/a%2Fb%0D%0Ax"),
        ("/webapp/", "/"),
    ],
)
async def test_links_of_older_web_apps(link: str, target: str) -> None:
    """They lead to the page of the conference, which is a join link for our commands too."""
    async with node() as running, httpx.AsyncClient(base_url=running.url) as http:
        answer = await http.get(link)
        assert (answer.status_code, answer.headers["location"]) == (302, target)
        if target != "/":
            assert parse_join_link(running.url + target).node_url == running.url


async def test_nothing_else_is_served() -> None:
    """Other paths below the page's are unknown, however they are spelt."""
    async with node() as running, httpx.AsyncClient(base_url=running.url) as http:
        for path in ("/page/room.html", "/page/../pages.py", "/page/%2e%2e/server.py", "/page/", "/webapp/m/"):
            assert (await http.get(path)).status_code == 404


def _luminance(colour: str) -> float:
    """Relative luminance as WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
def test_text_can_be_read(dark: bool) -> None:
    """All pairs of text and ground that the sheet uses have the contrast of WCAG 2.2 AA, in light and in dark."""
    sheet = resources.files("pexrtc_py.node").joinpath("page", "style.css").read_text("utf-8")
    light, _, rest = sheet.partition("@media (prefers-color-scheme: dark)")
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", light))
    if dark:
        colours |= dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", rest.partition("\n}\n")[0]))
    colours |= {
        f"tone-{tone}": colour for tone, colour in re.findall(r'data-tone="(\d)"\] \{ background: (#\w{6})', sheet)
    }
    pairs = [(ink, ground) for ink in ("ink", "quiet", "accent") for ground in ("ground", "surface")]
    pairs += [("ink", "raised"), ("quiet", "raised"), ("on-accent", "accent"), ("alarm", "alarm-ground")]
    pairs += [("busy", "busy-ground"), ("on-stage", "stage"), ("stage-quiet", "stage")]
    for ink, ground in pairs:
        light_one, dark_one = sorted((_luminance(colours[ink]), _luminance(colours[ground])), reverse=True)
        assert (light_one + 0.05) / (dark_one + 0.05) >= 4.5, (ink, ground)
    for tone in range(6):
        assert 1.05 / (_luminance(colours[f"tone-{tone}"]) + 0.05) >= 4.5, tone
    for ground in ("ground", "surface"):  # what is not text: WCAG 2.2, 1.4.11
        light_one, dark_one = sorted((_luminance(colours["focus"]), _luminance(colours[ground])), reverse=True)
        assert (light_one + 0.05) / (dark_one + 0.05) >= 3
