"""What a hostile side may make us do with as much as it may send: work in proportion, at the limit of 1 MiB too.

Work is counted as calls made, and as processor time of this process, which other load on the machine does not change.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar

import msgspec
import pytest

from pexrtc_py.errors import RemoteProtocolError, SdpError
from pexrtc_py.protocol.events import parse_event
from pexrtc_py.protocol.models import Participant, TokenResult, decode_model, decode_reply
from pexrtc_py.protocol.redaction import Redactor
from pexrtc_py.protocol.sdp import parse_sdp

T = TypeVar("T")

LIMIT = 1024 * 1024
CPU_S = 5.0
"""Generous: the slowest takes a fraction of it; anything quadratic takes hours."""

HEAD = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
AUDIO = "m=audio 9 UDP/TLS/RTP/SAVPF 0\r\nc=IN IP4 0.0.0.0\r\n"

DESCRIPTIONS: dict[str, tuple[str, str]] = {
    "candidates": (HEAD + AUDIO, "a=candidate:1 1 udp 1 10.0.0.1 1 typ host\r\n"),
    "lines": (HEAD, AUDIO),
    "attributes": (HEAD + AUDIO, "a=x:y\r\n"),
    "codecs": (HEAD + AUDIO, "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 a=b;c=d\r\na=rtcp-fb:* nack\r\n"),
    "sources": (HEAD + AUDIO, "a=ssrc:1 cname:x\r\n"),
    "groups": (HEAD, "a=group:BUNDLE 0 1 2\r\n"),
    "one long line": (HEAD + AUDIO + "a=fmtp:0 ", "a=b;"),
    "one long group": (HEAD + "a=group:BUNDLE", " 0"),
    "blanks": (HEAD, "\r\n"),
    "no line at all": ("", ":"),
}

VALUES: dict[str, tuple[str, str, str]] = {
    "nesting": ("", "[", ""),
    "keys": ('{"uuid":"u"', ',"a":1', "}"),
    "same key": ('{"uuid":"u"', ',"display_name":7', "}"),
    "list": ("[", '{"uuid":"u"},', '{"uuid":"u"}]'),
    "digits": ('{"uuid":"u","start_time":', "9", "}"),
    "escapes": ('{"uuid":"', "\\u0041", '"}'),
    "text": ('{"uuid":"', "a", '"}'),
    "addresses": ('{"uuid":"', "1.1.1.1 ", '"}'),
    "hex": ('{"uuid":"', "0:", '"}'),
}


pytestmark = pytest.mark.slow  # together; each is quick


def cost(work: Callable[[], object]) -> int:
    """Return how many calls some work makes; a documented error may end it."""
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        with suppress(RemoteProtocolError):
            work()
    finally:
        sys.setprofile(None)
    return calls


def assert_in_proportion(make: Callable[[int], T], work: Callable[[T], object]) -> None:
    """Twice as much costs twice the calls at most, and the limit costs little time."""
    half = cost(partial(work, make(LIMIT // 16)))
    whole = cost(partial(work, make(LIMIT // 8)))
    assert whole <= 2.2 * half + 200
    began = time.process_time()
    with suppress(RemoteProtocolError):
        work(make(LIMIT))
    assert time.process_time() - began < CPU_S


@pytest.mark.parametrize("name", DESCRIPTIONS)
def test_descriptions(name: str) -> None:
    """A session description as long as an answer may be is read, or refused, and redacted in proportion."""
    head, more = DESCRIPTIONS[name]

    def text(size: int) -> str:
        return head + more * ((size - len(head)) // len(more))

    assert_in_proportion(text, parse_sdp)
    assert_in_proportion(text, Redactor().redact_sdp)


@pytest.mark.parametrize("name", VALUES)
def test_values(name: str) -> None:
    """JSON as long as an answer may be is read, or refused, in proportion: as a reply, a model, an event."""
    head, more, end = VALUES[name]

    def text(size: int) -> str:
        return head + more * ((size - len(head) - len(end)) // len(more)) + end

    def read(made: str) -> None:
        data = made.encode()
        for model in (Participant, TokenResult, list[Participant]):
            with suppress(RemoteProtocolError):
                decode_model(data, model)
        for event in ("participant_update", "stage", "breakout_event"):
            with suppress(RemoteProtocolError):
                parse_event(event, made)
        decode_reply(data)

    assert_in_proportion(text, read)


@pytest.mark.parametrize("name", VALUES)
def test_captures(name: str) -> None:
    """What may be in a capture is redacted in proportion."""
    head, more, end = VALUES[name]

    def made(size: int) -> object:
        text = head + more * ((size - len(head) - len(end)) // len(more)) + end
        try:
            return msgspec.json.decode(text)
        except (msgspec.MsgspecError, RecursionError):
            return text

    assert_in_proportion(made, Redactor().redact)


def test_a_description_is_refused_by_name() -> None:
    """The error for a hostile description names the line, and is short."""
    with pytest.raises(SdpError) as caught:
        parse_sdp(HEAD + "m=" + "x" * LIMIT)
    assert len(str(caught.value)) < 400
