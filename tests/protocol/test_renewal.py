"""Token renewal: every state by every way in and out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.protocol.backoff import Backoff
from pexrtc_py.protocol.renewal import Renewal, RenewalState


def make(lifetime_s: float = 120.0) -> Renewal:
    return Renewal(lifetime_s, 0.0, Backoff(lambda: 1.0, first_s=1.0, ceiling_s=8.0))


def test_refreshes_at_half_the_lifetime() -> None:
    """Nothing to do before half the lifetime; then once."""
    renewal = make()
    assert renewal.next_timer() == 60.0
    assert not renewal.handle_timer(59.0)
    assert renewal.handle_timer(60.0)
    assert renewal.state is RenewalState.ASKING
    assert not renewal.handle_timer(61.0), "one at a time"
    renewal.refreshed(120.0, 62.0)
    assert renewal.next_timer() == 122.0
    assert renewal.ends == 182.0


def test_failures_back_off_until_the_end() -> None:
    """A failed refresh is tried again later and later, and never past the token's end."""
    renewal = make(16.0)
    assert renewal.handle_timer(8.0)
    renewal.failed(8.0)
    assert renewal.next_timer() == 9.0
    assert renewal.handle_timer(9.0)
    renewal.failed(9.0)
    assert renewal.next_timer() == 11.0
    assert renewal.handle_timer(11.0)
    renewal.failed(11.0, wait_s=60.0)
    assert renewal.next_timer() == 16.0
    assert not renewal.handle_timer(16.0)
    assert renewal.state is RenewalState.ENDED
    assert renewal.next_timer() is None


def test_hasten_brings_the_refresh_forward() -> None:
    """The node's `refresh_token` event makes it due now; under way, due again right after."""
    renewal = make()
    renewal.hasten(5.0)
    assert renewal.handle_timer(5.0)
    renewal.hasten(5.5)
    renewal.refreshed(120.0, 6.0)
    assert renewal.handle_timer(6.0)
    renewal.refreshed(120.0, 7.0)
    assert renewal.next_timer() == 67.0


def test_an_answer_to_nothing_is_our_fault() -> None:
    """Results without a refresh under way are refused."""
    with pytest.raises(LocalProtocolError):
        make().refreshed(120.0, 1.0)
    with pytest.raises(LocalProtocolError):
        make().failed(1.0)


def test_late_answer_revives() -> None:
    """A token that arrives after the end of the one before is as good."""
    renewal = make(10.0)
    assert renewal.handle_timer(5.0)
    assert not renewal.handle_timer(10.0)
    assert renewal.state is RenewalState.ENDED
    renewal.hasten(10.0)
    renewal.refreshed(10.0, 10.5)
    assert renewal.next_timer() == 15.5


@given(st.lists(st.tuples(st.sampled_from(["time", "ok", "bad", "hasten"]), st.floats(0, 50)), max_size=40))
def test_never_two_at_once(steps: list[tuple[str, float]]) -> None:
    """Whatever happens, a refresh is begun only when none is under way, and never after the end."""
    renewal, now, asking = make(100.0), 0.0, False
    for what, wait in steps:
        now += wait
        if what == "time":
            begun = renewal.handle_timer(now)
            assert not (begun and (asking or now >= renewal.ends))
            asking = asking or begun
        elif what == "hasten":
            renewal.hasten(now)
        elif asking:
            renewal.refreshed(100.0, now) if what == "ok" else renewal.failed(now)
            asking = False
        timer = renewal.next_timer()
        assert timer is None or timer <= renewal.ends
