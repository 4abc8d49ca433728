"""Generated, composed, spoken and listed sources: what another participant hears and sees of each."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

import pexrtc_py
from pexrtc_py import EncodedFrame, Kind, Node
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Listener, listening
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.announcer.side_by_side import open_all
from pexrtc_py.media.comparison import luma_plane
from pexrtc_py.media.decoding import VideoDecoding

from .hearing import babble, heard, missing_ends, session, write_wav


def pitches(listener: Listener) -> set[int]:
    """Return the pitches of what was heard, to 10 Hz: those within 20 dB of the strongest."""
    wave = heard(listener).astype(np.float64)
    loud = np.flatnonzero(np.abs(wave) > 0.2 * np.abs(wave).max())
    middle = wave[loud[0] : loud[-1]]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    hertz = np.fft.rfftfreq(len(middle), 1 / 48000)
    return {10 * round(float(at) / 10) for at in hertz[spectrum > 0.1 * spectrum.max()]}


def brightness(listener: Listener) -> list[float]:
    """Return how bright each picture was that was seen."""
    decoding = VideoDecoding()
    items = [item for item in listener.kept[Kind.VIDEO].items if isinstance(item, EncodedFrame)]
    return [float(luma_plane(picture.frame).mean()) for item in items for picture in decoding.feed(item)]


@pytest.mark.slow
async def test_each_is_heard_and_seen_at_the_far_side(tmp_path: Path) -> None:
    """A tone, two mixed, a list, a pattern, black, a fade: in conferences side by side, each as it was written."""
    for name, seed in (("a", 3), ("b", 4)):
        write_wav(tmp_path / f"{name}.wav", babble(0.7, seed=seed))
    (tmp_path / "list.m3u").write_text("a.wav\nb.wav\n")
    sources = {
        "tone": "for:1:tone:440",
        "mix": "for:1:mix:tone:440|tone:880",
        "list": f"{tmp_path}/list.m3u",
        "pattern": "for:1:pattern:320x180@10",
        "black": "for:1:black:320x180",
        "fade": "fade:0.5:for:1:tone:440",
    }
    how = Readiness(cache=tmp_path / "cache")
    ears: dict[str, Listener] = {}

    async def one(node: Node, alias: str, ear: Listener | pexrtc_py.PexrtcError) -> None:
        assert isinstance(ear, Listener)
        main = await announcement_of_sources([sources[alias]], how=how)
        async with open_podiums([session(node, alias, "Announcer")], main) as [podium]:
            assert isinstance(podium, Podium)
            [played] = await broadcast([podium], main)
        assert played.ended == "finished"
        await ear.hear_out()
        ears[alias] = ear

    async with Node() as node:
        makers = [lambda alias=alias: listening(session(node, alias)) for alias in sources]
        async with open_all(makers) as listeners, asyncio.TaskGroup() as group:
            for alias, ear in zip(sources, listeners, strict=True):
                group.create_task(one(node, alias, ear))
    assert pitches(ears["tone"]) == {440}
    assert pitches(ears["mix"]) == {440, 880}
    assert missing_ends(np.concatenate([babble(0.7, seed=3), babble(0.7, seed=4)]), heard(ears["list"])) == (0, 0)
    assert len(brightness(ears["pattern"])) >= 9
    assert min(brightness(ears["pattern"])) > 60
    assert max(brightness(ears["black"])) < 20
    assert pitches(ears["fade"]) == {440}
