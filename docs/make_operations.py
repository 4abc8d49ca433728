"""Write docs/operations.md from the table of operations: `python docs/make_operations.py`.

A test holds the page to the table.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from pexrtc_py.protocol.events import (
    EVENT_TYPES,
    ConferenceUpdate,
    Event,
    ParticipantCreate,
    ParticipantUpdate,
    Stage,
    StageEntry,
)
from pexrtc_py.protocol.models import ConferenceStatus, Participant, Result
from pexrtc_py.protocol.operations import OPERATIONS, Operation, Scope

PAGE = Path(__file__).with_name("operations.md")
_PROTOCOL = Path(__file__).parent.parent / "pexrtc_py" / "protocol"

_HEAD = """\
# Operations of the client API

Made from `pexrtc_py/protocol/operations.py` by `python docs/make_operations.py`; do not edit.

Paths are below `/api/client/v2/conferences/<alias>/`. *Method* is that of `session.client`; path values come first,
then the body: as the model named here, or its field where it has one. *Since* is the release of Pexip Infinity,
*section* the heading of the v14 guide, or "observed" for what only newer nodes and clients do. *Node* says whether the
embedded node does it. Operations on participants, calls and the conference exist inside each breakout too:
`session.client.in_breakout(uuid).conference_lock()` asks them there, and `roster.breakouts` tells which there are.
"""

_INNER: dict[type[object], type[Result]] = {
    ParticipantCreate: Participant,
    ParticipantUpdate: Participant,
    ConferenceUpdate: ConferenceStatus,
    Stage: StageEntry,
}

_HEADINGS = {
    Scope.CONFERENCE: "Tokens, events, conference",
    Scope.PARTICIPANT: "One participant",
    Scope.CALL: "One call",
}


def _type(kind: object) -> str:
    name = getattr(kind, "__name__", "")
    if not name or "[" in str(kind) or "|" in str(kind):
        name = str(kind).replace("typing.Union", "")
        for module in sorted({word.rpartition(".")[0] for word in name.replace("[", " ").split() if "." in word}):
            name = name.replace(module + ".", "")
    return {"NoneType": "null", "bool": "true or false"}.get(name, name)


def _row(operation: Operation) -> str:
    method = "`session.events()`" if operation.name == "events" else f"`{operation.name}`"
    takes = operation.body or operation.query
    sent = f"`{takes.__name__}`" if takes else operation.upload and f"multipart `{operation.upload}`"
    result = _type(operation.result).replace("|", "or")
    node = "yes" if operation.supported else f"404: {operation.node}"
    section = operation.section.removeprefix("guide: ") if operation.is_guide else "observed"
    cells = (
        f"`{operation.verb} {operation.path}`", method, operation.summary, str(operation.caller), sent or "", result,
        str(operation.since), section, node,
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """Make the whole page."""
    parts = [_HEAD]
    for scope, heading in _HEADINGS.items():
        parts.append(
            f"\n## {heading}\n\n"
            "| request | method | what it does | who may | body or query | result | since | section | node |\n"
            "|---|---|---|---|---|---|---|---|---|\n"
        )
        parts.append("\n".join(_row(row) for row in OPERATIONS.values() if row.scope is scope) + "\n")
    parts.append("\n## Events\n\n| event | type | what it tells | fields |\n|---|---|---|---|\n")
    parts.extend(_event_row(name, kind) for name, kind in EVENT_TYPES.items())
    parts.append('\n## Bodies and results\n\nA field without a default must be given; null stands for "not given".\n')
    for module in sorted(_PROTOCOL.glob("models_*.py")):
        parts.extend(_models(ast.parse(module.read_text(encoding="utf-8"))))
    return "".join(parts)


def _models(tree: ast.Module) -> Iterator[str]:
    """Document every struct of a module, with the docstrings that stand below its fields."""
    for kind in tree.body:
        if not (isinstance(kind, ast.ClassDef) and {ast.unparse(base) for base in kind.bases} & {"Body", "Result"}):
            continue
        yield f"\n### {kind.name}\n\n{ast.get_docstring(kind)}\n\n"
        yield "| field | type | default | meaning |\n|---|---|---|---|\n"
        for line, below in zip(kind.body, [*kind.body[1:], None], strict=True):
            if not isinstance(line, ast.AnnAssign) or ast.unparse(line.annotation).startswith("ClassVar"):
                continue
            types = ast.unparse(line.annotation).replace(" | UnsetType", "").replace("|", "or")
            default = f"`{ast.unparse(line.value)}`".replace("`UNSET`", "left out") if line.value else ""
            text = ast.literal_eval(below.value) if isinstance(below, ast.Expr) else ""
            yield f"| `{ast.unparse(line.target)}` | {types} | {default} | {text} |\n"


def _event_row(name: str, kind: type[Event]) -> str:
    told = (kind.__doc__ or "").partition("\n")[0]
    fields = ", ".join(f"`{field}`" for field in (_INNER.get(kind, kind)).__struct_fields__)
    return f"| `{name}` | `{kind.__name__}` | {told} | {fields} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
