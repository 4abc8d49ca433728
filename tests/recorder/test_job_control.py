"""People who pause, resume and stop a recorder, by digits and by chat."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node
from pexrtc_py.protocol.events import MessageReceived
from tests.recorder.beacon import ALICE, beacon, job_of, read_marks
from tests.support.running_recorder import running


async def test_people_pause_resume_and_stop_it(node: Node, tmp_path: Path) -> None:
    """Digits and a Host's chat are obeyed, a guest's chat is not; what was said in a pause is not in the file, and what
    happened is beside it."""
    job = job_of(
        node.url,
        tmp_path / "talk.mkv",
        sidecars=True,
        chat_control=True,
        digit_control=True,
        notice="This meeting is recorded",
    )
    async with beacon(node.url, ALICE), pexrtc_py.connect(node.url, ALICE, display_name="Host") as host:
        heard = host.events()
        async with running(job) as one:
            await one.played(0.8)
            assert one.conference is not None
            me = one.conference.participant_uuid
            await host.session.wait_for(lambda session: me in session.roster.participants)
            await host.client.participant_dtmf(me, "*1")
            await one.until(lambda recording: recording.is_paused)
            paused_at = one.recording.position() if one.recording else 0.0
            await one.played(1.0)
            await host.say("!resume")
            await one.until(lambda recording: not recording.is_paused)
            assert one.recording is not None
            assert one.recording.position() == pytest.approx(paused_at, abs=0.1)
            await one.played(0.6)
            await host.say("!stop")
            async with asyncio.timeout(5):
                await one.recording.wait_ended()
        said: list[str] = []
        async with asyncio.timeout(5):
            while len(said) < 3:
                event = await anext(heard)
                if isinstance(event, MessageReceived):
                    said.append(event.payload)
    assert said == ["This meeting is recorded", "Recording: resume", "Recording: stop"]
    assert one.recorded is not None
    result = one.recorded.result
    assert result.ended == "stopped"
    seen = await asyncio.to_thread(read_marks, tmp_path / "talk.mkv")
    [(before, after)] = [pair for pair in seen.gaps if pair[0] > 0.3]
    assert after - before < 0.7, "the clock stands still in a pause"
    assert paused_at == pytest.approx(before, abs=0.3)
    beside = {path.name for path in tmp_path.iterdir()} - {"talk.mkv"}
    assert beside == {
        "talk.events.jsonl",
        "talk.roster.json",
        "talk.speakers.vtt",
        "talk.chat.vtt",
        "talk.manifest.json",
        "talk.html",
    }
    manifest = json.loads((tmp_path / "talk.manifest.json").read_text())
    assert manifest["about"]["alias"] == ALICE
    assert {person["name"] for person in manifest["people"]} == {"Beacon meet.alice", "Host", "Recorder"}
    assert [message["text"] for message in manifest["chat"]] == ["!resume", "!stop"]
