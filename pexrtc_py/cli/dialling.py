"""Dialling out of our node: conferences of its own and of other nodes, by an endpoint of ours in between."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from ..endpoint.bridge import bridge
from ..endpoint.conference import BOT_TAG
from ..errors import ConferenceNotFound
from ..node.dialling import DialJob
from ..signalling import SessionConfig

__all__ = ["dial"]


async def dial(job: DialJob) -> None:
    """Call the destination and stay between it and the conference until the leg ends. Cancelling hangs up.

    A destination is an alias of this node, or `https://node/alias` and `alias@node` of another.

    Raises:
        PexrtcError: the destination cannot be reached, or refused.
    """
    request = job.request
    # On a node where any alias comes to life, a URL would too: what names another node goes there.
    is_own = job.is_own and "://" not in request.destination
    node_url, alias = (job.node_url, request.destination) if is_own else _elsewhere(request.destination)
    called = SessionConfig(
        node_url=node_url, alias=alias, display_name=request.source_display_name or job.alias, call_tag=BOT_TAG
    )
    calling = SessionConfig(
        node_url=job.node_url,
        alias=job.alias,
        display_name=request.remote_display_name or request.destination,
        one_time_token=job.token,
        call_tag=BOT_TAG,
    )
    await bridge(called, calling, dtmf_sequence=request.dtmf_sequence)


def _elsewhere(destination: str) -> tuple[str, str]:
    """Return node and alias of `https://node/alias` or `alias@node`."""
    parts = urlsplit(destination)
    if parts.scheme in ("http", "https") and parts.hostname and parts.path.strip("/"):
        return f"{parts.scheme}://{parts.netloc}", parts.path.strip("/")
    alias, at, host = destination.rpartition("@")
    if at and alias and host:
        return f"https://{quote(host, safe=':.[]')}", alias
    raise ConferenceNotFound("dial", 404, f"{destination!r} names no conference and no node")
