"""What can go wrong between us and a node, told in our errors.

This is the one place that knows httpx's exceptions and a node's refusals: `translated` turns what the HTTP library
raises into `TransportError` or `RemoteProtocolError`, `refusal` turns an answer that is no success into the error that
says what the caller can do. `is_safe_to_retry` is the one predicate of retries.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import httpx_sse

from ..errors import (
    ConferenceNotFound,
    ExtensionRequired,
    Forbidden,
    IdentityProviderRequired,
    NodeError,
    NotSupported,
    PexrtcError,
    PinInvalid,
    PinRequired,
    RefusedError,
    RemoteProtocolError,
    SignallingError,
    Throttled,
    TokenExpired,
    TransportError,
)
from ..protocol.escaping import visible
from ..protocol.models import TokenPrompt, decode_model, decode_reply
from ..protocol.operations import Operation

__all__ = ["Redirected", "is_safe_to_retry", "printable", "refusal", "translated"]

_TOKEN_GONE = frozenset({"invalid token", "timer expired awaiting token refresh"})


def printable(text: str, *, secrets: Sequence[str] = (), limit: int = 200) -> str:
    """Make text of the other side fit for one line of a log or an error: no control characters, no secret, not long."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "…")
    cut = text if len(text) <= limit else text[:limit] + "…"
    return visible(cut)


class _NeverSent(TransportError):
    """The request has not left us: asking again cannot do anything twice."""


class Redirected(TransportError):
    """The node sends us where we do not follow: asking again leads to the same place."""


@contextmanager
def translated(what: str, host: str) -> Iterator[None]:
    """Translate the HTTP library's exceptions.

    Args:
        what: the operation.
        host: the node's host and port.

    Raises:
        TransportError: no connection, no answer in time, no trust.
        RemoteProtocolError: what came is no HTTP, or no event stream.
    """
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as exc:
        raise _NeverSent(f"{what}: {_why_no_connection(exc, host)}") from exc
    except httpx.TimeoutException as exc:
        raise TransportError(f"{what}: no answer from {host} in time") from exc
    except (httpx.RemoteProtocolError, httpx.DecodingError, httpx_sse.SSEError) as exc:
        if "disconnected" in str(exc) or "peer closed" in str(exc):
            raise TransportError(f"{what}: {host} closed the connection") from exc
        raise RemoteProtocolError(f"{what}: {host} does not speak HTTP as expected: {printable(str(exc))}") from exc
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as exc:
        raise TransportError(f"{what}: {host} is no address of a node") from exc
    except (httpx.HTTPError, httpx.StreamError) as exc:
        raise TransportError(
            f"{what}: connection to {host} lost ({printable(str(exc)) or type(exc).__name__})"
        ) from exc


def _why_no_connection(exc: httpx.TransportError, host: str) -> str:
    cause: BaseException | None = exc
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return (
                f"the certificate of {host} is not trusted ({cause.verify_message}); install its issuer in the system's"
                " trust store, name it with a CA file, or use the host name the certificate is for"
            )
        if isinstance(cause, ssl.SSLError):
            return f"no TLS with {host} ({cause.reason or cause}): is it an http:// address?"
        cause = cause.__cause__ or cause.__context__
    if isinstance(exc, httpx.ProxyError):
        return f"the proxy did not let us through to {host} ({printable(str(exc))})"
    if isinstance(exc, httpx.TimeoutException):
        return f"no connection to {host} in time"
    return f"no connection to {host} ({printable(str(exc)) or 'unreachable'})"


def is_safe_to_retry(operation: Operation, error: PexrtcError) -> bool:
    """Decide whether asking again may help and cannot do anything twice.

    Joining is not asked again here: whoever joins has other nodes to ask, and a user who waits.
    """
    if operation.name == "request_token":
        return False
    if isinstance(error, _NeverSent):
        return True
    if isinstance(error, TransportError):
        return operation.repeatable and not isinstance(error, Redirected)
    # Gateways in front of a node answer these while it is busy or restarts; PexRTC asks again too.
    return isinstance(error, NodeError) and error.status in (502, 504) and operation.repeatable


def refusal(
    operation: Operation, response: httpx.Response, body: bytes, *, pin_given: bool = False, secrets: Sequence[str] = ()
) -> PexrtcError:
    """Make the error that an answer without success means.

    Args:
        operation: what was asked.
        response: the answer's status and headers.
        body: its content.
        pin_given: whether request_token carried a PIN.
        secrets: what must not appear in the error, should the node echo it.
    """
    name, status = operation.name, response.status_code
    prompt, reason = _read(body, secrets)
    if prompt is not None and name == "request_token":
        return _prompted(name, status, prompt, pin_given=pin_given)
    if reason is None and status >= 400 and status != 404:
        reason = _plain_text(response, body, secrets)
    if reason is None:
        kind = response.headers.get("content-type", "nothing").partition(";")[0]
        reason = f"({printable(kind, limit=40)} instead of the client API)"
        if status == 200 or (status == 404 and name in ("request_token", "refresh_token")):
            return NodeError(name, status, f"{reason}: is this a conferencing node?")
    if status == 429:
        return Throttled(name, status, reason, retry_after_s=_retry_after(response))
    if status >= 500:
        return NodeError(name, status, reason)
    if name == "request_token":
        if status == 404:
            return ConferenceNotFound(name, status, reason)
        if reason.lower() == "invalid pin":
            return PinInvalid(name, status, reason)
        return Forbidden(name, status, reason) if status in (401, 403) else RefusedError(name, status, reason)
    if status == 404:
        return NotSupported(name, status, reason, since=operation.since)
    if status in (401, 403):
        kind_of = TokenExpired if reason.lower() in _TOKEN_GONE or status == 401 else Forbidden
        return kind_of(name, status, reason)
    return SignallingError(name, status, reason)


def _read(body: bytes, secrets: Sequence[str]) -> tuple[TokenPrompt | None, str | None]:
    try:
        result = decode_reply(body).result
        text = bytes(result)
        if text.startswith(b"{"):
            return decode_model(result, TokenPrompt), "refused"
        if text.startswith(b'"'):
            return None, printable(decode_model(result, str), secrets=secrets)
    except RemoteProtocolError:
        return None, None
    return None, ""


def _plain_text(response: httpx.Response, body: bytes, secrets: Sequence[str]) -> str | None:
    """What gateways and `calls` say in plain words."""
    if not response.headers.get("content-type", "").startswith("text/plain"):
        return None
    return printable(body[:1000].decode("utf-8", "replace").strip(), secrets=secrets) or None


def _prompted(name: str, status: int, prompt: TokenPrompt, *, pin_given: bool) -> PexrtcError:
    if prompt.pin or prompt.guest_pin:
        # The guide answers a wrong PIN with the same prompt as a missing one, nodes of today with "Invalid PIN".
        if pin_given:
            return PinInvalid(name, status, "wrong PIN")
        return PinRequired(name, status, guest_pin_required=prompt.guest_pin == "required")
    if prompt.conference_extension or prompt.conference_extension_type:
        kind = prompt.conference_extension_type or prompt.conference_extension
        return ExtensionRequired(name, status, extension_type="mssip" if kind == "mssip" else "standard")
    if prompt.idp or prompt.redirect_url:
        return IdentityProviderRequired(name, status, "single sign-on is required")
    if prompt.display_name:
        return RefusedError(name, status, "a display name is required")
    return Forbidden(name, status, "refused")


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("retry-after", "")
    return float(text) if text.isdecimal() and len(text) < 7 else None
