"""What a session is opened with."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ..errors import UsageError
from ..protocol.events import Refer
from .tls import HttpConfig

__all__ = ["SessionConfig"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionConfig:
    """Where to go, as whom, and within what limits.

    Raises:
        UsageError: a PIN that no header can carry.
    """

    node_url: str
    """`https://host[:port]` of the node."""
    alias: str
    """Alias of the conference."""
    fallback_urls: tuple[str, ...] = ()
    """Nodes to try, in this order, when the first cannot be reached or is not well."""
    display_name: str = "pexrtc_py"
    """The name others see."""
    pin: str | None = field(default=None, repr=False)
    """PIN of the Host or the guest; None goes in as a guest where guests need none."""
    call_tag: str | None = None
    """A mark that others see in the participant list."""
    conference_extension: str | None = None
    """Where to go from a Virtual Reception."""
    one_time_token: str | None = field(default=None, repr=False)
    """Token of a transfer."""
    http: HttpConfig = field(default_factory=HttpConfig)
    """How to reach the node."""
    event_bound: int = 10_000
    """Events a reader may fall behind; one sync of a large conference has thousands."""
    silence_s: float = 60.0
    """Silence of the event stream after which a refresh checks the node."""
    release_s: float = 2.0
    """Longest time to give the token back."""

    def __post_init__(self) -> None:
        for name, value in (("PIN", self.pin), ("one-time token", self.one_time_token)):
            if value is not None and not (value.isascii() and value.isprintable()):
                raise UsageError(f"{name}: has characters that cannot be sent")

    def after(self, refer: Refer) -> SessionConfig:
        """Make the configuration of the session that a transfer leads to: the one-time token stands for any PIN."""
        token = refer.token if refer.token and refer.token.isascii() and refer.token.isprintable() else None
        return replace(self, alias=refer.alias, one_time_token=token, pin=None, conference_extension=None)
