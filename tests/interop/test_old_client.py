"""The web client of 2016 to 2020, by what it asked: replayed by a script of ours on the connections of a browser."""

from __future__ import annotations

import asyncio
import re

from pexrtc_py.node import Node
from tests.interop.browser import BROWSER_HZ, BROWSER_MARKS, Browser, client_pages
from tests.interop.conftest import Bundle
from tests.interop.ours import our_endpoint, our_presentation

ALIAS = "meet.alice"
OUR_HZ, OUR_MARKS, SLIDES_MARKS = 1000, range(1_000_000, 1_010_000), range(2_000_000, 2_010_000)


async def test_separate_calls_with_candidates_in_the_offer(old_client: Bundle, browser: Browser) -> None:
    """Main, sending and receiving slides are calls of their own; known sound and pictures pass in each."""
    async with (
        asyncio.timeout(50),
        Node(add_pages=client_pages(old_client.page, old_client.script)) as node,
        our_endpoint(node.url, ALIAS, hz=OUR_HZ, first_id=OUR_MARKS.start) as ours,
    ):
        old = await browser.old_client(node.url, "Old")
        await old.evaluate(f"endpoint.join({{ alias: '{ALIAS}', name: 'Old' }})")
        await old.event("participant_sync_end")
        offer = await old.evaluate("endpoint.call()")
        assert "a=candidate" in offer
        assert "H264/90000" not in offer
        formats = re.findall(r"a=fmtp:(\d+) level-asymmetry-allowed", offer)
        assert formats  # lines without a=rtpmap, of payload types that are still in m=
        await old.hears(OUR_HZ)
        await old.hears_no(BROWSER_HZ)
        await old.sees(OUR_MARKS)
        await ours.ear.hears(BROWSER_HZ)
        await ours.eye.sees(BROWSER_MARKS)

        assert "a=content:slides" in await old.evaluate("endpoint.present()")
        await ours.conference.session.wait_for(lambda s: ours.conference.presentation is not None)
        await ours.watch_presentation()
        await ours.slides.until(lambda: ours.slides.decoded > 5 and ours.slides.is_green)
        async with our_presentation(ours, first_id=SLIDES_MARKS.start):
            stolen = await old.evaluate("endpoint.uuidOf('slides')")
            await old.event("call_disconnected", f"detail.call_uuid === '{stolen}'")
            await old.event("presentation_start", "detail.presenter_name === 'Ours'")
            await old.evaluate("endpoint.receive()")
            await old.sees(SLIDES_MARKS, "slides")
            await old.evaluate("endpoint.hangUp('received')")
        await old.event("presentation_stop")

        before = ours.slides.decoded
        await old.evaluate("endpoint.present()")
        await ours.slides.until(lambda: ours.slides.decoded > before + 5 and ours.slides.is_green)
        await old.evaluate("endpoint.hangUp('slides')")
        await ours.conference.session.wait_for(lambda s: ours.conference.presentation is None)
        await old.hears(OUR_HZ)

        await old.evaluate("endpoint.hangUp('main')")
        await ours.ear.hears_no(BROWSER_HZ)
        assert await old.evaluate("endpoint.leave()") is True
        await ours.roster_has("Ours")
    assert await old.errors() == []
    assert old.refused == []
