"""A bad network does what was asked, the same each time."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.webrtc.impairment import PRESETS, ImpairedLink, Impairment


def send(impairment: Impairment, count: int, *, size: int = 1000, every: float = 0.01) -> list[tuple[float, int]]:
    """Send numbered datagrams; return when each came out."""
    link: ImpairedLink[int] = ImpairedLink(impairment)
    out = []
    for number in range(count):
        now = number * every
        while (due := link.next_timer()) is not None and due <= now:
            out += [(due, item) for item in link.pull(due)]
        link.push(number, size, now)
    while (due := link.next_timer()) is not None:
        out += [(due, item) for item in link.pull(due)]
    assert len({item for _, item in out}) + link.lost == count
    return out


def test_nothing_wrong_changes_nothing() -> None:
    assert send(Impairment(), 50) == [(n * 0.01, n) for n in range(50)]


@pytest.mark.parametrize("loss", [0.01, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("burst", [1.0, 5.0])
def test_as_many_are_lost_as_asked(loss: float, burst: float) -> None:
    came = {number for _, number in send(Impairment(loss=loss, burst=burst), 20_000)}
    lost = [number for number in range(20_000) if number not in came]
    assert len(lost) / 20_000 == pytest.approx(loss, rel=0.25)
    if 0 < loss < 0.5:
        runs = sum(number - 1 not in lost[max(0, at - 1) : at] for at, number in enumerate(lost))
        assert len(lost) / runs == pytest.approx(burst, rel=0.25)


def test_the_same_seed_is_the_same_network() -> None:
    impairment = Impairment(loss=0.1, jitter_s=0.02, reorder=0.1, duplicate=0.1, seed=7)
    assert send(impairment, 500) == send(impairment, 500)
    assert send(impairment, 500) != send(Impairment(loss=0.1, jitter_s=0.02, reorder=0.1, duplicate=0.1, seed=8), 500)


def test_jitter_delays_and_keeps_the_order() -> None:
    out = send(Impairment(delay_s=0.1, jitter_s=0.05), 1000)
    assert [number for _, number in out] == list(range(1000))
    delays = [at - number * 0.01 for at, number in out]
    assert min(delays) >= 0.1
    assert max(delays) <= 0.15 + 1e-9
    assert max(delays) - min(delays) > 0.03


def test_reordering_and_duplicates() -> None:
    out = [number for _, number in send(Impairment(reorder=0.1, reorder_s=0.05), 1000)]
    overtaken = sum(b < a for a, b in pairwise(out))
    assert 50 < overtaken < 150
    assert len(send(Impairment(duplicate=0.1), 1000)) == pytest.approx(1100, abs=40)


def test_a_rate_is_kept_and_a_full_queue_drops() -> None:
    out = send(Impairment(rate_bps=400_000, queue_s=0.2), 500)  # 800 kbit/s come in
    span = out[-1][0] - out[0][0]
    assert (len(out) - 1) * 8000 / span == pytest.approx(400_000, rel=0.02)
    assert max(at - number * 0.01 for at, number in out) <= 0.2 + 8000 / 400_000 + 1e-9


def test_a_blackout_lets_nothing_through() -> None:
    came = [number for _, number in send(Impairment(blackouts=((1.0, 0.5),)), 300)]
    assert [n for n in range(300) if n not in came] == list(range(100, 150))


def test_it_may_change_under_way() -> None:
    link: ImpairedLink[int] = ImpairedLink(Impairment())
    link.push(1, 100, 0.0)
    link.change(Impairment(loss=1.0))
    link.push(2, 100, 0.0)
    assert link.pull(1.0) == [1]
    assert link.lost == 1


@given(st.sampled_from(sorted(PRESETS)))
def test_presets_are_usable(name: str) -> None:
    out = send(PRESETS[name], 100)
    assert len(out) < 100 or PRESETS[name].loss < 0.05
    assert all(at >= PRESETS[name].delay_s for at, _ in out)
