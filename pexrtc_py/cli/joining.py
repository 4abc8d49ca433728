"""How commands join: the participant that the shared options describe."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from ..endpoint.conference import BOT_TAG
from ..errors import UsageError
from ..signalling import HttpConfig, SessionConfig
from ..webrtc.peer import PeerConfig
from .options import read_pin

__all__ = ["peer_config", "session_config"]


def session_config(
    node_url: str, alias: str, *, name: str, pin_file: Path | None, insecure: bool = False
) -> SessionConfig:
    """Describe the participant that joins.

    Raises:
        UsageError: the URL is none, or the PIN cannot be read.
    """
    parts = urlsplit(node_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"--node {node_url}: say https://node.example.com")
    return SessionConfig(
        node_url=node_url,
        alias=alias,
        display_name=name,
        pin=read_pin(pin_file),
        call_tag=BOT_TAG,
        http=HttpConfig(insecure=insecure),
    )


def peer_config(media_addresses: list[str] | None) -> PeerConfig:
    """Describe the media transport; without addresses the endpoint chooses those that fit the node."""
    return PeerConfig(addresses=tuple(media_addresses or ()))
