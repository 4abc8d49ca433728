"""Changing what is seen: the layouts there are, and `transform_layout`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import msgspec

from .layout import LAYOUTS
from .models import AvailableLayout, LayoutsQuery, TransformLayout, Transforms
from .room_members import Command, Refusal
from .room_state import Handler, RoomState

__all__ = ["LAYOUT"]


def _transform(state: RoomState, command: Command, now: float) -> bool:
    """Change what is given, keep the rest; nothing given at all resets everything."""
    return _apply(state, command.body_as(TransformLayout).transforms, keep=True)


def _override(state: RoomState, command: Command, now: float) -> bool:
    """Replace all by what is given."""
    return _apply(state, command.body_as(Transforms), keep=False)


def _apply(state: RoomState, transforms: Transforms, *, keep: bool) -> bool:
    for name in (transforms.layout, transforms.host_layout, transforms.guest_layout):
        if name is not None and name not in LAYOUTS:
            raise Refusal(HTTPStatus.BAD_REQUEST, "Illegal value")
    given = {k: v for k, v in msgspec.structs.asdict(transforms).items() if v is not None}
    state.transforms = msgspec.structs.replace(state.transforms, **given) if keep and given else transforms
    return True


def _available(state: RoomState, command: Command, now: float) -> list[str] | list[AvailableLayout]:
    if isinstance(command.query, LayoutsQuery) and command.query.annotate:
        return [AvailableLayout(name=name, tags=[]) for name in LAYOUTS]
    return list(LAYOUTS)


def _svgs(state: RoomState, command: Command, now: float) -> dict[str, str]:
    return {name: layout.svg() for name, layout in LAYOUTS.items()}


LAYOUT: Mapping[str, Handler] = {
    "transform_layout": _transform,
    "override_layout": _override,
    "available_layouts": _available,
    "layout_svgs": _svgs,
}
"""Handlers by name of operation."""
