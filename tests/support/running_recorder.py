"""A recorder at work: when it is there, what it has heard, and where it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pexrtc_py
from pexrtc_py import Conference, Recorded, Recording, RecordJob
from pexrtc_py.protocol.models import ParticipantUuid
from pexrtc_py.protocol.roster import Roster
from tests.support.waiting import until


class Running:
    """A recorder that runs until told."""

    def __init__(self, job: RecordJob) -> None:
        self.job = job
        self.joined = asyncio.Event()
        self.over = asyncio.Event()
        self.visits = 0
        self.recording: Recording | None = None
        self.conference: Conference | None = None
        self.recorded: Recorded | None = None

    async def run(self) -> None:
        """Record."""

        def note(recording: Recording, conference: Conference) -> None:
            self.recording, self.conference = recording, conference
            self.visits += 1
            self.joined.set()

        self.recorded = await pexrtc_py.record(self.job, stopping=self.over.wait, on_recording=note)

    async def until(self, condition: Callable[[Recording], bool]) -> None:
        """Wait until something is so of the recording, which nothing tells of."""
        async with asyncio.timeout(20):
            await self.joined.wait()

        def is_so() -> bool:
            assert self.recording is not None
            return condition(self.recording)

        await until(is_so, within_s=20)

    async def back_from(self, visits: int) -> None:
        """Wait for the visit after so many, and for some media of it."""
        await self.until(lambda _: self.visits > visits)
        await self.played(0.6)

    async def played(self, seconds: float) -> None:
        """Wait until so much more media has come."""
        await self.until(lambda recording: recording.has_started)
        assert self.recording is not None
        begun = time.monotonic()
        heard = 0.0
        async with asyncio.timeout(seconds + 20):
            while heard < seconds:
                await asyncio.sleep(0.05)
                last = self.recording.watch.heard_at(*pexrtc_py.Role)
                now = time.monotonic()
                if last is not None and now - last < 0.2:
                    heard += now - begun
                begun = now


@asynccontextmanager
async def running(job: RecordJob) -> AsyncIterator[Running]:
    """Run a recorder; it is asked to finish when the block ends, and has then."""
    one = Running(job)
    async with asyncio.TaskGroup() as group:
        group.create_task(one.run())
        await one.joined.wait()
        yield one
        one.over.set()


async def recorder_in(host: Conference) -> ParticipantUuid:
    """Wait until the recorder is in a conference; return its participant there."""

    def recorders(roster: Roster) -> list[ParticipantUuid]:
        return [uuid for uuid, person in roster.participants.items() if person.display_name == "Recorder"]

    async with asyncio.timeout(10):
        await host.session.wait_for(lambda session: bool(recorders(session.roster)))
    [recorder] = recorders(host.roster)
    return recorder
