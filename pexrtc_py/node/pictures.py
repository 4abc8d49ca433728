"""What is no JSON: presentation pictures, and the theme and avatars that this node has not.

Sequence of pictures: presentation_start, then presentation_frame for each, whose event id asks for it. They come from
the media, or from a presenter that uploads them.
"""

from __future__ import annotations

from http import HTTPStatus

from aiohttp import BodyPartReader, web

from ..protocol.models import PresentationQuery
from ..service.http_serving import reading
from .answers import Refused, answer
from .conference import Session
from .node_state import NodeState
from .requests import read_query

__all__ = ["avatar", "presentation_picture", "theme", "theme_file", "upload_presentation"]

_JPEG = b"\xff\xd8\xff"
_NO_FORM = (ValueError, AssertionError, RuntimeError)
"""What aiohttp says of forms without a boundary, with broken headers, or that end in the middle."""


async def presentation_picture(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Return the picture that a presentation_frame event announced."""
    event_id = request.headers.get("id") or read_query(request, PresentationQuery).id
    # A "+" in base64 becomes a blank where a client does not quote it.
    frame = session.mailbox.frame(event_id.replace(" ", "+"))
    if frame is None:
        raise Refused(HTTPStatus.NOT_FOUND, "No image available")
    return web.Response(body=frame, content_type="image/jpeg", headers={"Cache-Control": "no-store"})


async def upload_presentation(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Take the presenter's next picture: a multipart form with one field, `frame`."""
    conference = session.conference
    if conference.room.presenter != session.participant:
        raise Refused(HTTPStatus.FORBIDDEN, "Presentation not allowed")
    if not request.content_type.startswith("multipart/"):
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: a multipart form is wanted")
    async with reading(request):
        frame = await _read_frame(request, node.config.body_limit)
    if not frame.startswith(_JPEG):
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: no JPEG")
    conference.on_presentation_frame(frame)
    return answer(result=True)


async def theme(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Say that there is no theme: 204, as a node without one does."""
    return web.Response(status=HTTPStatus.NO_CONTENT)


async def theme_file(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Say that there is no such file."""
    raise Refused(HTTPStatus.NOT_FOUND, "Not Found")


async def avatar(node: NodeState, request: web.Request, session: Session) -> web.Response:
    """Say that there is no picture of this participant."""
    raise Refused(HTTPStatus.NOT_FOUND, "No image available")


async def _read_frame(request: web.Request, limit: int) -> bytes:
    try:
        async for part in await request.multipart():
            if isinstance(part, BodyPartReader) and part.name == "frame":
                return await _read_part(part, limit)
    except _NO_FORM as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: no form") from exc
    raise Refused(HTTPStatus.BAD_REQUEST, "Invalid request: no field frame")


async def _read_part(part: BodyPartReader, limit: int) -> bytes:
    """Read a field, which the form's own limit does not bound."""
    data = bytearray()
    while chunk := await part.read_chunk():
        data += chunk
        if len(data) > limit:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "Request Entity Too Large")
    return bytes(data)
