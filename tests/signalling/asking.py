"""A client whose requests a function of the test answers."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from pexrtc_py.protocol.models import CallUuid, ParticipantUuid
from pexrtc_py.signalling import NodeClient

TOKEN, PIN = "s3cret-token", "s3cret-pin"
P, C = ParticipantUuid("p-1"), CallUuid("c-1")
NODE = "https://node.example.com"
Answers = Callable[[httpx.Request], httpx.Response]


def client(answer: Answers, *, alias: str = "meet.alice") -> NodeClient:
    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    made = NodeClient(NODE, alias, http)
    made.set_token(TOKEN)
    return made


def reply(result: object, status: str = "success", code: int = 200) -> httpx.Response:
    return httpx.Response(code, json={"status": status, "result": result})
