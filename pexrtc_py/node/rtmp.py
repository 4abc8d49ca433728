"""RTMP calls of a conference: a publisher that comes in, and the conference sent to a server.

`RtmpPublisher` is one who sends: its sound goes into the mix and its picture on the stage, as those of any call, but it
sees and hears nothing (FFmpeg's server takes publishers only). `RtmpStream` is one who watches: it hears the mix and is
shown what a participant is shown, the presentation mixed in unless that has a stream of its own. FFmpeg works in a
child for each connection; when it ends the call is lost, and whoever owns the call closes it then.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time as clocks
from collections.abc import Callable

from msgspec.structs import replace

from ..errors import MediaError
from ..media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from ..webrtc.sender_replay import GroupReplay
from .conference_media_call import Boards
from .conference_media_pictures import Source
from .forwarding import Outlet
from .media_port import StreamOffer
from .rtmp_child import RtmpChild

__all__ = ["RtmpPublisher", "RtmpStream"]

logger = logging.getLogger(__name__)

ACCEPT_S = 60.0
"""How long a publisher has to come after its call was answered."""
CONNECT_S = 15.0
"""How long a server has to take a stream."""
NOBODY_CAME = "No RTMP publisher connected"
STREAM_ENDED = "RTMP stream ended"
# The timeline of a publisher follows its earliest frames, and forgets them this fast: clocks are not so far apart.
_FORGET_S_PER_S = 200e-6
# Between two replays: many who come in at once need only one.
_REPLAY_INTERVAL_S = 0.3
# Sound goes into the mix as one; pictures in either of these, a child decodes both.
_PICTURE_CODECS = (Codec.H264, Codec.VP8)


class RtmpPublisher:
    """One who publishes into the conference. Driven by its child.

    Args:
        offer: whose call it is.
        boards: what sound and picture are joined to.
        address: local address to listen on.
        ports: first and last port to listen on; None leaves it to the kernel.
        on_lost: told why it has ended without us.
    """

    def __init__(
        self,
        offer: StreamOffer,
        boards: Boards,
        *,
        address: str,
        ports: tuple[int, int] | None,
        on_lost: Callable[[str], None],
    ) -> None:
        self.participant = offer.participant
        self._offer = offer
        self._boards = boards
        self._on_lost = on_lost
        port = _free_port(address, ports)
        path = f"pexip/{offer.call}"
        host = offer.host or address
        self.url = f"rtmp://{f'[{host}]' if ':' in host else host}:{port}/{path}"
        listen = f"rtmp://{f'[{address}]' if ':' in address else address}:{port}/{path}"
        self._child = RtmpChild("listen", listen, f"{ACCEPT_S:g}", on_item=self._take, on_end=self._end)
        self._listening = asyncio.Event()
        self._is_connected = self._is_prepared = False
        self._pictures: GroupReplay | None = None
        self._asked_at = float("-inf")
        self._voice: Tap | None = None
        self._source: Source | None = None
        self._base: float | None = None
        self._based_at = 0.0
        self._closed = False

    async def start(self) -> str:
        """Listen; returns the URL to publish to. When cancelled nothing is left.

        Raises:
            MediaError: the child does not start.
        """
        await _start(self._child, self._listening)
        self._voice = self._boards.sound.add_input(self.participant)
        if self._offer.has_video:
            self._source = self._boards.stage.publish(
                self.participant, self._ask_for_key_frame, lambda bps: self._ask(f"bitrate {bps}")
            )
            self._pictures = GroupReplay(self._source.feed)
        return self.url

    async def aclose(self) -> None:
        """Leave the conference and hang up. Idempotent."""
        self._closed = True
        if self._voice is not None:
            self._boards.sound.remove_input(self.participant, self._voice)
            self._voice = None
        source, self._source = self._source, None
        try:
            if source is not None:
                await self._boards.stage.unpublish(self.participant, source)
        finally:
            await self._child.aclose()

    def _take(self, item: EncodedFrame | str) -> None:
        if self._closed:
            return
        if isinstance(item, str):
            logger.debug("= rtmp call %s is %s", self._offer.call, item)
            self._is_connected = item == "connected"
            self._is_prepared = self._is_prepared or item == "prepared"
            self._listening.set()
            return
        frame = self._placed(item)
        if frame.kind is Kind.VIDEO and self._pictures is not None:
            self._pictures.push(frame)
        elif frame.kind is Kind.AUDIO and self._voice is not None:
            self._voice.push(frame)

    def _ask_for_key_frame(self) -> None:
        """Ask the child for one; pictures that are passed as they come begin again at their last key frame instead."""
        now = clocks.monotonic()
        if now - self._asked_at < _REPLAY_INTERVAL_S:
            return
        self._asked_at = now
        if self._is_prepared and self._pictures is not None:
            self._pictures.replay()
        else:
            self._ask("key")

    def _ask(self, what: str) -> None:
        self._child.send(f"{what}\n".encode())

    def _placed(self, frame: EncodedFrame) -> EncodedFrame:
        """Put a frame on the call's timeline, by the earliest of all that came."""
        now = clocks.monotonic()
        base = now - frame.time
        if self._base is not None:
            base = min(base, self._base + (now - self._based_at) * _FORGET_S_PER_S)
        self._base, self._based_at = base, now
        return replace(frame, time=frame.time + base, arrival=now)

    def _end(self, reason: str) -> None:
        if reason:
            logger.info("! rtmp call %s: %s", self._offer.call, reason)
        self._listening.set()
        self._on_lost(STREAM_ENDED if self._is_connected else NOBODY_CAME)


class RtmpStream:
    """The conference as a stream to a server. Driven by its children.

    Args:
        offer: whose place it takes in the conference, and where to send what.
        boards: where sound and picture come from.
        on_lost: told why it has ended without us.
    """

    def __init__(self, offer: StreamOffer, boards: Boards, *, on_lost: Callable[[str], None]) -> None:
        self.participant = offer.participant
        self._offer = offer
        self._boards = boards
        self._on_lost = on_lost
        self._legs = [_Leg(offer.url, "audio+video", self._fail)]
        if offer.slides_url:
            self._legs.append(_Leg(offer.slides_url, "video", self._fail))
        self._reason = ""
        self._started = self._closed = False

    async def start(self) -> None:
        """Connect, and send from then on. When cancelled nothing is left.

        Raises:
            MediaError: the server does not take it.
        """
        try:
            for leg in self._legs:
                await _start(leg.child, leg.ready)
                if self._reason or not leg.is_connected:
                    raise MediaError(self._reason or "rtmp server does not answer")
        except BaseException:
            await asyncio.shield(self.aclose())
            raise
        self._started = True
        main, *slides = self._legs
        self._boards.sound.add_output(self.participant, Codec.OPUS, main)
        key = (self._offer.call, "main")
        if not slides:
            self._boards.stage.mark(key)
        if self._offer.has_video:
            self._boards.stage.watch(key, self.participant, main.outlet)
        for leg in slides:
            self._boards.slides.watch((self._offer.call, "slides"), self.participant, leg.outlet)

    async def aclose(self) -> None:
        """Leave the conference and end the streams. Idempotent."""
        self._closed = True
        self._boards.sound.remove_output(self.participant, self._legs[0])
        self._boards.stage.unwatch((self._offer.call, "main"))
        self._boards.slides.unwatch((self._offer.call, "slides"))
        for leg in self._legs:
            leg.outlet.close()
        for leg in self._legs:
            await leg.child.aclose()

    def _fail(self, reason: str) -> None:
        self._reason = self._reason or reason or "rtmp server hung up"
        logger.info("! rtmp stream %s: %s", self._offer.call, self._reason)
        if self._started and not self._closed:
            self._closed = True
            self._on_lost(STREAM_ENDED)


class _Leg:
    """One stream to a server: a tap of sound and pictures. When its child is behind it drops up to a key frame."""

    def __init__(self, url: str, kinds: str, on_end: Callable[[str], None]) -> None:
        self.child = RtmpChild("push", url, kinds, on_item=self._hear, on_end=self._end)
        self.ready = asyncio.Event()
        self.is_connected = False
        self.outlet = Outlet(self, codecs=_PICTURE_CODECS, name="rtmp stream")
        self._on_end = on_end
        self._behind = False

    def push(self, item: EncodedFrame | Gap) -> None:
        """See `Tap.push`."""
        if isinstance(item, Gap):
            return
        if self._behind and item.kind is Kind.VIDEO and not item.key:
            return
        had_room = self.child.push(item)
        if item.kind is Kind.VIDEO:
            if not had_room and not self._behind:
                logger.debug("! rtmp server is behind: pictures are dropped")
                self.outlet.request_key_frame()
            self._behind = not had_room

    def end(self) -> None:
        """See `Tap.end`; the stream outlives what is shown on it."""

    def _hear(self, item: EncodedFrame | str) -> None:
        if item == "connected":
            self.is_connected = True
            self.ready.set()
        elif item == "key":
            self.outlet.request_key_frame()

    def _end(self, reason: str) -> None:
        self.ready.set()
        self._on_end(reason)


async def _start(child: RtmpChild, ready: asyncio.Event) -> None:
    """Start a child and wait until it says that it is ready, or has ended."""
    try:
        await child.start()
        async with asyncio.timeout(CONNECT_S):
            await ready.wait()
    except (OSError, TimeoutError) as exc:
        await child.aclose()
        raise MediaError(f"rtmp: {exc}" if str(exc) else "rtmp: no answer") from exc
    except asyncio.CancelledError:
        await asyncio.shield(child.aclose())
        raise


def _free_port(address: str, ports: tuple[int, int] | None) -> int:
    """Return a port that is free now; between this and the child's taking it another may, and the call fails then."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in (0,) if ports is None else range(ports[0], ports[1] + 1):
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                continue
            taken: int = probe.getsockname()[1]
            return taken
    raise MediaError("no free port for RTMP")
