"""How a node is set up, in code or by its TOML file.

    version = "37"

    [conferences."meet.alice"]
    pin = "1234"
    guest_pin = "5678"

Every key of the file is a field of `NodeFile`; every key of a conference one of `RoomSettings`. An unknown key is an
error: a misspelt `pin` must not leave a conference open.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import msgspec

from ..errors import UsageError
from ..protocol.models import StunServer, TurnServer
from ..protocol.room_settings import RoomSettings
from ..service.http_serving import BODY_S, IDLE_S
from ..webrtc.impairment import Impairment, TwoWayImpairment

__all__ = ["NodeConfig", "NodeFile", "load_node_file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """Settings of a node."""

    listen: tuple[str, int] = ("127.0.0.1", 0)
    """Address and port of HTTP; port 0 takes a free one."""
    tls_cert: Path | None = None
    """Certificate chain, PEM; together with `tls_key`."""
    tls_key: Path | None = None
    """Key of the certificate, PEM."""
    self_signed: bool = False
    """Whether to make a certificate for this run."""
    media_addresses: tuple[str, ...] = ()
    """Local addresses of media; empty: the one of HTTP when that is loopback, else all of the host."""
    media_ports: tuple[int, int] | None = None
    """First and last UDP port of media; None leaves it to the kernel."""
    impairment: Impairment | TwoWayImpairment | None = None
    """A bad network before each client, for tests and demonstrations: one for both directions, or each by itself."""
    rtmp_ports: tuple[int, int] | None = None
    """First and last TCP port of RTMP publishers, one for each call; None leaves it to the kernel."""
    conferences: Mapping[str, RoomSettings] = field(default_factory=lambda: MappingProxyType({}))
    """The conferences there are, by alias."""
    open: bool | None = None
    """Whether any other alias comes to life when somebody joins it; None: only on loopback."""
    version: str = "37"
    """The release the node says it is; operations of later ones answer 404."""
    pseudo_version: str = "37.0.0"
    """The build it says it is."""
    token_lifetime_s: float = 120.0
    """How long a token lives unless refreshed; real nodes have 120."""
    token_grace_s: float = 20.0
    """How long a token still works after it was refreshed."""
    stun: tuple[StunServer, ...] = ()
    """STUN servers told to clients."""
    turn: tuple[TurnServer, ...] = ()
    """TURN servers told to clients."""
    use_relay_candidates_only: bool = False
    """Whether clients are told to send media through the TURN servers only."""
    statistics_interval_ms: float | None = None
    """How often clients are asked for statistics, None for never."""
    participant_limit: int = 1000
    """Participants of the whole node at most."""
    conference_limit: int = 1000
    """Conferences at once at most: aliases may come to life by being asked for."""
    pin_tries: int = 5
    """Wrong PINs of one sender in `pin_window_s`: an IPv4 address, or a /64 of IPv6."""
    pin_window_s: float = 60.0
    """The time in which all those tries come back, in seconds."""
    request_burst: int = 500
    """Requests of one sender at once, as above."""
    requests_per_s: float = 100.0
    """Requests of one sender in the long run; a limit of our own, far above what clients do."""
    body_limit: int = 1024 * 1024
    """Bytes of a request body at most."""
    body_s: float = BODY_S
    """How long a request body may take, in seconds."""
    idle_s: float = IDLE_S
    """How long a connection may go without asking for anything, in seconds."""
    faults: bool = False
    """Whether there is a door to ask for faults by: `fault_injection`, on loopback."""

    def __post_init__(self) -> None:
        if (self.tls_cert is None) != (self.tls_key is None):
            raise UsageError("a TLS certificate and its key come together")
        if self.use_relay_candidates_only and not self.turn:
            raise UsageError("relayed media only, and no TURN server: nobody could be heard")
        if not self.version.isdigit():
            raise UsageError(f"version {self.version!r}: a release such as 37")

    @property
    def is_open(self) -> bool:
        """Whether any alias comes to life."""
        return self.is_loopback if self.open is None else self.open

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return _is_loopback(self.listen[0])


class NodeFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the TOML file may say."""

    version: str = "37"
    """The release the node says it is."""
    open: bool | None = None
    """Whether any other alias comes to life."""
    token_lifetime_s: float = 120.0
    """How long a token lives unless refreshed."""
    stun: tuple[StunServer, ...] = ()
    """STUN servers told to clients."""
    turn: tuple[TurnServer, ...] = ()
    """TURN servers told to clients."""
    use_relay_candidates_only: bool = False
    """Whether clients are told to send media through the TURN servers only."""
    conferences: dict[str, RoomSettings] = msgspec.field(default_factory=dict)
    """The conferences there are, by alias."""


def load_node_file(path: Path) -> NodeFile:
    """Read a node's TOML file.

    Raises:
        UsageError: it cannot be read, or says what it cannot mean; the message has the path of the key, never a PIN.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=NodeFile)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as exc:
        raise UsageError(f"{path}: {exc}") from exc


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
