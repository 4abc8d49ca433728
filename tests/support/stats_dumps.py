"""An RTCStats dump read by the words of its specification, and by nothing of ours."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Dump", "read_dump"]


@dataclass
class Dump:
    """What stands in a dump."""

    metadata: dict[str, Any]
    events: list[tuple[float, str, str | None, Any]] = field(default_factory=list)
    """(milliseconds of the Unix epoch, name, connection, value); of statistics all reports, by id."""

    def of(self, name: str, connection: str | None = None) -> list[Any]:
        """The values of events of one name, of one connection or of all."""
        return [value for _, event, which, value in self.events if event == name and connection in (None, which)]


def read_dump(data: bytes) -> Dump:
    """Read it: the magic line, the metadata, then arrays whose last elements are the times since the line before."""
    magic, metadata, *lines = data.decode().split("\n")
    assert magic == "RTCStatsDump"
    assert lines.pop() == ""
    dump = Dump(json.loads(metadata))
    assert dump.metadata["fileFormat"] == 3
    at = 0.0
    before: dict[str, dict[str, Any]] = {}
    for line in lines:
        name, connection, value, *rest = json.loads(line, parse_constant=_refuse)
        at += rest[-1]
        if name == "getStats":
            value = before[connection] = _whole(before.get(connection, {}), value)
        dump.events.append((at, name, connection, value))
    return dump


def _refuse(constant: str) -> None:
    """JSON has no such number."""
    raise AssertionError(constant)


def _whole(before: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """Undo the compression: what is not said is as before, null is gone, a time that is not said is the newest."""
    newest = delta.pop("t", None)
    whole = {}
    for name in before | delta:
        if delta.get(name, ...) is None:
            continue
        changed = delta.get(name, {})
        whole[name] = {**before.get(name, {}), **changed}
        if "timestamp" not in changed:
            whole[name]["timestamp"] = newest
    return whole
