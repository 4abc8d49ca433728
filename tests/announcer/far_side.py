"""What another participant got of an announcement, decoded: sound by its frequencies and levels, pictures by pixels."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from pexrtc_py import EncodedFrame, Kind, Node, PexrtcError
from pexrtc_py.announcer.broadcast import broadcast
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.podium import Podium, open_podiums
from pexrtc_py.announcer.proof import Listener, listening
from pexrtc_py.announcer.side_by_side import open_all
from pexrtc_py.media.decoding import Picture, VideoDecoding
from pexrtc_py.media.marks_reading import MarkReader
from tests.media.sources.looking import colour, level_db, luma

from .hearing import Wave, heard, session

__all__ = ["FarSide", "announced_each", "ears_in", "web_server"]

Colour = tuple[int, int, int]


class FarSide:
    """All that a listener got, decoded once."""

    def __init__(self, listener: Listener) -> None:
        self.sound: Wave = heard(listener)
        """All that was heard."""
        decoding = VideoDecoding()
        items = listener.kept[Kind.VIDEO].items
        self.pictures: list[Picture] = [
            picture for item in items if isinstance(item, EncodedFrame) for picture in decoding.feed(item)
        ]
        """All that was seen."""

    @property
    def loud(self) -> Wave:
        """What was heard, from where it is loud first to where it is last."""
        places = np.flatnonzero(np.abs(self.sound.astype(np.int32)) > 0.2 * np.abs(self.sound.astype(np.int32)).max())
        return self.sound[places[0] : places[-1]]

    @property
    def pitches(self) -> set[int]:
        """The pitches of what was loud, to 10 Hz: those within 20 dB of the strongest."""
        return pitches(self.loud)

    @property
    def level_db(self) -> float:
        """How loud what was loud is, RMS, dBFS; without the moments in which it begins and ends."""
        return level_db(self.loud[4800:-4800, None])

    def colours(self, x: float = 0.5, y: float = 0.5) -> list[Colour]:
        """Return red, green and blue at a place of each picture, given in parts of its sides."""
        return [colour(picture.frame, x, y) for picture in self.pictures]

    @property
    def brightness(self) -> list[float]:
        """The mean luma of each picture."""
        return [float(luma(picture.frame).mean()) for picture in self.pictures]

    def marks(self) -> list[int]:
        """Return the numbers in the marks of the pictures, in the order in which they came."""
        frame = self.pictures[0].frame
        reader = MarkReader(frame.width, frame.height)
        sightings = [reader.read(luma(picture.frame)) for picture in self.pictures]
        return [sighting.mark.frame_id for sighting in sightings if sighting is not None]


def pitches(sound: Wave) -> set[int]:
    """Return the pitches of sound, to 10 Hz: those within 20 dB of the strongest."""
    spectrum = np.abs(np.fft.rfft(sound.astype(np.float64) * np.hanning(len(sound))))
    hertz = np.fft.rfftfreq(len(sound), 1 / 48000)
    return {10 * round(float(at) / 10) for at in hertz[spectrum > 0.1 * spectrum.max()]}


@asynccontextmanager
async def ears_in(node: Node | str, aliases: list[str]) -> AsyncIterator[dict[str, Listener]]:
    """Listen in conferences side by side."""
    async with open_all([partial(listening, session(node, alias)) for alias in aliases]) as ears:
        found: dict[str, Listener] = {}
        for alias, ear in zip(aliases, ears, strict=True):
            if isinstance(ear, PexrtcError):
                raise ear
            found[alias] = ear
        yield found


async def announced_each(makers: Mapping[str, Callable[[], Awaitable[Announcement]]]) -> dict[str, FarSide]:
    """Announce each into a conference of its own, all at the same time; return what another participant got there."""

    async def one(node: Node, alias: str, ear: Listener) -> None:
        main = await makers[alias]()
        async with open_podiums([session(node, alias, "Announcer")], main) as [podium]:
            assert isinstance(podium, Podium), podium
            [played] = await broadcast([podium], main)
        assert played.ended == "finished", alias
        assert played.acknowledged, alias
        assert sum(played.packets.values()) > 0, alias
        await ear.hear_out()

    async with Node() as node, ears_in(node, list(makers)) as ears, asyncio.TaskGroup() as group:
        for alias, ear in ears.items():
            group.create_task(one(node, alias, ear))
    return {alias: FarSide(ear) for alias, ear in ears.items()}


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name


@contextmanager
def web_server(folder: Path) -> Iterator[str]:
    """Serve a folder on this machine; yields the address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="pexrtc-test-http")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
