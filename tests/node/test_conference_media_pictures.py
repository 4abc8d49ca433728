"""Who is shown to whom."""

from __future__ import annotations

from dataclasses import dataclass, field

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.node.conference_media_pictures import Slides, Source, Stage
from pexrtc_py.node.forwarding import Outlet
from pexrtc_py.protocol.models import ParticipantUuid

ADA, BEN, CLEO = (ParticipantUuid(name) for name in ("ada", "ben", "cleo"))


@dataclass
class Screen:
    """A tap that keeps what it shows."""

    shown: list[bytes] = field(default_factory=list)

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        self.shown.append(item.data)

    def end(self) -> None:
        pass


def picture(name: str, number: int) -> EncodedFrame:
    """A key frame that says whose it is."""
    return EncodedFrame(codec=Codec.VP8, data=name.encode(), rtp_time=3000 * number, time=number / 30, key=True)


class Cast:
    """Three participants who all publish and watch."""

    def __init__(self, board: Stage | Slides) -> None:
        self.board = board
        self.screens = {name: Screen() for name in (ADA, BEN, CLEO)}
        self.sources: dict[ParticipantUuid, Source] = {}
        self._number = 0
        board.set_admitted(frozenset(self.screens))
        for name, screen in self.screens.items():
            self.sources[name] = board.publish(name, lambda: None)
            board.watch(name, name, Outlet(screen, codecs=(Codec.VP8,), name=name))

    def send(self, *names: ParticipantUuid) -> None:
        """Let some send a picture."""
        self._number += 1
        for name in names:
            self.sources[name].feed.push(picture(name, self._number))

    def seen(self) -> list[bytes | None]:
        """What each saw last."""
        return [screen.shown[-1] if screen.shown else None for screen in self.screens.values()]


def test_everybody_sees_the_main_speaker_and_the_speaker_the_one_before() -> None:
    """Nobody sees itself; without an order whoever came first is shown."""
    stage = Stage()
    cast = Cast(stage)
    cast.send(ADA, BEN, CLEO)
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [b"ben", b"ada", b"ada"]
    stage.set_order([CLEO, ADA])
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [b"cleo", b"cleo", b"ada"]


async def test_who_leaves_or_is_not_admitted_is_not_shown() -> None:
    """The next one takes its place; one outside sees nothing more."""
    stage = Stage()
    cast = Cast(stage)
    cast.send(ADA, BEN, CLEO)
    await stage.unpublish(ADA, cast.sources[ADA])
    stage.set_admitted(frozenset({ADA, BEN}))
    for screen in cast.screens.values():
        screen.shown.clear()
    cast.send(BEN, CLEO)
    cast.send(BEN, CLEO)
    assert cast.seen() == [b"ben", None, None]


def test_a_camera_that_is_off_gives_way_and_comes_back() -> None:
    """After four seconds without pictures others are shown; when all are off the last one stays."""
    stage = Stage()
    cast = Cast(stage)
    stage.set_order([ADA, BEN, CLEO])
    for second in range(1, 7):
        cast.send(BEN, CLEO, *([ADA] if second == 1 else []))
        stage.check(float(second))
    cast.send(BEN, CLEO)
    assert cast.seen() == [b"ben", b"cleo", b"ben"]
    cast.send(ADA)
    stage.check(8.0)
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [b"ben", b"ada", b"ada"]
    for second in range(9, 20):
        stage.check(float(second))
    cast.send(ADA)
    assert cast.seen()[2] == b"ada"


def test_slides_are_for_everybody_but_the_presenter_and_whoever_may_not() -> None:
    """Only the one with the floor is shown; still pictures are told of from the first picture on."""
    told: list[Source | None] = []
    slides = Slides(told.append)
    cast = Cast(slides)
    slides.set_allowed(CLEO, allowed=False)
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [None] * 3
    slides.set_floor(BEN)
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [b"ben", None, None]
    slides.set_allowed(CLEO, allowed=True)
    slides.set_floor(ADA)
    cast.send(ADA, BEN, CLEO)
    assert cast.seen() == [b"ben", b"ada", b"ada"]
    slides.set_floor(None)
    assert told == [cast.sources[BEN], cast.sources[ADA], None]
