"""THE table of the client API: what can be asked of a conferencing node, from where, by whom, with what, for what.

The client's methods, the node's routes, docs/operations.md and the test that proves none is missing are made of it.
An operation is added in `operations_conference` or `operations_participant` first; then its method in signalling/, its
handler in node/, and the page (`python docs/make_operations.py`).

Names: a conference's operation has the word of the wire, unless participants or calls have the same word; a
participant's and a call's always carry their noun (`participant_mute`, `call_ack`).

`since` is the release in which the guide's changelog has it (9 when it was there before the changelog begins). For
operations only observed it is the oldest release with which a client that uses it works: PexRTC of 2016 (14), of 2018
(18), of 2020 (23), the Android SDK, which refuses nodes older than 29, PexRTC of 2024 (34), or the release the
vendor's documentation names.

Left out, because nothing that we could run or read speaks them: set_guests_can_present, set_guests_can_see_guests,
set_clock, get_clock, get_properties, get_attestation, txmute (known by name only), and
registrations.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from .operations_conference import CONFERENCE_ROWS
from .operations_participant import PARTICIPANT_ROWS
from .operations_row import Answer, Caller, Operation, Scope

__all__ = ["OPERATIONS", "Answer", "Caller", "Operation", "Scope"]

OPERATIONS: Mapping[str, Operation] = MappingProxyType({row.name: row for row in CONFERENCE_ROWS + PARTICIPANT_ROWS})
"""Every operation by name."""
