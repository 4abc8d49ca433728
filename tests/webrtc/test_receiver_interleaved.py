"""H.264 in packetization mode 2 through a receiver: what a real encoder made comes out picture by picture."""

from __future__ import annotations

import base64
import random
from collections.abc import Collection, Sequence
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.protocol.interleaving import Interleaving
from pexrtc_py.protocol.negotiation import NegotiatedLine, Payload, Sources
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.line_media import receiver_config
from pexrtc_py.webrtc.payload import payloader
from pexrtc_py.webrtc.payload.h264 import nal_units
from pexrtc_py.webrtc.receiver_config import MediaFormat
from pexrtc_py.webrtc.rtcp import Nack, PictureLossIndication

from .interleaver import Interleaver, Picture, Sent, x264_pictures
from .link import vp8_frame
from .receiver_bench import RTX, VP8, Bench

_MODE_2, _MODE_1 = 102, 104
_FIRST_SEQUENCE = 65_530


def bench(sender: Interleaver, *, rtx: bool = True) -> Bench:
    """A receiver that agreed on mode 2 with this sender, and on mode 1 and VP8 beside it."""
    made = Bench(Kind.VIDEO)
    formats = {number: form for number, form in made.receiver.config.formats.items() if rtx or number != RTX}
    formats[_MODE_1] = MediaFormat(codec=Codec.H264)
    formats[_MODE_2] = MediaFormat(codec=Codec.H264, interleaving=sender.form)
    made.receiver.reconfigure(replace(made.receiver.config, formats=formats))
    return made


def send(
    to: Bench,
    packets: Sequence[Sent],
    *,
    lost: Collection[int] = (),
    repaired_after: int | None = None,
    first: int = _FIRST_SEQUENCE,
) -> int:
    """Send packets, a picture's worth in each thirtieth of a second; return the next sequence number."""
    for at, sent in enumerate(packets):
        if at not in lost:
            to.rtp(sent.payload, first + at, sent.timestamp, kind=_MODE_2, marker=sent.marker)
        if repaired_after is not None and at - repaired_after in lost:
            again = packets[at - repaired_after]
            sequence = first + at - repaired_after
            to.rtp(again.payload, sequence, again.timestamp, kind=_MODE_2, marker=again.marker)
        to.wait(0.008)
    return first + len(packets)


def came(to: Bench) -> list[tuple[int, tuple[bytes, ...], bool]]:
    """What was given out: timestamp, NAL units, whether it is a key frame."""
    return [(frame.rtp_time & 0xFFFFFFFF, tuple(nal_units(frame.data)), frame.key) for frame in to.tap.frames]


def pictures_of(pictures: Sequence[Picture]) -> list[tuple[int, tuple[bytes, ...], bool]]:
    return [(picture.timestamp, picture.units, picture.key) for picture in pictures]


@pytest.mark.parametrize("b_frames", [0, 2])
@pytest.mark.parametrize("spread", [1, 5, 24])
def test_pictures_come_out_as_they_were_made(spread: int, b_frames: int) -> None:
    """Over the wrap of DON, timestamps and sequence numbers; the last one with the sender's goodbye."""
    pictures = x264_pictures(b_frames=b_frames)
    sender = Interleaver(pictures, spread=spread)
    to = bench(sender)
    send(to, sender.packets)
    assert came(to) == pictures_of(pictures)[: len(to.tap.items)]
    assert len(pictures) - len(to.tap.items) <= 1 + spread // 4
    to.receiver.handle_bye(5, to.now)
    assert came(to) == pictures_of(pictures)
    assert not to.tap.gaps
    assert (to.tap.frames[0].width, to.tap.frames[0].height) == (192, 128)


def test_what_is_lost_and_repaired_is_not_missed() -> None:
    pictures = x264_pictures()
    sender = Interleaver(pictures)
    to = bench(sender, rtx=False)
    lost = range(3, len(sender.packets) - 4, 7)
    send(to, sender.packets, lost=lost, repaired_after=3)
    to.receiver.handle_bye(5, to.now)
    assert came(to) == pictures_of(pictures)
    assert to.of(Nack)


@pytest.mark.parametrize("spread", [1, 9, 24])
def test_a_loss_costs_pictures_up_to_a_key_frame_and_no_picture_comes_in_part(spread: int) -> None:
    """Each packet of the second group of pictures is lost once, those of the next key frame among them."""
    pictures = x264_pictures()
    sender = Interleaver(pictures, spread=spread)
    wanted = pictures_of(pictures)
    place = {picture.timestamp: at for at, picture in enumerate(pictures)}
    starts = [at for at, sent in enumerate(sender.packets) if place[sent.timestamp] in {10, 20}]
    asked, freezes = 0, list[float]()
    for number in range(min(starts), max(starts)):
        to = bench(sender)
        send(to, sender.packets, lost={number})
        to.wait(5)
        freezes.append(max(later - before for before, later in pairwise(to.tap.times)))
        to.receiver.handle_bye(5, to.now)
        given_out = came(to)
        assert [item for item in given_out if item not in wanted] == [], number
        places = [place[timestamp] for timestamp, _, _ in given_out]
        assert places == sorted(set(places))
        holes = [at for at in range(1, len(places)) if places[at] != places[at - 1] + 1]
        assert len(holes) == len(to.tap.gaps) == 1, number
        assert given_out[holes[0]][2]
        asked += len(to.of(PictureLossIndication))
        # At worst the key frame that lost a part, and the group behind it.
        assert len(given_out) >= 10
        assert places[-1] == len(pictures) - 1
    assert asked
    # Two groups of pictures at most, and what is waited for a repair: it does not stand until all hope is gone.
    length = len(sender.packets) * 0.008
    assert max(freezes) < length / 2 + 0.3


@pytest.mark.parametrize("seed", range(40))
def test_losses_anywhere_give_out_whole_pictures_only(seed: int) -> None:
    """At the start, close to one another, at the very end: what goes ahead of later pictures is lost with them."""
    dice = random.Random(seed)
    pictures = x264_pictures(b_frames=dice.choice([0, 2]))
    limit = dice.choice([200, 400, 1000])
    sender = Interleaver(pictures, seed=seed, spread=dice.choice([3, 9, 24, 40]), limit=limit)
    count = len(sender.packets)
    begin = dice.randrange(1, count)
    several = {dice.randrange(1, count) for _ in range(dice.choice([1, 2, 5]))}
    lost = dice.choice([several, set(range(begin, begin + 20)), set(range(count - 7, count - seed % 2))])
    to = bench(sender)
    send(to, sender.packets, lost=lost)
    to.wait(5)
    to.receiver.handle_bye(5, to.now)
    wanted, given_out = pictures_of(pictures), came(to)
    assert [item for item in given_out if item not in wanted] == []
    places = [wanted.index(item) for item in given_out]
    assert places == sorted(set(places))
    assert places
    place = {picture.timestamp: at for at, picture in enumerate(pictures)}
    if max(lost) < min(at for at, sent in enumerate(sender.packets) if place[sent.timestamp] >= 20):
        # The key frame before may have lost a part, this one not. That the last picture is whole, its marker must tell.
        end = 40 if pictures[-1].timestamp in sender.marked else 39
        assert places[places.index(30) :] == list(range(30, end))
    # Where pictures are missing a key frame follows, and what could not be decoded without them is left out.
    assert all(at == before + 1 or pictures[at].key for before, at in pairwise(places))


def test_who_joins_anywhere_begins_with_a_whole_key_frame() -> None:
    """Slices of it or its parameter sets may have gone ahead, before the first packet that came."""
    pictures = x264_pictures()
    sender = Interleaver(pictures)
    wanted = pictures_of(pictures)
    later = 0
    for missed in range(1, len(sender.packets) // 2):
        to = bench(sender)
        send(to, sender.packets[missed:])
        to.receiver.handle_bye(5, to.now)
        given_out = came(to)
        assert given_out == wanted[wanted.index(given_out[0]) :], missed
        assert given_out[0][2]
        later += wanted.index(given_out[0]) >= 20
    assert later


def test_a_sender_that_leaves_numbers_out_is_received_from_its_second_key_frame() -> None:
    """At first it looks like loss; then it is known to be the sender's way (RFC 6184 section 5.5)."""
    pictures = x264_pictures()
    sender = Interleaver(pictures, step=3, limit=1000)
    to = bench(sender)
    send(to, sender.packets)
    to.receiver.handle_bye(5, to.now)
    assert came(to) == pictures_of(pictures)[10:]
    assert to.of(PictureLossIndication)


def test_formats_change_in_mid_stream() -> None:
    """From mode 2 to mode 1 to VP8 and back, nothing of what waited is lost."""
    pictures = x264_pictures(b_frames=0)
    sender, later = Interleaver(pictures[:10]), Interleaver(pictures[30:], first=7)
    depth = max(sender.form.depth, later.form.depth)
    sender.form = replace(sender.form, depth=depth)
    to = bench(sender)
    sequence = send(to, sender.packets)
    for picture in pictures[10:20]:
        data = b"".join(b"\0\0\0\1" + unit for unit in picture.units)
        frame = EncodedFrame(codec=Codec.H264, data=data, rtp_time=0, time=0, key=picture.key)
        payloads = payloader(Codec.H264).split(frame, 1000)
        for at, payload in enumerate(payloads):
            to.rtp(payload, sequence, picture.timestamp, kind=_MODE_1, marker=at == len(payloads) - 1)
            sequence += 1
    shown = payloader(Codec.VP8).split(vp8_frame(0, key=True, size=500, time=0), 1000)
    to.rtp(shown[0], sequence, pictures[20].timestamp, kind=VP8, marker=True)
    send(to, later.packets, first=sequence + 1)
    to.receiver.handle_bye(5, to.now)
    codecs = [frame.codec for frame in to.tap.frames]
    assert codecs == [Codec.H264] * 20 + [Codec.VP8] + [Codec.H264] * 10
    units = [tuple(nal_units(frame.data)) for frame in to.tap.frames if frame.codec is Codec.H264]
    assert units == [picture.units for picture in pictures[:20] + pictures[30:]]


def test_mode_2_agreed_on_in_mid_call_is_received() -> None:
    """A stream that was read another way is begun anew; its totals go on."""
    pictures = x264_pictures()
    sender = Interleaver(pictures)
    to = Bench(Kind.VIDEO)
    sequence = to.picture(0, 0, key=True)
    formats = {_MODE_2: MediaFormat(codec=Codec.H264, interleaving=sender.form)}
    to.receiver.reconfigure(replace(to.receiver.config, formats=formats))
    send(to, sender.packets, first=sequence)
    to.receiver.close(to.now)
    assert [units for _, units, _ in came(to)[1:]] == [picture.units for picture in pictures]
    (inbound, *_) = to.receiver.statistics(to.now)
    assert getattr(inbound, "packets_received", 0) == sequence + len(sender.packets)


@given(st.data())
def test_damage_ends_no_receiver(data: st.DataObject) -> None:
    """Bits turned and packets lost, numbers among them: after a loss all that follows is received as it was sent."""
    pictures = x264_pictures()
    sender, later = Interleaver(pictures[:20], limit=1000), Interleaver(pictures[20:], first=300, limit=1000)
    sender.form = replace(sender.form, depth=max(sender.form.depth, later.form.depth))
    packets = list(sender.packets)
    numbers = st.integers(0, len(packets) - 1)
    for _ in range(data.draw(st.integers(1, 5))):
        at, place = data.draw(numbers), data.draw(st.integers(0, 9))
        bent = bytearray(packets[at].payload)
        bent[min(place, len(bent) - 1)] ^= 1 << data.draw(st.integers(0, 7))
        packets[at] = packets[at]._replace(payload=bytes(bent))
    to = bench(sender)
    sequence = send(to, packets, lost=data.draw(st.sets(numbers, max_size=4)) | {len(packets) - 1})
    send(to, later.packets, first=sequence)
    to.wait(5)
    to.receiver.handle_bye(5, to.now)
    assert came(to)[-20:] == pictures_of(pictures)[20:]


def test_what_was_agreed_reaches_the_receiver() -> None:
    """The sender's promises and its parameter sets, of the same `a=fmtp`."""
    mode = "packetization-mode=2;sprop-interleaving-depth=8;sprop-deint-buf-req=64000;sprop-max-don-diff=30"
    sps = b"\x67\x42\xc0\x1e\xda\x02\x80\xbf"
    said = Payload(
        payload_type=120,
        name="H264",
        clock_rate=90000,
        channels=1,
        parameters=f"{mode};sprop-parameter-sets={base64.b64encode(sps).decode()}",
        feedback=frozenset(),
    )
    line = NegotiatedLine(
        index=0,
        kind="video",
        mid="0",
        content=None,
        direction=Direction.RECVONLY,
        rejected=False,
        receive=(said,),
        send=(said,),
    )
    config = receiver_config(line, Sources(ssrc=1, rtx_ssrc=2, cname="us", track_id="track"))
    assert config.formats[120] == MediaFormat(
        codec=Codec.H264, parameter_sets=b"\0\0\0\1" + sps, interleaving=Interleaving(depth=8, max_don_diff=30)
    )
