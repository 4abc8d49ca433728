"""What one session and its node said to each other, byte for byte, kept to be redacted and written.

A capture is for telling others how a real node answers: `protocol.redaction` takes out who, where and how to get in,
and a last look refuses to write what still carries a token, a PIN, an alias or a host of this session. Bounded: so
many requests, so many bytes of each; what is beyond is left out and said so.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import httpx
import msgspec

from ..errors import PexrtcError
from ..protocol.redaction import Redactor

__all__ = ["CAPTURE_FORMAT", "WireCapture"]

CAPTURE_FORMAT: Final = "pexrtc capture 1"
"""Stands in every capture; a change of its form changes the number."""

_MAX_REQUESTS = 500
_MAX_BYTES = 1024 * 1024
_LONG = 12


@dataclass(slots=True)
class _Said:
    """One request and its answer."""

    verb: str
    path: str
    body: bytes
    status: int
    content_type: str
    answer: bytearray = field(default_factory=bytearray)
    cut: bool = False

    def take(self, part: bytes) -> None:
        room = _MAX_BYTES - len(self.answer)
        self.cut = self.cut or len(part) > room
        self.answer += part[: max(0, room)]


class _Copied(httpx.AsyncByteStream):
    """The bytes of an answer, copied on their way."""

    def __init__(self, stream: httpx.AsyncByteStream, said: _Said) -> None:
        self._stream = stream
        self._said = said

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for part in self._stream:
            self._said.take(part)
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


class WireCapture:
    """Keeps what passes; given to a session by `HttpConfig.capture`."""

    def __init__(self) -> None:
        self._said: list[_Said] = []
        self._secrets: set[str] = set()
        self._left_out = 0

    async def on_response(self, response: httpx.Response) -> None:
        """Keep an answer whose head has come; a hook of the HTTP client."""
        request = response.request
        for name in ("token", "pin"):
            value = request.headers.get(name, "")
            if value not in ("", "none"):
                self._secrets.add(value)
        _, found, rest = request.url.raw_path.decode("ascii").partition("/conferences/")
        if not found or not isinstance(response.stream, httpx.AsyncByteStream):
            return
        if len(self._said) >= _MAX_REQUESTS:
            self._left_out += 1
            return
        self._secrets.add(request.url.host)
        alias, _, path = rest.partition("/")
        said = _Said(
            verb=request.method,
            path=path.partition("?")[0],
            body=request.content if request.headers.get("content-type") == "application/json" else b"",
            status=response.status_code,
            content_type=response.headers.get("content-type", "").partition(";")[0],
        )
        self._secrets.add(alias)
        self._said.append(said)
        response.stream = _Copied(response.stream, said)

    def render(self, known: Mapping[str, str]) -> bytes:
        """Return the capture, redacted, as JSON.

        Args:
            known: what must not appear and what stands for it: alias, display name.

        Raises:
            PexrtcError: something of these, or a token or PIN that was used, is still in it: nothing may be written.
        """
        redactor = Redactor(known)
        capture = {
            "format": CAPTURE_FORMAT,
            "left_out": self._left_out,
            "requests": [_request(said, redactor) for said in self._said if not _is_stream(said)],
            "events": [event for said in self._said if _is_stream(said) for event in _events(said, redactor)],
        }
        secrets = {*known, *self._secrets} - {*known.values(), "127.0.0.1", "localhost"}
        if _has_any(capture, [secret for secret in secrets if len(secret) > 2 and not redactor.is_word(secret)]):
            raise PexrtcError("capture: something that tells who or where was not recognised; nothing is written")
        return msgspec.json.format(msgspec.json.encode(capture), indent=1) + b"\n"


def _has_any(value: object, secrets: Sequence[str]) -> bool:
    """Whether one of the secrets stands in a string, as a word of its own."""
    if isinstance(value, dict):
        return any(_has_any(item, secrets) for item in value.values())
    if isinstance(value, list):
        return any(_has_any(item, secrets) for item in value)
    if not isinstance(value, str):
        return False
    if value.startswith(("v=0", "candidate:")):
        # Full of numbers and common words, any of which may be somebody's PIN or alias.
        secrets = [secret for secret in secrets if len(secret) >= _LONG]
    return any(re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", value) for secret in secrets)


def _is_stream(said: _Said) -> bool:
    return said.content_type == "text/event-stream"


def _request(said: _Said, redactor: Redactor) -> dict[str, object]:
    return {
        "verb": said.verb,
        "path": redactor.redact_path(said.path),
        "body": _json(said.body, redactor),
        "status": said.status,
        "type": said.content_type if said.content_type.isascii() and said.content_type.isprintable() else "",
        "answer": _json(bytes(said.answer), redactor),
        "cut": said.cut,
    }


def _json(data: bytes, redactor: Redactor) -> object:
    """Redact JSON; of anything else only tell how much there is."""
    if not data:
        return None
    try:
        return redactor.redact(msgspec.json.decode(data))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return f"({len(data)} bytes)"


def _events(said: _Said, redactor: Redactor) -> list[dict[str, object]]:
    """Take a stream apart: https://html.spec.whatwg.org/multipage/server-sent-events.html, as far as nodes use it."""
    events = []
    text = said.answer.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    for block in text.split("\n\n")[:-1]:
        pairs = (line.partition(":") for line in block.split("\n") if line and not line.startswith(":"))
        fields = {name: value.removeprefix(" ") for name, _, value in pairs}
        if fields:
            events.append(
                {
                    "id": redactor.redact_event_id(fields.get("id", "")),
                    "event": redactor.redact(fields.get("event", ""), "type"),
                    "data": _json(fields.get("data", "").encode(), redactor),
                }
            )
    return events
