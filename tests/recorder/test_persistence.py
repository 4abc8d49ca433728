"""What is tried again, for how long, and what is not."""

from __future__ import annotations

import pytest

from pexrtc_py.errors import (
    ConferenceNotFound,
    Forbidden,
    NoMedia,
    PexrtcError,
    PinInvalid,
    SessionClosedError,
    TokenExpired,
    TransportError,
    WriteError,
)
from pexrtc_py.protocol.backoff import Backoff
from pexrtc_py.protocol.models import Reason
from pexrtc_py.recorder.persistence import Patience, is_final, may_come_to_life


@pytest.mark.parametrize(
    ("error", "final"),
    [
        (SessionClosedError(Reason.DISCONNECTED_BY_PARTICIPANT, by_us=False), True),
        (SessionClosedError(Reason.DISCONNECTED_BY_ADMINISTRATOR, by_us=False), True),
        (SessionClosedError(Reason.MAINTENANCE, by_us=False), False),
        (SessionClosedError("the token could not be refreshed before its end", by_us=False), False),
        (PinInvalid("request_token", 403, "Invalid PIN"), True),
        (WriteError("disk full"), True),
        (ConferenceNotFound("request_token", 404, "not yet again"), False),
        (TokenExpired("calls", 403, "Invalid token"), False),
        (TransportError("refused"), False),
        (NoMedia("silence"), False),
    ],
)
def test_whom_somebody_put_out_stays_out(error: PexrtcError, *, final: bool) -> None:
    """Everything else is tried again."""
    assert is_final(error) is final


@pytest.mark.parametrize(
    ("error", "may"),
    [
        (ConferenceNotFound("request_token", 404, "no such alias"), True),
        (TransportError("refused"), True),
        (SessionClosedError(Reason.WAITED_TOO_LONG, by_us=False), True),
        (Forbidden("request_token", 403, "locked"), False),
        (PinInvalid("request_token", 403, "Invalid PIN"), False),
    ],
)
def test_who_comes_too_early(error: PexrtcError, *, may: bool) -> None:
    """What may be there later is waited for; a refusal is one."""
    assert may_come_to_life(error) is may


def test_patience_begins_anew_once_media_was_heard() -> None:
    """The delays grow within one loss, end at its limit, and begin again with the next."""
    patience = Patience(10.0, Backoff(lambda: 1.0, first_s=1.0, ceiling_s=4.0))
    patience.lose(100.0, heard_at=100.0)
    assert [patience.next_delay(now) for now in (100.0, 101.0, 103.0, 107.0)] == [1.0, 2.0, 4.0, 3.0]
    patience.hasten()
    assert patience.next_delay(107.0) == 1.0
    patience.lose(109.0, heard_at=100.0)
    assert patience.next_delay(110.0) is None
    patience.lose(120.0, heard_at=119.0)
    assert patience.next_delay(120.0) == 1.0


def test_no_patience_at_all() -> None:
    """A limit of 0 gives up at once."""
    patience = Patience(0.0, Backoff(lambda: 0.0))
    patience.lose(5.0, heard_at=4.0)
    assert patience.next_delay(5.0) is None
