"""Packets of prepared media are made before their time: nobody on the other side can tell, whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from pexrtc_py.media.player import Player, PlayerConfig
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.webrtc.rtcp import PictureLossIndication, SenderReport, parse_compound
from pexrtc_py.webrtc.rtp import parse_header, payload_bounds
from pexrtc_py.webrtc.sender_replay import feed_sender

from .link import EVENT, MEDIA, Link
from .test_sender_replay import Together

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ACCEPT = {Kind.AUDIO: [Codec.OPUS], Kind.VIDEO: [Codec.VP8]}


class Call:
    """Sound and picture to one far side, on one virtual clock; `act` is called at given times."""

    def __init__(self, *, hold: bool = True) -> None:
        self.links = {Kind.AUDIO: Link(Codec.OPUS, hold=hold), Kind.VIDEO: Link(Codec.VP8, hold=hold)}
        self.sound, self.picture = self.links.values()
        self.begin = self.sound.now
        self.wire: dict[Kind, list[tuple[float, bytes]]] = {kind: [] for kind in Kind}
        self.reports: list[tuple[Kind, SenderReport, int, int]] = []
        for kind, link in self.links.items():
            link.lose = partial(self._see, kind)

    def _see(self, kind: Kind, way: str, packet: bytes) -> bool:
        if way == "rtp":
            self.wire[kind].append((self.links[kind].now - self.begin, packet))
        elif way == "rtcp":
            for each in parse_compound(packet):
                if isinstance(each, SenderReport):
                    sizes = [
                        payload_bounds(data, data[0])
                        for _, data in self.wire[kind]
                        if parse_header(data).ssrc == each.ssrc
                    ]
                    self.reports.append((kind, each, len(sizes), sum(end - start for start, end in sizes)))
        return False

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        """Have something happen, by the link of the picture."""
        self.picture.at(self.begin + seconds, action)

    def lose_picture(self) -> None:
        self.picture.sender.handle_rtcp(PictureLossIndication(sender_ssrc=1, media_ssrc=0x1234))

    @asynccontextmanager
    async def playing(self, *, ahead_s: float = 0.2) -> AsyncIterator[Player]:
        source = open_file(clip_path("motion.mkv"), accept=ACCEPT)
        config = PlayerConfig(make_ahead_s=ahead_s)
        async with Player(source, {}, config=config, clock=Together(*self.links.values())) as player:
            for link in self.links.values():
                feed_sender(player, link.sender)
            yield player
        self.settle()

    def settle(self) -> None:
        for link in self.links.values():
            link.run(max(self.sound.now, self.picture.now) + 1.0)

    def media(self, kind: Kind, payload_type: int = MEDIA) -> Iterator[tuple[float, bytes]]:
        """What was sent first, without repeats of their own stream."""
        return ((at, data) for at, data in self.wire[kind] if data[1] & 0x7F == payload_type)

    def check_numbers(self) -> None:
        """Every number was used once, in order; and timestamps never step back."""
        for kind in Kind:
            headers = [parse_header(data) for at, data in self.wire[kind] if data[1] & 0x7F in (MEDIA, EVENT)]
            assert [h.sequence for h in headers] == [(65500 + n) & 0xFFFF for n in range(len(headers))]
        steps = [parse_header(data).timestamp for _, data in self.media(Kind.VIDEO)]
        assert all((b - a) & 0xFFFFFFFF < 0x80000000 for a, b in pairwise(steps))

    def check_reports(self) -> None:
        """A report counts what was sent until then, and nothing that is to come."""
        assert self.reports
        for _, report, packets, octets in self.reports:
            assert (report.packets, report.octets) == (packets, octets)


async def test_the_same_leaves_as_without_it_and_sound_is_on_time() -> None:
    """Packet by packet the same, reports included; sound leaves when it is due, pictures at most 10 ms off."""
    plain, ahead = Call(hold=False), Call()
    for call in (plain, ahead):
        call.picture.sender._packets.payloader.picture_id = 7
        async with call.playing() as player:
            await player.finished()
        call.check_numbers()
        call.check_reports()
    assert ahead.sound.shelf.most >= 9
    assert ahead.picture.shelf.most >= 20
    assert not ahead.picture.shelf.packets
    for kind in Kind:
        packets = [[data for _, data in call.wire[kind]] for call in (plain, ahead)]
        assert packets[0] == packets[1]
        offsets = {}
        for call in (plain, ahead):
            rate = 48000 if kind is Kind.AUDIO else 90000
            first = parse_header(call.wire[kind][0][1]).timestamp
            begin = call.wire[Kind.AUDIO][0][0]
            offsets[call] = [
                at - begin - (parse_header(data).timestamp - first & 0xFFFFFFFF) / rate for at, data in call.wire[kind]
            ]
        assert all(abs(offset) < 0.0101 for offset in offsets[ahead])
        if kind is Kind.AUDIO:
            assert max(map(abs, offsets[ahead])) < 0.001
    # Both clocks of the call tell the same time: what is late by a tick is not told to be.
    for kind, report, *_ in ahead.reports:
        twins = [each for other, each, *_ in plain.reports if other is kind]
        rate = 48000 if kind is Kind.AUDIO else 90000
        lines = [each.ntp / 2**32 - (each.rtp_time - 0xFFFFF000 & 0xFFFFFFFF) / rate for each in (report, twins[0])]
        assert lines[0] == pytest.approx(lines[1], abs=0.0001)


async def test_a_stop_is_at_once_and_the_next_goes_on_without_a_hole() -> None:
    """Nothing leaves after a stop, though it was made; another player's frames have the numbers that are free again."""
    call = Call()
    async with call.playing() as player:
        call.at(1.03, player.stop)
        await player.finished()
    assert call.picture.shelf.dropped
    assert all(at < 1.0301 for kind in Kind for at, _ in call.wire[kind])
    assert player.position_s == pytest.approx(1.02, abs=0.021)
    call.check_reports()
    async with call.playing() as player:
        await player.finished()
    call.check_numbers()
    for link in call.links.values():
        assert not link.tap.gaps


async def test_a_request_for_a_key_frame_is_answered_at_once_by_what_has_been_shown() -> None:
    """The group so far leaves within the same turn; of frames that were made and not sent it has none."""
    call = Call()
    async with call.playing() as player:
        call.at(1.415, call.lose_picture)
        await player.finished()
    call.check_numbers()
    call.check_reports()
    bursts = [at for at, _ in call.media(Kind.VIDEO) if at == pytest.approx(1.415, abs=0.0001)]
    assert len(bursts) > 10
    frames = call.picture.tap.frames
    assert [frame.rtp_time for frame in frames] == sorted({frame.rtp_time for frame in frames})
    assert not call.picture.tap.gaps


async def test_digits_are_heard_at_once_in_place_of_sound() -> None:
    """A digit begins when it is asked for, while sound that was made before is dropped."""
    call = Call()
    async with call.playing() as player:
        call.at(1.01, lambda: call.sound.sender.send_digits("5"))
        await player.finished()
    call.check_numbers()
    events = [at for at, _ in call.media(Kind.AUDIO, EVENT)]
    assert events[0] == pytest.approx(1.01, abs=0.0101)
    assert not [at for at, _ in call.media(Kind.AUDIO) if events[0] < at < events[0] + 0.1]


class Heard:
    """A tap that cannot make ahead: it has each frame when it leaves."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self.at: list[float] = []

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        self.at.append(self._link.now - item.time)

    def end(self) -> None: ...


ACTIONS = st.sampled_from(["pli", "nack", "digit", "mute", "tap", "other"])


@settings(max_examples=15, deadline=None)
@given(events=st.lists(st.tuples(st.floats(0.05, 2.5), ACTIONS), max_size=8))
async def test_whatever_happens_no_number_is_lost_or_used_twice(events: list[tuple[float, str]]) -> None:
    """Requests, repeats, digits, mute, taps that come and go, and frames of others, at any time."""
    call = Call()
    heard = Heard(call.sound)
    async with call.playing() as player:

        def act(what: str) -> None:
            sender = call.picture.sender
            if what == "pli":
                call.lose_picture()
            elif what == "nack":
                sender.handle_nack([(sender._packets.sequence + n) & 0xFFFF for n in range(-30, 30)])
            elif what == "digit":
                call.sound.sender.send_digits("1", digit_s=0.05)
            elif what == "mute":
                call.sound.sender.set_enabled(enabled=not call.sound.sender._enabled)
            elif what == "tap":
                player.add_tap(Kind.AUDIO, heard) if not heard.at else player.remove_tap(Kind.AUDIO, heard)
            else:
                frame = EncodedFrame(codec=Codec.OPUS, data=b"\xf8\xff\xfe", rtp_time=0, time=0.0, duration=960)
                call.sound.sender.push(frame)

        for at, what in events:
            call.at(at, partial(act, what))
        await player.finished()
    call.check_numbers()
    call.check_reports()
    assert all(abs(late) < 0.021 for late in heard.at)
    # Each picture has come, once, and in order; repeats have other numbers.
    ids = [frame.rtp_time for frame in call.picture.tap.frames]
    assert ids == sorted(set(ids))
    assert not call.picture.tap.gaps


def test_both_are_taps() -> None:
    """A tap that can make ahead is a tap."""
    assert isinstance(Call().sound.sender, Tap)
