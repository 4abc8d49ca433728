"""Every error that pexrtc_py raises on purpose, by what a caller would do about it.

    PexrtcError
    ├── UsageError                 fix what was given: a flag, a file, a target, a configuration (exit code 2)
    ├── LocalProtocolError         fix the code: an operation out of order (also a RuntimeError)
    ├── SignallingError            what a conferencing node said; carries operation, status and reason
    │   ├── RefusedError           the node will not have us (exit code 3)
    │   │   ├── PinRequired        ask for a PIN
    │   │   ├── PinInvalid         ask again
    │   │   ├── ExtensionRequired  a Virtual Reception asks where to go
    │   │   ├── IdentityProviderRequired   the conference wants single sign-on
    │   │   ├── ConferenceNotFound give up: no such alias
    │   │   └── Forbidden          give up: not with this role, or locked
    │   ├── TokenExpired           rejoin
    │   ├── Throttled              wait, then retry
    │   ├── NotSupported           do without: this node has no such operation, or not what it is about
    │   └── NodeError              the node itself failed (5xx), or is in maintenance: retry elsewhere
    ├── TransportError             no network, no TLS, no answer: retry (exit code 4)
    ├── RemoteProtocolError        report: the peer broke the protocol
    │   └── SdpError               its session description cannot be used; carries line and reason
    ├── MediaError                 media of a call (exit code 4)
    │   ├── IceFailed              no path for media
    │   ├── DtlsFailed             the path is there, the handshake failed
    │   ├── NoMedia                connected, and nothing arrives
    │   └── CodecMismatch          no codec in common
    ├── SourceError                a source cannot be opened, or failed in the middle
    ├── WriteError                 a recording's target failed: disk, device, permission (exit code 6)
    └── SessionClosed              the session has ended; carries reason and who closed it
        ├── SessionClosedOK        well: released by us, or the conference is over
        └── SessionClosedError     removed, or lost beyond the limits of rejoining (exit code 5)

`str()` of an error is one lower-case line without full stop; no error ever carries a token, a PIN or a credential.
"""

from __future__ import annotations

__all__ = [
    "CodecMismatch",
    "ConferenceNotFound",
    "DtlsFailed",
    "ExtensionRequired",
    "Forbidden",
    "IceFailed",
    "IdentityProviderRequired",
    "LocalProtocolError",
    "MediaError",
    "NoMedia",
    "NodeError",
    "NotSupported",
    "PexrtcError",
    "PinInvalid",
    "PinRequired",
    "RefusedError",
    "RemoteProtocolError",
    "SdpError",
    "SessionClosed",
    "SessionClosedError",
    "SessionClosedOK",
    "SignallingError",
    "SourceError",
    "Throttled",
    "TokenExpired",
    "TransportError",
    "UsageError",
    "WriteError",
]


class PexrtcError(Exception):
    """The root: catch this to catch all that pexrtc_py raises on purpose."""


class UsageError(PexrtcError):
    """Something given by the user cannot be used; the message names the thing and the value."""


class LocalProtocolError(PexrtcError, RuntimeError):
    """Our own side did something out of order: the program needs mending, not the network."""


class SignallingError(PexrtcError):
    """A conferencing node answered, and not with success.

    Attributes:
        operation: name of the operation as in `protocol.operations`, `request_token` for example.
        status: HTTP status code, 0 when the answer was cut short.
        reason: what the node said, with control characters escaped.
    """

    def __init__(self, operation: str, status: int, reason: str) -> None:
        super().__init__(operation, status, reason)
        self.operation = operation
        self.status = status
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.operation} refused: {self.status} {self.reason}".rstrip()


class RefusedError(SignallingError):
    """The node will not have us as we came."""


class PinRequired(RefusedError):
    """The conference asks for a PIN.

    Attributes:
        guest_pin_required: whether guests need one too; if not, `pin: none` lets a guest in.
    """

    def __init__(self, operation: str, status: int, *, guest_pin_required: bool) -> None:
        super().__init__(operation, status, "a PIN is required")
        self.guest_pin_required = guest_pin_required


class PinInvalid(RefusedError):
    """The PIN given is wrong."""


class ExtensionRequired(RefusedError):
    """A Virtual Reception asks for the alias of the conference to go to.

    Attributes:
        extension_type: `standard` or `mssip`.
    """

    def __init__(self, operation: str, status: int, *, extension_type: str) -> None:
        super().__init__(operation, status, "a Virtual Reception asks for conference_extension")
        self.extension_type = extension_type


class IdentityProviderRequired(RefusedError):
    """The conference lets in only whom an identity provider vouches for."""


class ConferenceNotFound(RefusedError):
    """No conference and no gateway rule has this alias."""


class Forbidden(RefusedError):
    """Not with this role, or not now (locked, guests only)."""


class TokenExpired(SignallingError):
    """The token is no longer valid: the participant is gone from the conference and may rejoin."""


class Throttled(SignallingError):
    """The node asks for fewer requests (429).

    Attributes:
        retry_after_s: seconds to wait, as the node said, or None.
    """

    def __init__(self, operation: str, status: int, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(operation, status, reason)
        self.retry_after_s = retry_after_s


class NotSupported(SignallingError):
    """The node has no such operation, being older or newer than it, or not (any more) what it is about (404).

    Attributes:
        since: the release of Pexip Infinity that has the operation first.
    """

    def __init__(self, operation: str, status: int, reason: str, *, since: int) -> None:
        super().__init__(operation, status, reason)
        self.since = since

    def __str__(self) -> str:
        return f"{super().__str__()}: nodes have it from release {self.since} on, or what it is about is not there"


class NodeError(SignallingError):
    """The node failed (5xx), is in maintenance, or answered with something that is no answer."""


class TransportError(PexrtcError):
    """No connection to the node: name, route, TLS or time."""


class RemoteProtocolError(PexrtcError):
    """The peer sent what the protocol does not allow."""


class SdpError(RemoteProtocolError):
    """A session description cannot be used.

    Attributes:
        line: number of the offending line, from 1; 0 when the whole is meant.
    """

    def __init__(self, reason: str, *, line: int = 0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.line = line

    def __str__(self) -> str:
        return (
            f"session description, line {self.line}: {self.reason}"
            if self.line
            else f"session description: {self.reason}"
        )


class MediaError(PexrtcError):
    """The media of a call failed."""


class IceFailed(MediaError):
    """No path for media was found, or the one found is gone."""


class DtlsFailed(MediaError):
    """Media has a path and the DTLS handshake failed on it."""


class NoMedia(MediaError):
    """The call is connected and no packet arrives."""


class CodecMismatch(MediaError):
    """Both sides have no codec in common."""


class SourceError(PexrtcError):
    """A source of media cannot be opened, or failed in the middle; the message names it."""


class WriteError(PexrtcError):
    """A recording's target failed: disk full, gone, or not permitted; what was written is kept."""


class SessionClosed(PexrtcError):
    """The session in the conference has ended.

    Attributes:
        reason: why, in the node's words where it gave any.
        by_us: whether our side ended it.
    """

    def __init__(self, reason: str, *, by_us: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.by_us = by_us


class SessionClosedOK(SessionClosed):
    """Ended well: released by us, or the conference is over."""


class SessionClosedError(SessionClosed):
    """Removed from the conference, or lost beyond the limits of rejoining."""
