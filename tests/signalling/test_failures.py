"""Each refusal and failure as the error that says what to do, without secrets."""

from __future__ import annotations

import inspect

import httpx
import pytest

from pexrtc_py.errors import (
    ConferenceNotFound,
    ExtensionRequired,
    Forbidden,
    IdentityProviderRequired,
    NodeError,
    NotSupported,
    PinInvalid,
    PinRequired,
    RefusedError,
    RemoteProtocolError,
    SignallingError,
    Throttled,
    TokenExpired,
    TransportError,
)
from pexrtc_py.protocol.models import TokenRequest, Transforms
from pexrtc_py.signalling.failures import translated
from tests.signalling.asking import PIN, TOKEN, client, reply

REFUSALS = [
    # code, status, result, PIN sent, error
    (403, "success", {"pin": "required", "guest_pin": "none", "version": {}}, "none", PinRequired),
    (403, "failure", {"pin": "required", "guest_pin": "required"}, "none", PinRequired),
    (403, "success", {"pin": "required", "guest_pin": "required"}, PIN, PinInvalid),
    (403, "failed", "Invalid PIN", PIN, PinInvalid),
    (403, "success", "Invalid PIN", PIN, PinInvalid),
    (403, "success", {"conference_extension": "required", "conference_extension_type": "mssip"}, "none",
     ExtensionRequired),
    (403, "success", {"conference_extension": "standard"}, "none", ExtensionRequired),
    (403, "success", {"idp": [{"name": "n", "uuid": "u"}], "version": {}}, "none", IdentityProviderRequired),
    (403, "success", {"redirect_url": "https://idp", "redirect_idp": {"name": "n", "uuid": "u"}}, "none",
     IdentityProviderRequired),
    (403, "failed", {"display_name": "required"}, "none", RefusedError),
    (403, "failed", "Participant limit reached", "none", Forbidden),
    (401, "failed", "no", "none", Forbidden),
    (404, "failed", "Neither conference nor gateway found", "none", ConferenceNotFound),
    (415, "failed", "Unsupported", "none", RefusedError),
    (429, "failed", "Too many requests", "none", Throttled),
    (503, "failed", "System in maintenance mode", "none", NodeError),
    (529, "failed", "Out of resource", "none", NodeError),
]  # fmt: skip


@pytest.mark.parametrize(("code", "status", "result", "pin", "error"), REFUSALS)
async def test_request_token_refused(
    code: int, status: str, result: object, pin: str, error: type[SignallingError]
) -> None:
    """Each refusal of request_token becomes the error that says what to do."""
    with pytest.raises(SignallingError) as caught:
        await client(lambda _: reply(result, status, code)).request_token(TokenRequest(display_name="A"), pin=pin)
    assert type(caught.value) is error
    assert caught.value.status == code
    assert caught.value.operation == "request_token"
    assert "\n" not in str(caught.value)
    assert PIN not in str(caught.value)


async def test_prompts_keep_what_matters() -> None:
    """Whether guests need a PIN, what kind of reception, how long to wait."""
    ask = TokenRequest(display_name="A")
    with pytest.raises(PinRequired) as pin:
        await client(lambda _: reply({"pin": "required", "guest_pin": "none"}, code=403)).request_token(ask)
    assert not pin.value.guest_pin_required
    with pytest.raises(ExtensionRequired) as extension:
        await client(lambda _: reply({"conference_extension": "mssip"}, code=403)).request_token(ask)
    assert extension.value.extension_type == "mssip"
    slow = httpx.Response(429, headers={"retry-after": "7"}, json={"status": "failed", "result": "slow down"})
    with pytest.raises(Throttled) as throttled:
        await client(lambda _: slow).conference_lock()
    assert throttled.value.retry_after_s == 7.0


@pytest.mark.parametrize(
    ("code", "result", "error"),
    [
        (403, "Invalid token", TokenExpired),
        (403, "Timer expired awaiting token refresh", TokenExpired),
        (403, "Not allowed", Forbidden),
        (400, "Illegal value", SignallingError),
        (404, "Not found", NotSupported),
        (500, "boom", NodeError),
        (200, "Illegal value", SignallingError),
    ],
)
async def test_operation_refused(code: int, result: str, error: type[SignallingError]) -> None:
    """Later refusals tell a lost token from a missing right, and keep the node's words."""
    with pytest.raises(SignallingError) as caught:
        await client(lambda _: reply(result, "success" if code == 200 else "failed", code)).override_layout(
            Transforms()
        )
    assert type(caught.value) is error
    assert caught.value.reason == result


async def test_an_operation_that_a_node_does_not_have() -> None:
    """404 of an ordinary operation, as JSON or as a page, is an error of its own that says from when there is it."""
    for answer in (reply("Not found", "failed", 404), httpx.Response(404, html="<html>Not found</html>")):
        with pytest.raises(NotSupported) as caught:
            await client(lambda _, answer=answer: answer).clearspotlights()  # type: ignore[misc]  # a handler of one
        assert (caught.value.operation, caught.value.status, caught.value.since) == ("clearspotlights", 404, 34)
        assert "nodes have it from release 34 on" in str(caught.value)


@pytest.mark.parametrize("code", [200, 403, 404, 500, 502])
async def test_html(code: int) -> None:
    """HTML instead of JSON, from a proxy or a wrong address, is one clear line."""
    page = httpx.Response(code, html="<html><body>Welcome\n</body></html>")
    with pytest.raises(SignallingError, match=r"text/html instead of the client API") as caught:
        await client(lambda _: page).request_token(TokenRequest(display_name="A"))
    assert caught.value.status == code


async def test_node_cannot_make_us_tell_secrets() -> None:
    """A node that echoes token and PIN, with control characters, puts neither into our error."""
    echo = f"bad {TOKEN}\r\n\x1b[31m {PIN} " + "x" * 5000
    with pytest.raises(Forbidden) as caught:
        await client(lambda _: reply(echo, "failed", 403)).conference_lock()
    assert TOKEN not in repr(caught.value)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()
    with pytest.raises(Forbidden) as caught:
        await client(lambda _: reply(echo, "failed", 403)).request_token(TokenRequest(display_name="A"), pin=PIN)
    assert PIN not in repr(caught.value)


HTTPX_ERRORS = [
    kind
    for _, kind in inspect.getmembers(httpx, inspect.isclass)
    if issubclass(kind, (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL))
]


@pytest.mark.parametrize("kind", HTTPX_ERRORS, ids=lambda kind: kind.__name__)
def test_every_httpx_error_is_translated(kind: type[Exception]) -> None:
    """Whatever class httpx raises, ours comes out: a new one fails here."""
    exc = kind.__new__(kind)
    exc.args = ("why\n",)
    with pytest.raises((TransportError, RemoteProtocolError)) as caught, translated("lock", "node:443"):
        raise exc
    assert str(caught.value).startswith("lock: ")
    assert str(caught.value).isprintable()
