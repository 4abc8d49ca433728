"""Each rule by itself, and what a pause does to it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pexrtc_py.recorder.stopping import Ended, Observed, StopRules, stop_reason

SEEN = Observed(now=1000.0, wall_clock=5000.0, began=900.0)


@pytest.mark.parametrize(
    ("rules", "before", "after", "ended"),
    [
        (StopRules(duration_s=60), replace(SEEN, recorded_s=59.9), replace(SEEN, recorded_s=60.0), Ended.DURATION),
        (StopRules(size_bytes=10), replace(SEEN, size_bytes=9), replace(SEEN, size_bytes=10), Ended.SIZE),
        (StopRules(at=5001), SEEN, replace(SEEN, wall_clock=5001.0), Ended.TIME_OF_DAY),
        (StopRules(silence_s=30), replace(SEEN, heard_at=971.0), replace(SEEN, heard_at=970.0), Ended.SILENCE),
        (StopRules(silence_s=100.5), SEEN, replace(SEEN, now=1000.5), Ended.SILENCE),
        (
            StopRules(alone_s=30),
            replace(SEEN, accompanied_at=float("inf")),
            replace(SEEN, accompanied_at=970.0),
            Ended.ALONE,
        ),
        (StopRules(alone_s=30), replace(SEEN, accompanied_at=971.0), replace(SEEN, began=970.0), Ended.ALONE),
        (StopRules(no_media_s=5), replace(SEEN, media_at=996.0), replace(SEEN, media_at=0.0), Ended.NO_MEDIA),
    ],
)
def test_a_rule_ends_the_recording_at_its_limit(
    rules: StopRules, before: Observed, after: Observed, ended: Ended
) -> None:
    """Not before."""
    assert stop_reason(rules, before) is None
    assert stop_reason(rules, after) is ended


def test_no_rule_never_ends() -> None:
    """Without limits a recording goes on."""
    assert stop_reason(StopRules(), replace(SEEN, recorded_s=1e9, size_bytes=1 << 60)) is None


def test_silence_and_missing_media_do_not_count_in_a_pause() -> None:
    """Who pauses does not want the recording ended for it; being alone ends it all the same."""
    rules = StopRules(silence_s=1, no_media_s=1)
    assert stop_reason(rules, replace(SEEN, is_paused=True)) is None
    assert stop_reason(replace(rules, alone_s=1), replace(SEEN, is_paused=True)) is Ended.ALONE


def test_who_was_left_leaves_sooner_than_who_waits() -> None:
    """The last person's leaving has a limit of its own, which does not count before anybody came."""
    rules = StopRules(alone_s=900, deserted_s=60)
    assert stop_reason(rules, replace(SEEN, began=101.0)) is None
    assert stop_reason(rules, replace(SEEN, began=100.0)) is Ended.ALONE
    assert stop_reason(rules, replace(SEEN, accompanied_at=941.0)) is None
    assert stop_reason(rules, replace(SEEN, accompanied_at=940.0)) is Ended.ALONE


def test_nothing_counts_before_the_conference_is_joined() -> None:
    """In a waiting room one is neither alone nor in silence."""
    rules = StopRules(silence_s=1, alone_s=1, no_media_s=1)
    assert stop_reason(rules, replace(SEEN, began=float("inf"))) is None
