"""How a job gets into its conference, and how it waits for others there."""

from __future__ import annotations

from pathlib import Path

from ..endpoint.conference import BOT_TAG, RECORDER_TAG, is_bot, open_conference
from ..errors import UsageError
from ..signalling import HttpConfig, Session, SessionConfig, find_destination
from ..signalling.finding import Resolver, query_dns
from ..webrtc.peer import PeerConfig
from .entries import Job, RecordJobEntry

__all__ = ["peer_of", "session_of", "somebody_is_there"]


async def session_of(job: Job, *, resolve: Resolver = query_dns) -> SessionConfig:
    """Describe the participant of a job. Cancelling is safe.

    Args:
        job: as the file has it.
        resolve: looks up SRV records.

    Raises:
        UsageError: it leads nowhere, or the PIN cannot be read.
        TransportError: no resolver answered.
    """
    found = await find_destination(job.alias, node_url=job.node, resolve=resolve)
    return SessionConfig(
        node_url=found.node_urls[0],
        fallback_urls=found.node_urls[1:],
        alias=found.alias,
        display_name=job.name,
        pin=_pin(job.pin_file),
        conference_extension=job.extension or found.extension,
        call_tag=RECORDER_TAG if isinstance(job, RecordJobEntry) else BOT_TAG,
        http=HttpConfig(ca_file=Path(job.ca_file) if job.ca_file else None, proxy=job.proxy, insecure=job.insecure),
    )


def _pin(pin_file: str | None) -> str | None:
    if pin_file is None:
        return None
    try:
        lines = Path(pin_file).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as exc:
        raise UsageError(f"pin_file {pin_file}: {getattr(exc, 'strerror', None) or 'no text'}") from exc
    return lines[0].strip() if lines else None


async def somebody_is_there(config: SessionConfig) -> None:
    """Be in the conference without media until another person is. Cancelling leaves."""

    def is_met(session: Session) -> bool:
        me = session.participant_uuid
        return any(uuid != me and not is_bot(person) for uuid, person in session.roster.participants.items())

    async with open_conference(config) as conference:
        await conference.session.wait_in_conference()
        await conference.session.wait_for(is_met)


def peer_of(job: Job) -> PeerConfig:
    """Describe the media transport of a job."""
    return PeerConfig(addresses=job.media_addresses, ports=job.media_ports)
