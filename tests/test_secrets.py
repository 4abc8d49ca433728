"""No secret of a run is written anywhere: not by any logger at any level, not beside the recording, not in an error."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Conference, Node, NodeConfig, RecordingConfig, RecordJob, SessionConfig
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.recorder.recording import Recording

PIN = "83640275"


async def test_no_secret_is_written(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """PIN, tokens and ICE passwords are in no log record, no file and no error of a whole recording."""
    caplog.set_level(logging.DEBUG)
    secrets: set[str] = {PIN}
    joined = asyncio.Event()
    errors: list[str] = []

    def note(recording: Recording, conference: Conference) -> None:
        secrets.add(str.__str__(conference.session.token_result.token))
        for call in conference._calls:
            secrets.add(call.peer._transport._ice.local_password)
            secrets.add(call.peer._transport._ice.remote_password or "")
        joined.set()

    settings = {"meet.alice": RoomSettings(alias="meet.alice", pin=PIN, allow_guests=False)}
    async with Node(NodeConfig(conferences=settings)) as node:
        session = SessionConfig(node_url=node.url, alias="meet.alice", display_name="Recorder", pin=PIN)
        job = RecordJob(session=session, recording=RecordingConfig(path=tmp_path / "talk.mkv"))
        over = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(pexrtc_py.record(job, stopping=over.wait, on_recording=note))
            await joined.wait()
            try:
                async with pexrtc_py.connect(node.url, "meet.alice", pin=PIN + "1"):
                    pass
            except pexrtc_py.PexrtcError as exc:
                errors += [str(exc), repr(exc)]
            async with pexrtc_py.connect(node.url, "meet.alice", pin=PIN) as conference:
                secrets.add(str.__str__(conference.session.token_result.token))
                await conference.session.refresh_now()
                await pexrtc_py.play(conference, pexrtc_py.announcement_of_files([pexrtc_py.clip_path("motion.mkv")]))
                errors.append(repr(conference.session.config))
            over.set()
    secrets.discard("")
    assert len(secrets) >= 4
    assert errors
    written = {str(path): path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.suffix != ".mkv"}
    written["log"] = "\n".join(f"{record.getMessage()} {record.exc_text or ''}" for record in caplog.records)
    written["errors"] = "\n".join(errors)
    assert len(written["log"]) > 1000, "nothing was logged, so nothing was proved"
    for name, text in written.items():
        for secret in secrets:
            assert secret not in text, f"a secret is in {name}"
