"""Operations on calls, as methods."""

from __future__ import annotations

from typing import cast

from ..protocol.models import (
    AckRequest,
    CallResult,
    CallUuid,
    CandidateRequest,
    DtmfRequest,
    FeccRequest,
    ParticipantUuid,
    StatisticsRequest,
    UpdateRequest,
)
from ..protocol.operations import OPERATIONS
from .exchange import Exchange

__all__ = ["CallOperations"]


class CallOperations(Exchange):
    """What can be asked about one call; errors as `Exchange.ask` has them."""

    async def call_ack(self, participant: ParticipantUuid, call: CallUuid, request: AckRequest | None = None) -> bool:
        """Start the media of a call."""
        return cast(
            bool, await self.ask(OPERATIONS["call_ack"], body=request, path={"participant": participant, "call": call})
        )

    async def call_disconnect(self, participant: ParticipantUuid, call: CallUuid) -> bool:
        """End a call."""
        return cast(
            bool, await self.ask(OPERATIONS["call_disconnect"], path={"participant": participant, "call": call})
        )

    async def call_dtmf(self, participant: ParticipantUuid, call: CallUuid, digits: str) -> bool:
        """Send digits into a call."""
        return cast(
            bool,
            await self.ask(
                OPERATIONS["call_dtmf"],
                body=DtmfRequest(digits=digits),
                path={"participant": participant, "call": call},
            ),
        )

    async def call_update(
        self, participant: ParticipantUuid, call: CallUuid, request: UpdateRequest
    ) -> CallResult | str:
        """Offer anew within a call."""
        return cast(
            CallResult | str,
            await self.ask(OPERATIONS["call_update"], body=request, path={"participant": participant, "call": call}),
        )

    async def call_new_candidate(self, participant: ParticipantUuid, call: CallUuid, request: CandidateRequest) -> None:
        """Tell a candidate of ours that came after the offer."""
        await self.ask(OPERATIONS["call_new_candidate"], body=request, path={"participant": participant, "call": call})

    async def call_statistics(self, participant: ParticipantUuid, call: CallUuid, request: StatisticsRequest) -> None:
        """Tell how the media of a call fares."""
        await self.ask(OPERATIONS["call_statistics"], body=request, path={"participant": participant, "call": call})

    async def call_fecc(self, participant: ParticipantUuid, call: CallUuid, request: FeccRequest) -> bool:
        """Move the camera at the other end of a call."""
        return cast(
            bool, await self.ask(OPERATIONS["call_fecc"], body=request, path={"participant": participant, "call": call})
        )
