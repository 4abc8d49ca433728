"""Loss, delay and disorder between our sender and our receiver, in virtual time."""

from __future__ import annotations

from itertools import pairwise

import pytest

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap
from pexrtc_py.webrtc.impairment import ImpairedLink, Impairment
from pexrtc_py.webrtc.receiver_config import Feedback
from pexrtc_py.webrtc.rtp import parse_header
from pexrtc_py.webrtc.statistics import InboundRtp

from .link import Link, at_random, opus_frame, script, vp8_frame

FPS = 30


def play_video(link: Link, seconds: float, *, size: int = 5500, key_size: int = 30_000) -> list[EncodedFrame]:
    """Send pictures like an encoder that obeys requests for key frames; return what was sent."""
    wanted = [True]
    link.sender.on_key_frame_request = lambda: wanted.__setitem__(0, True)
    start, sent = link.now, []
    for index in range(round(seconds * FPS)):
        key, wanted[0] = wanted[0], False
        frame = vp8_frame(index, key=key, size=key_size if key else size, time=link.now)
        sent.append(frame)
        link.sender.push(frame)
        link.run(start + (index + 1) / FPS)
    link.run(link.now + 4.0)
    return sent


def play_audio(link: Link, count: int) -> None:
    start = link.now
    for index in range(count):
        link.sender.push(opus_frame(index, time=link.now))
        link.run(start + (index + 1) * 0.02)
    link.run(link.now + 1.0)


def assert_decodable(items: list[EncodedFrame | Gap], sent: list[EncodedFrame]) -> None:
    """What comes out is what went in; frames are missing only before a key frame, and with a gap before it."""
    contents = {frame.data: number for number, frame in enumerate(sent)}
    last: int | None = None
    for item in items:
        if isinstance(item, Gap):
            last = None
            continue
        number = contents[item.data]
        assert item.key is sent[number].key
        if last is None:
            assert item.key
        else:
            assert number == last + 1
        last = number


def longest_freeze(link: Link) -> float:
    return max(b - a for a, b in pairwise(link.tap.frame_times))


@pytest.mark.parametrize("round_trip", [0.0, 0.05, 0.3])
def test_without_loss_nothing_is_late_and_nothing_is_asked(round_trip: float) -> None:
    link = Link(Codec.VP8, round_trip_s=round_trip)
    sent = play_video(link, 3)
    assert [frame.data for frame in link.tap.frames] == [frame.data for frame in sent]
    assert longest_freeze(link) == pytest.approx(1 / FPS, abs=1e-6)
    assert link.sender.counts.nacks == link.sender.counts.retransmitted == link.sender.counts.plis == 0
    assert all(at == frame.arrival for at, frame in zip(link.tap.frame_times, link.tap.frames, strict=True))


@pytest.mark.parametrize("rtx", [True, False])
@pytest.mark.parametrize("round_trip", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_five_percent_loss_freezes_no_longer_than_round_trip_and_300_ms(
    seed: int, round_trip: float, rtx: bool
) -> None:
    link = Link(Codec.VP8, round_trip_s=round_trip, lose=at_random(0.05, seed), rtx=rtx)
    sent = play_video(link, 60)
    assert_decodable(link.tap.items, sent[sent.index(next(f for f in sent if f.key)) :])
    assert len(link.tap.frames) > 0.97 * len(sent)
    assert longest_freeze(link) <= round_trip + 0.3


@pytest.mark.parametrize(
    ("loss", "round_trip", "share"),
    [(0.01, 0.3, 0.95), (0.02, 0.2, 0.95), (0.1, 0.05, 0.95), (0.1, 0.3, 0.8), (0.3, 0.05, 0.6), (0.3, 0.3, 0.2)],
)
def test_heavy_loss_never_gives_what_cannot_be_decoded(loss: float, round_trip: float, share: float) -> None:
    link = Link(Codec.VP8, round_trip_s=round_trip, lose=at_random(loss, 5))
    sent = play_video(link, 40)
    assert_decodable(link.tap.items, sent)
    assert len(link.tap.frames) >= share * len(sent)


def test_no_latency_is_left_behind_by_a_loss() -> None:
    link = Link(Codec.VP8, round_trip_s=0.05, lose=script([60]))
    play_video(link, 4)
    late = [at - frame.arrival for at, frame in zip(link.tap.frame_times, link.tap.frames, strict=True)]
    assert max(late) > 0.01
    assert late[-60:] == [0.0] * 60


@pytest.mark.parametrize("rtx", [True, False])
def test_bytes_that_came_again_are_bytes_received(rtx: bool) -> None:
    """W3C webrtc-stats, bytesReceived: retransmissions included. Those by RTX were left out."""
    link = Link(Codec.VP8, round_trip_s=0.02, lose=at_random(0.03, 4), rtx=rtx)
    play_video(link, 10)
    inbound = link.receiver.statistics(link.now)[0]
    assert isinstance(inbound, InboundRtp)
    counts = link.sender.counts
    assert counts.retransmitted > 30
    assert inbound.packets_lost == 0
    assert inbound.bytes_received == counts.payload_bytes
    assert inbound.header_bytes_received >= counts.header_bytes
    again = inbound.retransmitted_packets_received
    assert (again > 30) is (inbound.retransmitted_bytes_received > 30 * 500) is rtx
    assert inbound.retransmitted_bytes_received <= 1200 * again


def test_a_lost_repair_is_asked_for_again() -> None:
    """aiortc asks again only when another gap appears: 3.4 s of freeze."""
    link = Link(Codec.VP8, round_trip_s=0.04)
    first = {"media": True, "rtx": True}

    def lose(way: str, packet: bytes) -> bool:
        if way != "rtp" or link.now < 1001.0:
            return False
        kind = "rtx" if parse_header(packet).payload_type == 97 else "media"
        lost, first[kind] = first[kind], False
        return lost

    link.lose = lose
    sent = play_video(link, 3)
    assert len(link.tap.frames) == len(sent)
    assert link.sender.counts.plis == 0
    assert longest_freeze(link) < 0.04 + 0.1 * 1.1 + 0.05 + 1 / FPS


def test_without_retransmission_a_key_frame_comes_instead() -> None:
    feedback = Feedback(pli=True, reduced_size=True)
    link = Link(Codec.VP8, round_trip_s=0.04, lose=script([100]), feedback=feedback)
    sent = play_video(link, 3)
    assert_decodable(link.tap.items, sent)
    assert [gap.packets for gap in link.tap.gaps] == [1]
    assert link.sender.counts.plis == 1
    assert longest_freeze(link) < 0.04 + 0.3


@pytest.mark.parametrize("loss", [0.01, 0.05, 0.1, 0.3])
def test_lost_sound_costs_its_own_twenty_milliseconds(loss: float) -> None:
    """aiortc loses 11 % at 2 % loss, half of the sound at 10 %, and stays 200 ms late."""
    link = Link(Codec.OPUS, round_trip_s=0.04, lose=at_random(loss, 11))
    play_audio(link, 1500)
    frames = link.tap.frames
    came = {int.from_bytes(frame.data[1:5], "big") for frame in frames}
    first, last = min(came), max(came)
    missing = last - first + 1 - len(came)
    assert missing > 0.2 * loss * 1500
    assert sum(gap.duration for gap in link.tap.gaps) == missing * 960
    assert sum(gap.packets for gap in link.tap.gaps) == missing
    end = None
    for item in link.tap.items:  # frames and gaps fill the time without hole or overlap
        assert end is None or item.rtp_time == end
        end = item.rtp_time + item.duration
    steps = [b.time - a.time for a, b in pairwise(frames)]
    assert min(steps) > 0.0199
    late = [at - frame.arrival for at, frame in zip(link.tap.frame_times, frames, strict=True)]
    assert max(late) <= 0.06
    assert sum(held > 0.001 for held in late) <= 4 * missing


def test_sound_that_overtakes_itself_is_put_in_order_without_a_gap() -> None:
    link = Link(Codec.OPUS)
    impaired: ImpairedLink[bytes] = ImpairedLink(Impairment(reorder=0.1, reorder_s=0.05, jitter_s=0.01))
    receiver, number = link.receiver, 0
    packets: list[bytes] = []

    def catch(way: str, packet: bytes) -> bool:
        if way == "rtp":
            packets.append(packet)
        return way == "rtp"

    link.lose = catch
    start = link.now
    for number in range(500):
        now = start + number * 0.02
        link.now = now
        link.sender.push(opus_frame(number, time=now))
        impaired.push(packets[-1], len(packets[-1]), now)
        while (due := impaired.next_timer()) is not None and due < now + 0.02:
            timer = receiver.next_timer()
            if timer is not None and timer <= due:
                receiver.handle_timer(timer)
            for packet in impaired.pull(due):
                receiver.handle_rtp(packet, parse_header(packet), due)
    assert not link.tap.gaps
    order = [int.from_bytes(frame.data[1:5], "big") for frame in link.tap.frames]
    assert order == list(range(len(order)))
    assert len(order) >= 495


def test_an_outage_of_three_seconds_ends_with_a_key_frame() -> None:
    link = Link(Codec.VP8, round_trip_s=0.05)
    link.lose = lambda way, packet: 1002.0 <= link.now < 1005.0
    sent = play_video(link, 8)
    assert_decodable(link.tap.items, sent)
    assert longest_freeze(link) < 3.0 + 0.05 + 0.6
    assert link.tap.frames[-1].data == sent[-1].data


def test_an_outage_of_sound_is_one_gap() -> None:
    link = Link(Codec.OPUS, round_trip_s=0.05)
    link.lose = lambda way, packet: 1002.0 <= link.now < 1005.0
    play_audio(link, 500)
    (gap,) = link.tap.gaps
    assert gap.duration == pytest.approx(3.0 * 48000, abs=960)
    assert link.tap.frames[-1].time - link.tap.frames[0].time == pytest.approx(499 * 0.02, abs=0.002)


def test_bursts_of_loss() -> None:
    link = Link(Codec.VP8, round_trip_s=0.04)
    bursts: ImpairedLink[None] = ImpairedLink(Impairment(loss=0.03, burst=8, seed=4))

    def lose(way: str, packet: bytes) -> bool:
        before = bursts.lost
        bursts.push(None, len(packet), link.now)
        return bursts.lost > before

    link.lose = lose
    sent = play_video(link, 40)
    assert_decodable(link.tap.items, sent)
    assert len(link.tap.frames) > 0.9 * len(sent)
    assert longest_freeze(link) < 1.0


@pytest.mark.parametrize("rtx", [True, False])
def test_what_the_network_did_is_told_apart_from_what_was_mended(rtx: bool) -> None:
    """Runs of 1, 3 and 2 lost packets, and one overtaken: six lost in three runs, one reordered, none missing."""
    link = Link(Codec.VP8, round_trip_s=0.02, rtx=rtx)
    lost, held = {60, 80, 81, 82, 120, 121}, list[bytes]()

    def lose(way: str, packet: bytes) -> bool:
        if way != "rtp" or packet[8:12] != (0x1234).to_bytes(4):
            return False
        number = (int.from_bytes(packet[2:4]) - 65500) & 0xFFFF
        if number == 150 and not held:
            held.append(packet)
            link.at(link.now + 0.014, lambda: link.receiver.handle_rtp(packet, parse_header(packet), link.now))
            return True
        again = number not in lost
        lost.discard(number)
        return not again

    link.lose = lose
    play_video(link, 3.0)
    inbound = link.receiver.statistics(link.now)[0]
    assert isinstance(inbound, InboundRtp)
    assert held
    assert (inbound.network_lost, inbound.loss_runs, inbound.packets_reordered) == (6, 3, 1)
    assert inbound.packets_lost == 0
    assert inbound.jitter_deviation_count >= len(inbound.jitter_deviations) > 80
