"""What the options of `pexrtc probe` and `pexrtc doctor` mean as plans: who goes where, measures what, fails when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import UsageError
from ..media.marks_source import ReferenceConfig
from ..probe.attempts import Plan, PlanKind, each_node, spread
from ..probe.doctor import DoctorConfig
from ..probe.ends import EndConfig
from ..probe.running import RunConfig
from ..probe.thresholds import Threshold
from ..signalling import SessionConfig
from ..signalling.finding import Resolver, query_dns
from ..webrtc.impairment import Impairment, TwoWayImpairment
from .joining import WayIn, find_session, peer_config
from .stats_dumping import Dumped

__all__ = ["PlanOptions", "dumped_plan", "make_plans", "read_size"]

_MEDIA_S: Final = 10.0
_ALONE_S: Final = 3.0
"""How long is waited for media that need not come."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """The options that say what to measure."""

    kind: PlanKind = PlanKind.SINGLE
    name: str = "Probe"
    duration_s: float = 30.0
    thresholds: tuple[Threshold, ...] = ()
    control: bool = False
    network_only: bool = False
    relay_only: bool = False
    all_nodes: bool = False
    wants_media: bool = True
    reference: ReferenceConfig = field(default_factory=ReferenceConfig)
    impairment: Impairment | TwoWayImpairment | None = None
    media_addresses: tuple[str, ...] = ()
    media_ports: str | None = None

    def __post_init__(self) -> None:
        if self.network_only and self.kind in (PlanKind.ECHO, PlanKind.JOIN):
            raise UsageError(f"--network-only looks at packets alone, which --{self.kind.value} cannot do with")
        if self.control and self.kind is not PlanKind.PAIR:
            raise UsageError("--control times what the other participant notices: it needs --pair")
        if self.control and self.network_only:
            raise UsageError("--control looks at a presentation, which --network-only does not")
        if not self.wants_media and self.kind in (PlanKind.ECHO, PlanKind.PAIR):
            raise UsageError(f"--alone: with --{self.kind.value} what is sent must come")


async def make_plans(
    aliases: Sequence[str], way: WayIn, options: PlanOptions, *, resolve: Resolver = query_dns
) -> list[Plan]:
    """Find every conference, and plan what to do there; with `all_nodes` on each of its nodes. Cancelling is safe.

    Raises:
        UsageError: an alias leads nowhere, or it would be too many participants.
        TransportError: no resolver answered.
    """
    sessions: list[SessionConfig] = []
    for alias in aliases:
        session = await find_session(alias, way, name=options.name, resolve=resolve)
        sessions += each_node(session) if options.all_nodes else [session]
    return spread([_plan(session, options) for session in sessions])


def dumped_plan(plan: Plan, dumped: Dumped) -> Plan:
    """Return a plan whose calls are dumped."""
    second = plan.second
    return replace(
        plan,
        end=replace(plan.end, peer=dumped(plan.end.peer)),
        second=replace(second, peer=dumped(second.peer)) if second is not None else None,
    )


def _plan(session: SessionConfig, options: PlanOptions) -> Plan:
    peer = replace(peer_config(list(options.media_addresses), options.media_ports), relay_only=options.relay_only)
    end = EndConfig(
        session=session,
        peer=replace(peer, impairment=options.impairment),
        reference=options.reference,
        network_only=options.network_only,
    )
    # The bad network is the first end's: what it sends and what it gets; the other one stays well, and tells.
    other = replace(session, display_name=f"{options.name} 2")
    return Plan(
        end=end,
        second=replace(end, session=other, peer=peer) if options.kind is PlanKind.PAIR else None,
        kind=options.kind,
        run=RunConfig(
            duration_s=options.duration_s,
            thresholds=options.thresholds,
            control=options.control,
            wants_media=options.wants_media,
            media_timeout_s=_MEDIA_S if options.wants_media else _ALONE_S,
        ),
        doctor=DoctorConfig(
            thresholds=options.thresholds,
            wants_media=options.wants_media,
            media_s=_MEDIA_S if options.wants_media else _ALONE_S,
        ),
    )


def read_size(text: str) -> ReferenceConfig:
    """Read `--size`, WIDTHxHEIGHT with @RATE if one likes.

    Raises:
        UsageError: it is none, or nothing that can be sent.
    """
    size, at, rate = text.partition("@")
    width, _, height = size.partition("x")
    read = all(number.isdecimal() and len(number) <= 4 for number in (width, height))
    if not (read and 160 <= int(width) <= 3840 and 90 <= int(height) <= 2160):
        raise UsageError(f"--size {text}: say 1280x720; from 160x90 to 3840x2160")
    if at and not (rate.isdecimal() and len(rate) <= 2 and 1 <= int(rate) <= 60):
        raise UsageError(f"--size {text}: a rate is from 1 to 60 pictures a second, as in 1280x720@30")
    return ReferenceConfig(width=int(width) & ~1, height=int(height) & ~1, frame_rate=float(rate) if at else 30.0)
