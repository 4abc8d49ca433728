"""How jobs of a fleet find their conference, and as what they appear there."""

from __future__ import annotations

import pytest

from pexrtc_py.endpoint.conference import BOT_TAG, RECORDER_TAG
from pexrtc_py.fleet.entries import ProbeJob, RecordJobEntry
from pexrtc_py.fleet.joining import session_of
from pexrtc_py.signalling.finding import ServiceRecord


@pytest.mark.parametrize(("kind", "tag"), [(RecordJobEntry, RECORDER_TAG), (ProbeJob, BOT_TAG)])
async def test_a_join_link_says_where(kind: type[RecordJobEntry | ProbeJob], tag: str) -> None:
    """It names node, alias and extension; recorders are marked as such."""
    session = await session_of(kind(alias="https://node.example.com/webapp3/m/meet.alice?extension=42"))
    assert (session.node_url, session.alias) == ("https://node.example.com", "meet.alice")
    assert session.conference_extension == "42"
    assert session.call_tag == tag


async def test_a_domain_names_its_nodes() -> None:
    """An alias with a domain is looked up (SRV), the first node is tried first, and the others stand in for it."""

    async def resolve(name: str) -> list[ServiceRecord]:
        assert name == "_pexapp._tcp.example.com"
        return [
            ServiceRecord(priority=20, weight=0, port=443, target="second.example.com"),
            ServiceRecord(priority=10, weight=0, port=443, target="first.example.com"),
        ]

    session = await session_of(RecordJobEntry(alias="meet.alice@example.com"), resolve=resolve)
    assert session.node_url == "https://first.example.com"
    assert session.fallback_urls == ("https://second.example.com",)
    assert session.alias == "meet.alice@example.com"
