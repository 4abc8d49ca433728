"""The table of operations as `pexrtc control` shows it: to read, as JSON, and word by word to a shell."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from enum import StrEnum
from textwrap import wrap
from typing import get_args

import msgspec
import typer

from ..errors import UsageError
from ..protocol.models import Body
from ..protocol.operations import OPERATIONS, Caller, Operation, Scope
from .lines import json_line

__all__ = ["check_values", "complete_operation", "complete_value", "secret_fields", "table_as_json", "table_as_text"]

_WIDTH = 100

_HEADINGS = {
    Scope.CONFERENCE: "THE CONFERENCE",
    Scope.PARTICIPANT: "ONE PARTICIPANT (participant=NAME, UUID or me)",
    Scope.CALL: "ONE CALL OF OUR OWN",
}


def secret_fields(row: Operation) -> frozenset[str]:
    """Name the values of an operation that nobody shall read over a shoulder."""
    return frozenset(getattr(row.body, "secret", ()))


def check_values(row: Operation, given: Collection[str]) -> None:
    """See that what must be given is, and nothing else, before anybody is asked.

    Raises:
        UsageError: something is missing or not known.
    """
    values = _values(row)
    known = [name for name, _, _ in values]
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes nothing"
            raise UsageError(f"{row.name}: {name}= is not known; {takes}")
    for name, required, choices in values:
        if required and name not in given:
            hint = f" ({', '.join(choices)})" if choices else ""
            raise UsageError(f"{row.name}: {name}= is missing{hint}")


def table_as_text(word: str = "") -> str:
    """Print the operations whose name or purpose has a word in it; all for an empty one."""
    lines: list[str] = []
    for scope, heading in _HEADINGS.items():
        rows = [row for row in _rows(word) if row.scope is scope]
        if rows:
            lines += [heading, ""]
        for row in rows:
            lines += [f"  {row.name}  ({row.caller})", f"      {row.summary}"]
            if values := " ".join(_spelt(value) for value in _values(row)):
                lines += wrap(values, _WIDTH, initial_indent=" " * 6, subsequent_indent=" " * 6, break_on_hyphens=False)
            if row.node:
                lines.append(f"      Not by pexrtc node: {row.node}.")
            lines.append("")
    return "\n".join(lines).rstrip() or f"no operation has {word!r} in it"


def table_as_json(word: str = "") -> str:
    """Return the same as one JSON object."""
    return json_line(
        {
            "operations": [
                {
                    "name": row.name,
                    "request": f"{row.verb} {row.path}",
                    "scope": str(row.scope),
                    "caller": str(row.caller),
                    "summary": row.summary,
                    "values": [
                        {"name": name, "required": required, "choices": choices}
                        for name, required, choices in _values(row)
                    ],
                    "since": row.since,
                    "node": row.supported,
                }
                for row in _rows(word)
            ]
        }
    )


def complete_operation(incomplete: str) -> Iterator[tuple[str, str]]:
    """Tell a shell the operations that begin so."""
    for row in OPERATIONS.values():
        if row.name.startswith(incomplete):
            yield row.name, row.summary


def complete_value(ctx: typer.Context, incomplete: str) -> Iterator[str]:
    """Tell a shell what the operation before the cursor wants; after the equals sign, what may stand there."""
    row = OPERATIONS.get(str(ctx.params.get("operation") or ""))
    if row is None:
        return
    given = {str(item).partition("=")[0] for item in ctx.params.get("values") or ()}
    for name, _, choices in _values(row):
        if name not in given:
            yield from (
                text for text in ([f"{name}={c}" for c in choices] or [f"{name}="]) if text.startswith(incomplete)
            )


def _rows(word: str) -> list[Operation]:
    word = word.casefold()
    return [row for row in OPERATIONS.values() if word in row.name or word in row.summary.casefold()]


def _values(row: Operation) -> list[tuple[str, bool, list[str]]]:
    """Name what an operation takes, whether it must be there, and what it can be."""
    values = [(name, row.caller is not Caller.SELF or name != "participant", list[str]()) for name in row.takes]
    if row.upload:
        values.append((row.upload, True, []))
    model: type[Body] | None = row.body or row.query
    if model is not None:
        values += [(field.encode_name, field.required, _choices(field.type)) for field in msgspec.structs.fields(model)]
    return values


def _choices(kind: object) -> list[str]:
    kinds = (kind, *get_args(kind))
    for each in kinds:
        if isinstance(each, type) and issubclass(each, StrEnum):
            return [str(member) for member in each if member.name != "UNKNOWN"]
    return ["true", "false"] if bool in kinds else []


def _spelt(value: tuple[str, bool, list[str]]) -> str:
    name, required, choices = value
    text = f"{name}={'|'.join(choices)}"
    return text if required else f"[{text}]"
