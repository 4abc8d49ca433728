"""For which loss sound is encoded, by what is reported: soon enough, and not to and fro."""

from __future__ import annotations

import random

import pytest

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.rtcp import ReceiverReport, ReportBlock
from pexrtc_py.webrtc.sender_loss import ExpectedLoss
from tests.webrtc.sender_bench import Bench


def reported(loss: ExpectedLoss, fractions: list[float], *, start_s: float, every_s: float = 1.0) -> list[int]:
    """Give reports, and return what was expected after each."""
    expected = []
    for number, fraction in enumerate(fractions):
        loss.handle_loss(fraction, start_s + number * every_s)
        expected.append(loss.percent)
    return expected


def chance(share: float, seconds: int, seed: int) -> list[float]:
    """Return what is reported each second of 50 packets that are lost by chance."""
    dice = random.Random(seed)
    return [sum(dice.random() < share for _ in range(50)) / 50 for _ in range(seconds)]


@pytest.mark.parametrize(("share", "percent"), [(0.0, 0), (0.05, 5), (0.2, 15), (1.0, 15)])
@pytest.mark.parametrize("every_s", [1.0, 5.0])
def test_steps(share: float, percent: int, every_s: float) -> None:
    """A loss that stays is prepared for within ten seconds, however often it is reported."""
    assert reported(ExpectedLoss(), [share] * 10, start_s=0, every_s=every_s)[round(10 / every_s) - 1] == percent


def test_one_lost_packet_changes_nothing() -> None:
    """One of fifty is not what an encoder is set anew for."""
    assert set(reported(ExpectedLoss(), [0, 0, 0.02, 0, 0, 0], start_s=0)) == {0}


@pytest.mark.parametrize("seed", range(5))
def test_chance_does_not_turn_it_to_and_fro(seed: int) -> None:
    """Five minutes of 5 % by chance: one change, upwards; after them 5 % are given up within half a minute."""
    loss, told = ExpectedLoss(), list[int]()
    loss.on_change = told.append
    reported(loss, chance(0.05, 300, seed), start_s=0)
    assert told == [5]
    assert reported(loss, [0.0] * 30, start_s=300)[-1] == 0
    assert told == [5, 0]


def test_what_was_bad_is_given_up_step_by_step() -> None:
    """From 30 % to none it goes down through 5 %."""
    loss, told = ExpectedLoss(), list[int]()
    loss.on_change = told.append
    reported(loss, [0.3] * 10 + [0.0] * 30, start_s=0)
    assert told == [5, 15, 5, 0]


def test_a_sender_hears_it_from_its_receiver() -> None:
    """Report blocks of the stream count; `AudioEncoder.set_expected_loss` was never called by anybody."""
    bench = Bench(Codec.OPUS)
    for second in range(6):
        bench.now = 100.0 + second
        block = ReportBlock(
            ssrc=5, fraction_lost=64, packets_lost=0, highest_sequence=1, jitter=0, last_report=0, delay=0
        )
        bench.sender.handle_rtcp(ReceiverReport(ssrc=1, reports=(block,)))
    assert bench.sender.expected_loss.percent == 15
