"""Reading requests: the token, the body and the query, each as its model or not at all."""

from __future__ import annotations

from http import HTTPStatus
from typing import TypeVar

from aiohttp import web

from ..errors import RemoteProtocolError
from ..protocol.models import Body, decode_model, encode_model
from ..service.http_serving import reading
from .answers import Refused
from .limits import network_of

__all__ = ["read_body", "read_query", "read_token", "sender_of"]

B = TypeVar("B", bound=Body)


def sender_of(request: web.Request) -> str:
    """Return whom a request is counted for."""
    return network_of(request.remote or "")


def read_token(request: web.Request) -> str:
    """Return the token, of the header or of the query; real clients use both."""
    return request.headers.get("token") or request.query.get("token", "")


async def read_body(request: web.Request, model: type[B], *, limit: int | None = None) -> B:
    """Read the JSON body whatever its content type says: beacons send text/plain. None at all is an empty object.

    Args:
        request: whose body it is.
        model: what it is to be.
        limit: bytes at most, below the limit of the node.

    Raises:
        Refused: it is not of this model, or too long.
        HTTPException: it takes too long, or its sender goes away.
    """
    async with reading(request):
        data = await request.read()
    if limit is not None and len(data) > limit:
        raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE.phrase)
    try:
        return decode_model(data if data.strip() else b"{}", model)
    except RemoteProtocolError as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Invalid request: {exc}") from exc


def read_query(request: web.Request, model: type[B]) -> B:
    """Read the query string.

    Raises:
        Refused: it is not of this model.
    """
    given = {name: _flag(value) for name, value in request.query.items() if name != "token"}
    try:
        return decode_model(encode_model(given), model)
    except RemoteProtocolError as exc:
        raise Refused(HTTPStatus.BAD_REQUEST, f"Invalid request: {exc}") from exc


def _flag(value: str) -> str | bool:
    return {"true": True, "false": False}.get(value, value)
