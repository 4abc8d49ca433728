"""How commands join: the participant that the shared options describe, and the nodes that can be asked for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from ..endpoint.conference import BOT_TAG, RECORDER_TAG
from ..errors import UsageError
from ..protocol.joinlink import JoinLink, parse_join_link
from ..signalling import HttpConfig, SessionConfig, find_destination
from ..signalling.finding import Resolver, query_dns
from ..webrtc.peer import PeerConfig
from .options import read_pin, read_ports

__all__ = ["RECORDER_TAG", "WayIn", "find_session", "is_bare_node", "peer_config", "session_config"]

_LINKS = ("http", "https", "pexip")


@dataclass(frozen=True, slots=True, kw_only=True)
class WayIn:
    """What the shared options say about getting into a conference."""

    node: str | None = None
    """`--node`: address of a node, or a join link."""
    pin_file: Path | None = None
    """`--pin-file`."""
    extension: str | None = None
    """`--extension`: where to go from a Virtual Reception."""
    ca_file: Path | None = None
    """`--ca-file`."""
    proxy: str | None = None
    """`--proxy`."""
    insecure: bool = False
    """`--insecure`."""

    @property
    def http(self) -> HttpConfig:
        """How to reach the node."""
        return HttpConfig(ca_file=self.ca_file, proxy=self.proxy, insecure=self.insecure)


async def find_session(
    alias: str, way: WayIn, *, name: str, tag: str = BOT_TAG, resolve: Resolver = query_dns
) -> SessionConfig:
    """Describe the participant that joins, asking DNS for the nodes where none is named. Cancelling is safe.

    A join link as ALIAS that names its node is followed there, whatever `--node` says; it may be the default of an
    environment. A join link as `--node` gives its node, and its PIN and extension too when it is of the same alias.

    Args:
        alias: an alias, an alias with its domain, or a join link.
        way: what the options say.
        name: the display name.
        tag: the mark in the participant list; one of ours begins with `BOT_TAG`.
        resolve: looks up SRV records.

    Raises:
        UsageError: it leads nowhere, or the PIN cannot be read.
        TransportError: no resolver answered.
    """
    node_url, link_pin, extension = None, None, way.extension
    is_link = _split(alias).scheme in _LINKS
    if way.node is not None and not (is_link and parse_join_link(alias).node_url is not None):
        node_url = way.node
        if not is_bare_node(way.node):
            link = _link_as_node(way.node)
            node_url = link.node_url
            if link.alias == alias:
                link_pin, extension = link.pin, extension or link.extension
    if node_url is None and not is_link and "@" not in alias:
        raise UsageError(
            f"no node known for {alias!r}: give --node URL, or PEXRTC_NODE, or an alias with its domain, or a join link"
        )
    if node_url is not None:
        _check_address(node_url)
    found = await find_destination(alias, node_url=node_url, resolve=resolve)
    return SessionConfig(
        node_url=found.node_urls[0],
        fallback_urls=found.node_urls[1:],
        alias=found.alias,
        display_name=name,
        pin=read_pin(way.pin_file) or found.pin or link_pin,
        conference_extension=extension or found.extension,
        call_tag=tag,
        http=way.http,
    )


def session_config(
    node_url: str, alias: str, *, name: str, pin_file: Path | None, insecure: bool = False
) -> SessionConfig:
    """Describe the participant that joins at a node whose address is known.

    Raises:
        UsageError: the URL is none, or the PIN cannot be read.
    """
    _check_address(node_url)
    return SessionConfig(
        node_url=node_url,
        alias=alias,
        display_name=name,
        pin=read_pin(pin_file),
        call_tag=BOT_TAG,
        http=HttpConfig(insecure=insecure),
    )


def peer_config(media_addresses: list[str] | None, media_ports: str | None = None) -> PeerConfig:
    """Describe the media transport; without addresses the endpoint chooses those that fit the node.

    Raises:
        UsageError: the ports are no range.
    """
    return PeerConfig(addresses=tuple(media_addresses or ()), ports=read_ports(media_ports))


def is_bare_node(node: str) -> bool:
    """Whether this is the address of a node and nothing more."""
    parts = _split(node)
    return parts.scheme not in _LINKS or (
        parts.scheme != "pexip" and not (parts.path.strip("/") or parts.query or parts.fragment)
    )


def _split(text: str) -> SplitResult:
    """Take a URL apart; what is none has no scheme."""
    try:
        return urlsplit(text)
    except ValueError:
        return SplitResult("", "", text, "", "")


def _link_as_node(text: str) -> JoinLink:
    link = parse_join_link(text)
    if link.node_url is None:
        raise UsageError("--node: this join link names no node")
    return link


def _check_address(node_url: str) -> None:
    parts = _split(node_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        instead = f"https://{node_url} or http://{node_url}" if _names_host(node_url) else "https://node.example.com"
        raise UsageError(f"--node {node_url}: say {instead}")


def _names_host(text: str) -> bool:
    """Whether only the scheme is missing: `127.0.0.1:8080`."""
    return "://" not in text and _split(f"https://{text}").hostname is not None
