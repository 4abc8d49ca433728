"""One job over time, without a clock: started, tried again, held, changed, refused."""

from __future__ import annotations

import pytest

from pexrtc_py.errors import LocalProtocolError
from pexrtc_py.fleet.entries import RecordJobEntry
from pexrtc_py.fleet.keeping import JobState, Keeper
from pexrtc_py.fleet.messages import Ended, Outcome, Run, Started


def entry(when: str | tuple[str, ...] = "always", **how: object) -> RecordJobEntry:
    """A job."""
    return RecordJobEntry(alias="a", id="record:a", when=when, timezone="UTC", **how)  # type: ignore[arg-type]


def keeper(job: RecordJobEntry | None = None) -> Keeper:
    """Its keeper, whose dice always say the most."""
    return Keeper(job or entry(), 0.0, dice=lambda: 1.0)


def started(one: Keeper, now: float) -> Run:
    """Start what is due."""
    run = one.decide(now)
    assert run is not None
    one.start(run, now)
    one.handle_started(Started(job_id="record:a", number=run.number, path="/x.mkv"), now)
    return run


def end(one: Keeper, outcome: Outcome, now: float) -> None:
    """End its run."""
    one.handle_ended(Ended(job_id="record:a", number=one.run, outcome=outcome, reason="because"), now)


def test_failures_are_tried_again_later_and_later() -> None:
    """Each delay is twice the one before, up to a minute; a run that lasted a minute begins anew with the shortest."""
    one, now, delays = keeper(), 0.0, []
    for _ in range(8):
        started(one, now)
        end(one, Outcome.LOST, now + 1)
        assert one.state is JobState.RETRYING
        assert one.decide(now + 1) is None
        delays.append(one.next_look(now + 1) - (now + 1))
        now = one.next_look(now + 1)
    assert delays == [0.5, 1, 2, 4, 8, 16, 32, 60]
    started(one, now)
    end(one, Outcome.FAILED, now + 61)
    assert one.next_look(now + 61) == now + 61.5
    assert one.failures == 9


def test_always_goes_on_after_a_good_end() -> None:
    """A moment later, without counting it as a failure."""
    one = keeper()
    assert started(one, 0.0).number == 1
    assert (one.state, one.path) == (JobState.RUNNING, "/x.mkv")
    end(one, Outcome.DONE, 100.0)
    assert one.decide(100.0) is None
    assert started(one, one.next_look(100.0)).number == 2
    assert one.failures == 0


def test_a_wrong_pin_is_held_until_somebody_helps() -> None:
    """Trying on would lock the conference; reading the file again lets it try once more."""
    one = keeper()
    started(one, 0.0)
    end(one, Outcome.REFUSED, 1.0)
    assert one.state is JobState.HELD
    assert one.decide(1e9) is None
    assert one.change(one.job, 2.0) is False
    assert one.decide(2.0) is not None


def test_who_was_put_out_stays_away_for_a_while() -> None:
    """For as long as the job says."""
    one = keeper(entry(removed_wait_s=500.0))
    started(one, 0.0)
    end(one, Outcome.REMOVED, 10.0)
    assert one.decide(509.0) is None
    assert one.decide(510.0) is not None


def test_a_window_ends_the_run_and_opens_again() -> None:
    """The run is told when to stop; one that fails within the window is tried again, one after it is not."""
    one = keeper(entry("00:10-00:20"))
    assert one.decide(0.0) is None
    assert one.next_look(0.0) == 600.0
    assert started(one, 600.0).stop_at == 1200.0
    end(one, Outcome.FAILED, 700.0)
    assert started(one, 701.0).stop_at == 1200.0
    end(one, Outcome.DONE, 1200.0)
    assert one.decide(1203.0) is None
    assert one.next_look(1203.0) == 600.0 + 86400.0


def test_a_start_is_made_once() -> None:
    """What ended well is done for this time, however short it was; what failed is tried again for a minute."""
    one = keeper(entry("every 15m"))
    started(one, 900.0)
    end(one, Outcome.FAILED, 901.0)
    started(one, 902.0)
    end(one, Outcome.DONE, 903.0)
    assert one.decide(910.0) is None
    assert one.decide(1800.0) is not None


@pytest.mark.parametrize("outcome", [Outcome.LOST, Outcome.FAILED])
def test_what_is_broken_off_long_after_its_start_goes_on(outcome: Outcome) -> None:
    """A meeting of nine o'clock whose process died at half past was once not recorded any more."""
    one = keeper(entry("00:10"))
    started(one, 600.0)
    end(one, outcome, 2400.0)
    assert started(one, one.next_look(2400.0)).stop_at is None
    end(one, outcome, 2500.0)
    assert one.decide(2500.5) is not None
    assert one.decide(2561.0) is None, "for a minute, like any start"
    assert (one.state, one.next_look(2561.0)) == (JobState.WAITING, 600.0 + 86400.0)
    started(one, 600.0 + 86400.0)
    end(one, Outcome.DONE, 2400.0 + 86400.0)
    assert one.decide(2410.0 + 86400.0) is None, "what ended well is done"


def test_who_never_came_in_does_not_go_on() -> None:
    """What was never begun is not tried any longer than a minute."""
    one = keeper(entry("00:10"))
    run = one.decide(600.0)
    assert run is not None
    one.start(run, 600.0)
    end(one, Outcome.FAILED, 661.0)
    assert one.decide(662.0) is None


def test_no_room_is_told_once_and_looked_for_again() -> None:
    """The reason is kept up to date, the news is told once."""
    one = keeper()
    assert one.decide(0.0) is not None
    assert one.refuse("disk", 0.0) is True
    assert one.decide(1.0) is None
    assert one.decide(5.0) is not None
    assert one.refuse("still the disk", 5.0) is False
    assert (one.state, one.reason, one.refusals) == (JobState.REFUSED, "still the disk", 1)
    started(one, 10.0)
    assert one.state is JobState.RUNNING


def test_a_job_that_changed_runs_as_it_is_now() -> None:
    """It is let finish first; one that is not running changes at once."""
    one = keeper()
    started(one, 0.0)
    assert one.change(entry(name="New"), 5.0) is True
    assert one.state is JobState.STOPPING
    end(one, Outcome.DONE, 6.0)
    assert started(one, 6.0).job.name == "New"
    end(one, Outcome.FAILED, 7.0)
    assert one.change(entry(name="Newer"), 7.0) is False
    assert started(one, 7.0).job.name == "Newer"


def test_a_job_that_is_gone() -> None:
    """It finishes, and is not started again."""
    one = keeper()
    started(one, 0.0)
    assert one.change(None, 5.0) is True
    assert not one.is_gone
    end(one, Outcome.DONE, 6.0)
    assert one.is_gone
    assert one.decide(100.0) is None


def test_reports_of_an_earlier_run_do_not_count() -> None:
    """A worker's last words may come after its run was given to another."""
    one = keeper()
    started(one, 0.0)
    one.handle_ended(Ended(job_id="record:a", number=0, outcome=Outcome.LOST, reason="old"), 1.0)
    assert one.state is JobState.RUNNING
    with pytest.raises(LocalProtocolError):
        one.start(Run(job=one.job, number=2), 1.0)
