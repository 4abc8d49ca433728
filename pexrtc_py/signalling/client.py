"""A conferencing node as an object: one typed method per operation of the table, named as there.

What a method takes is the operation's path values first, then its body: as a model, or plainly where the body has one
field. A new operation needs its row in protocol/operations and its method in `client_conference`, `client_participant`
or `client_call`; a test finds the one that is missing.
"""

from __future__ import annotations

import msgspec

from ..errors import UsageError
from ..protocol.models import Body
from ..protocol.operations import OPERATIONS, Answer
from .client_call import CallOperations
from .client_conference import ConferenceOperations
from .client_participant import ParticipantOperations

__all__ = ["NodeClient"]


class NodeClient(ConferenceOperations, ParticipantOperations, CallOperations):
    """All operations on one conference at one node.

    The caller's `asyncio.timeout` bounds each. Cancelling is safe, and leaves open whether the node acted.
    """

    async def ask_by_name(self, name: str, /, **values: object) -> object:
        """Ask any operation by its name, for command lines: path values and fields of body and query by name.

        Values may be strings; they become what the model has, by JSON where that is an object or a list.

        Raises:
            UsageError: no such operation, or a value is missing, unknown or unfit.
            SignallingError, TransportError, RemoteProtocolError: as every operation.
        """
        operation = OPERATIONS.get(name)
        if operation is None or operation.answer is Answer.EVENTS:
            raise UsageError(f"operation {name!r}: there is none of that name")
        rest = dict(values)
        path: dict[str, str] = {}
        for key in operation.takes:
            if key not in rest:
                raise UsageError(f"{name}: {key}= is missing")
            path[key] = str(rest.pop(key))
        file = rest.pop(operation.upload, None) if operation.upload else None
        body, query = _filled(name, operation.body, rest), None
        if operation.body is None:
            query = _filled(name, operation.query, rest)
        if rest:
            raise UsageError(f"{name}: {sorted(rest)[0]}= is not known")
        return await self.ask(
            operation, body=body, query=query, file=file if isinstance(file, bytes) else None, path=path
        )


def _filled(name: str, model: type[Body] | None, values: dict[str, object]) -> Body | None:
    """Take the fields of a model out of the values."""
    if model is None:
        return None
    fields = [field.encode_name for field in msgspec.structs.fields(model)]
    own = {key: _unpacked(name, key, values.pop(key)) for key in fields if key in values}
    try:
        return msgspec.convert(own, model, strict=False) if own or fields else None
    except msgspec.ValidationError as exc:
        raise UsageError(f"{name}: {exc}") from exc


def _unpacked(name: str, key: str, value: object) -> object:
    if not (isinstance(value, str) and value.startswith(("{", "["))):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError as exc:
        raise UsageError(f"{name}: {key}= is no JSON ({exc})") from exc
