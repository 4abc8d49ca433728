"""The node's web page: what conferences there are, and one to sit in with a browser.

The page is a client like any other: it speaks the client API and nothing else, but for the list of conferences. Its
files are package data, read once and served as they are, with a policy that lets nothing run or load that is not one of
them. A conference's page lives where Pexip's web app has it, so that its address is a join link too.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from importlib import resources
from urllib.parse import quote

import msgspec
from aiohttp import web

from ..protocol.models import Participant
from ..protocol.room_settings import RoomSettings
from .node_state import NodeState

__all__ = ["RECORDER_TAG", "add_pages"]

RECORDER_TAG = "pexrtc-bot:record"
"""The `call_tag` by which our recorders tell that they keep what is said; `page/roster.js` knows it too."""

_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}

# Nothing inline, nothing from elsewhere, no HTML made of text: a name with markup in it stays a name.
_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "media-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(self), display-capture=(self), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class _Room(msgspec.Struct, frozen=True, kw_only=True):
    """A conference as the list shows it: nobody's name, only how many there are."""

    alias: str
    title: str
    kind: str
    pin: bool
    people: int
    recorded: bool


def add_pages(app: web.Application, node: NodeState) -> None:
    """Give an application the pages of a node."""
    files = {
        entry.name: _file(entry.name, entry.read_bytes())
        for entry in resources.files(__package__).joinpath("page").iterdir()
        if entry.name[entry.name.rfind(".") :] in _TYPES
    }
    room_page = files.pop("room.html")
    app.router.add_get("/", files.pop("index.html"))
    for name, handler in files.items():
        app.router.add_get(f"/page/{name}", handler)
    app.router.add_get("/page/rooms.json", _rooms(node))
    # As the web apps of real nodes have it (protocol/joinlink.py), so that links made for those work here.
    for path in ("/webapp/m/{alias}", "/webapp/m/{alias}/{way:step-by-step|express|advanced}", "/m/{alias}"):
        app.router.add_get(path, room_page)
    for path in ("/webapp", "/webapp/", "/webapp/conference/{alias}", "/m/"):
        app.router.add_get(path, _old_link)


def _file(name: str, content: bytes) -> Handler:
    """Make the handler of one file."""
    tag = hashlib.sha256(content).hexdigest()[:32]
    kind = _TYPES[name[name.rfind(".") :]]

    async def serve(request: web.Request) -> web.StreamResponse:
        headers = {**_HEADERS, "Cache-Control": "no-cache", "ETag": f'"{tag}"'}
        if any(known.value == tag for known in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)

    return serve


async def _old_link(request: web.Request) -> web.StreamResponse:
    """Lead links of older web apps to the page; without a conference in them, to the list."""
    alias = request.match_info.get("alias") or request.query.get("conference")
    target = f"/webapp/m/{quote(alias, safe='')}" if alias else "/"
    return web.Response(status=302, headers={**_HEADERS, "Location": target})


def _rooms(node: NodeState) -> Handler:
    async def serve(request: web.Request) -> web.StreamResponse:
        body = msgspec.json.encode({"open": node.config.is_open, "rooms": _listed(node)})
        headers = {**_HEADERS, "Cache-Control": "no-store"}
        return web.Response(body=body, content_type="application/json", headers=headers)

    return serve


def _listed(node: NodeState) -> list[_Room]:
    """List the conferences of the configuration, and those alive beside them, busy ones first."""
    settings = {alias: node.find(alias) for alias in node.config.conferences}
    settings |= {alias: conference.settings for alias, conference in node.conferences.items()}
    rooms = [_room(node, alias, found) for alias, found in settings.items() if found is not None]
    return sorted(rooms, key=lambda room: (room.people == 0, room.alias))


def _room(node: NodeState, alias: str, settings: RoomSettings) -> _Room:
    conference = node.conferences.get(alias)
    people = list(conference.room.participants.values()) if conference is not None else []
    return _Room(
        alias=alias,
        title=settings.title or alias,
        kind=str(settings.service_type),
        pin=settings.pin is not None,
        people=len(people),
        recorded=any(_records(person) for person in people),
    )


def _records(person: Participant) -> bool:
    return person.call_tag == RECORDER_TAG or person.is_recording is True or person.is_streaming_conference
