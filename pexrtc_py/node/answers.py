"""How the node answers: one envelope, two status words, always JSON.

An object result is "success", an error string is "failed", whatever the HTTP status: the rule that every client takes.
A `Refused` raised anywhere below a route becomes such an answer.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from ..protocol.models import encode_failure, encode_success
from ..protocol.room_effects import Outcome

__all__ = ["Refused", "answer", "answer_errors", "outcome_answer"]

logger = logging.getLogger(__name__)


class Refused(Exception):
    """A request cannot be served; becomes its answer and goes no further.

    Attributes:
        status: HTTP status.
        result: the reason, or the model of a prompt.
        headers: more headers of the answer.
    """

    def __init__(self, status: int, result: object, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.result = result
        self.headers = headers


def answer(result: object, *, status: int = HTTPStatus.OK, headers: dict[str, str] | None = None) -> web.Response:
    """Make the answer of a result, or of the reason why there is none."""
    failed = isinstance(result, str) and status >= HTTPStatus.BAD_REQUEST
    body = encode_failure(str(result)) if failed else encode_success(result)
    return web.Response(body=body, status=status, content_type="application/json", headers=headers)


def outcome_answer(outcome: Outcome) -> web.Response:
    """Make the answer of what a room said."""
    return answer(outcome.result, status=outcome.status)


@web.middleware
async def answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Let no error out but as JSON, and answer OPTIONS: other origins are not let in, so a browser learns no more."""
    if request.method == "OPTIONS":
        return web.Response(status=HTTPStatus.NO_CONTENT, headers={"Allow": "GET, POST, OPTIONS"})
    try:
        return await handler(request)
    except Refused as refused:
        return answer(refused.result, status=refused.status, headers=refused.headers)
    except web.HTTPException as exc:
        headers = {"Allow": exc.headers["Allow"]} if "Allow" in exc.headers else None
        return answer(HTTPStatus(exc.status).phrase, status=exc.status, headers=headers)
    except Exception:  # the outermost frame of a request; the client must not wait for nothing
        logger.exception("! %s %s", request.method, request.rel_url.raw_path[:200])
        return answer("Internal error", status=HTTPStatus.INTERNAL_SERVER_ERROR)
