"""The table: complete, consistent, and the same as the client and the page made of it."""

from __future__ import annotations

import inspect
import runpy
from pathlib import Path

import pytest

from pexrtc_py.protocol.operations import OPERATIONS, Answer, Operation, Scope
from pexrtc_py.signalling import NodeClient

GUIDE = [
    "request_token",
    "refresh_token",
    "release_token",
    "events",
    "presentation_jpeg",
    "dial",
    "conference_status",
    "conference_lock",
    "conference_unlock",
    "start_conference",
    "muteguests",
    "unmuteguests",
    "conference_disconnect",
    "conference_message",
    "participants",
    "participant_disconnect",
    "participant_mute",
    "participant_unmute",
    "participant_allowrxpresentation",
    "participant_denyrxpresentation",
    "participant_spotlighton",
    "participant_spotlightoff",
    "participant_unlock",
    "participant_dtmf",
    "participant_calls",
    "participant_role",
    "participant_transfer",
    "call_ack",
    "call_disconnect",
    "call_dtmf",
]


def test_guide_is_complete() -> None:
    """Every operation of the v14 guide is in the table, and nothing else claims to be of the guide."""
    assert sorted(GUIDE) == sorted(name for name, operation in OPERATIONS.items() if operation.is_guide)


def test_rows_are_distinct() -> None:
    """No two rows answer to the same request."""
    assert len({(row.verb, row.path) for row in OPERATIONS.values()}) == len(OPERATIONS)


@pytest.mark.parametrize("row", OPERATIONS.values(), ids=lambda row: row.name)
def test_row(row: Operation) -> None:
    """A row is consistent: verb and body, scope and path, name and scope."""
    assert row.verb in ("GET", "POST")
    assert row.verb == "POST" or (row.body is None and not row.upload)
    assert (row.scope is Scope.CALL) == ("call" in row.takes)
    assert row.scope is Scope.CONFERENCE or row.name.startswith(f"{row.scope}_")
    assert (row.answer is Answer.JSON) or row.verb == "GET"
    assert row.summary.endswith(".")
    assert 9 <= row.since <= 41


@pytest.mark.parametrize("row", [r for r in OPERATIONS.values() if r.name != "events"], ids=lambda row: row.name)
def test_client_has_method(row: Operation) -> None:
    """Every row has a typed method of its name, taking what its path takes, documented in the row's words."""
    method = getattr(NodeClient, row.name)
    parameters = list(inspect.signature(method).parameters)
    assert tuple(parameters[1 : 1 + len(row.takes)]) == row.takes
    assert inspect.getdoc(method) == row.summary
    takes_more = len(parameters) > 1 + len(row.takes)
    assert takes_more == bool(row.body or row.query or row.upload)


def test_path_is_quoted() -> None:
    """What is filled in cannot leave its place in the path."""
    assert OPERATIONS["call_ack"].fill(participant="a/b?c", call="é") == "participants/a%2Fb%3Fc/calls/%C3%A9/ack"


def test_page_is_current() -> None:
    """docs/operations.md is what the table makes."""
    script = Path(__file__).parents[2] / "docs" / "make_operations.py"
    made = runpy.run_path(str(script))
    assert made["PAGE"].read_text(encoding="utf-8") == made["page"](), "run: python docs/make_operations.py"
