"""The files beside a recording, as others read them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.protocol.events import Event, MessageReceived, ParticipantCreate, Refer, Stage, StageEntry, parse_event
from pexrtc_py.protocol.models_base import ParticipantUuid, Token
from pexrtc_py.protocol.models_participant import Participant
from pexrtc_py.recorder.manifest import changed_files
from pexrtc_py.recorder.page import make_page
from pexrtc_py.recorder.recording import Recording
from pexrtc_py.recorder.recording_config import RecordingConfig
from pexrtc_py.recorder.roles import Role
from pexrtc_py.recorder.sidecars import (
    SIDECAR_ENDINGS,
    Sidecars,
    events_beside,
    read_story,
    rewrite_sidecars,
    sidecar_path,
)
from tests.support.frames import opus_frames
from tests.support.recording_scene import START, Clock, Stream

HOSTILE = "</script><!--<img src=x onerror=alert(1)>\u2028 --> {{script}}"
ALICE = ParticipantUuid("a")
EVENTS: list[Event] = [
    ParticipantCreate(participant=Participant(uuid=ALICE, display_name=HOSTILE)),
    Stage(entries=[StageEntry(participant_uuid=ALICE, vad=100)]),
    MessageReceived(origin=HOSTILE, uuid=ALICE, payload="hello\n\nthere"),
    Refer(alias="elsewhere", token=Token("one-time-secret")),
]


async def record(path: Path, meddle: Callable[[], object] = lambda: None) -> tuple[Sidecars, tuple[Path, ...]]:
    """Record a second with an event every 200 ms; return the files beside. `meddle` is called before they are made."""
    clock, stream = Clock(), Stream()
    recording = Recording(RecordingConfig(path=path), clock=clock, wall_clock=lambda: 1.8e9 + clock.now)
    async with Sidecars(recording, path, wall_clock=lambda: 1.8e9 + clock.now) as sidecars:
        async with recording:
            recording.attach(Role.AUDIO, stream)
            for n, frame in enumerate(opus_frames(50, start=START, ntp_offset=1.0)):
                clock.now = frame.time
                stream.push(frame)
                if n % 10 == 9 and n // 10 < len(EVENTS):
                    sidecars.note(EVENTS[n // 10])
        meddle()
        return sidecars, await sidecars.write(recording.result, {"alias": "meet.alice"})


async def test_each_file_tells_its_part(tmp_path: Path) -> None:
    """Events, roster, speakers, chat and manifest, on the recording's clock, private, with hashes that fit."""
    path = tmp_path / "talk.mkv"
    sidecars, written = await record(path)
    assert sidecars.failures == []
    assert {one.name for one in written} == {
        "talk.roster.json",
        "talk.speakers.vtt",
        "talk.chat.vtt",
        "talk.manifest.json",
        "talk.html",
    }
    assert {stat.S_IMODE(one.stat().st_mode) for one in tmp_path.iterdir()} == {0o600}
    lines = [json.loads(line) for line in sidecar_path(path, "events.jsonl").read_text().splitlines()]
    assert [(line["at_s"], line["event"]) for line in lines] == [
        (0.18, "participant_create"),
        (0.38, "stage"),
        (0.58, "message_received"),
        (0.78, "refer"),
    ]
    assert lines[0]["time"] == "2027-01-15T08:08:20.180Z"
    manifest = json.loads(sidecar_path(path, "manifest.json").read_text())
    assert manifest["files"] == [
        {"name": "talk.mkv", "bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    ]
    assert manifest["began_at"] == "2027-01-15T08:08:20.000Z"
    assert manifest["about"] == {"alias": "meet.alice"}
    assert manifest["chapters"] == [{"start_s": pytest.approx(0.38), "end_s": 1.0, "title": HOSTILE}]
    assert [(one["start_s"], one["end_s"]) for one in manifest["speakers"]] == [(pytest.approx(0.38), 1.0)]
    assert manifest["streams"][0]["packets"] == 50
    assert json.loads(sidecar_path(path, "roster.json").read_text())[0]["name"] == HOSTILE
    assert "hello there</v>" in sidecar_path(path, "chat.vtt").read_text()


async def test_the_story_can_be_read_again_from_the_events(tmp_path: Path) -> None:
    """After a kill, with the last line cut off, the others can be made anew."""
    path = tmp_path / "talk.mkv"
    await record(path)
    events = sidecar_path(path, "events.jsonl")
    events.write_bytes(events.read_bytes()[:-20])
    story, chapters = read_story(events)
    assert chapters == [(0.38, HOSTILE)]
    assert [(one.at_s, one.name, one.text) for one in story.messages] == [(0.58, HOSTILE, "hello\n\nthere")]
    assert [one.name for one in story.attendance()] == [HOSTILE]
    with pytest.raises(SourceError, match="no such file"):
        read_story(tmp_path / "nothing.jsonl")


async def test_what_a_kill_left_unwritten_is_made_of_the_events(tmp_path: Path) -> None:
    """Byte for byte what would have been written; what is there stays, and without events it is an error."""
    path = tmp_path / "talk.mkv"
    await record(path)
    names = ("roster.json", "speakers.vtt", "chat.vtt")
    written = {name: sidecar_path(path, name).read_bytes() for name in names}
    events = sidecar_path(path, "events.jsonl")
    for name in names:
        sidecar_path(path, name).unlink()
    assert rewrite_sidecars(events, 1.0) == tuple(sidecar_path(path, name) for name in names)
    assert {name: sidecar_path(path, name).read_bytes() for name in names} == written
    assert stat.S_IMODE(sidecar_path(path, "chat.vtt").stat().st_mode) == 0o600
    sidecar_path(path, "chat.vtt").unlink()
    sidecar_path(path, "roster.json").write_text("theirs")
    assert rewrite_sidecars(events, 1.0) == (sidecar_path(path, "chat.vtt"),)
    assert sidecar_path(path, "roster.json").read_text() == "theirs"
    with pytest.raises(SourceError, match=r"other\.events\.jsonl: no such file"):
        rewrite_sidecars(tmp_path / "other.events.jsonl", 1.0)


async def test_a_segment_and_slides_have_the_events_of_their_recording(tmp_path: Path) -> None:
    """Those of the file itself go first; the last segment alone is shorter than what was said until then."""
    path = tmp_path / "talk.mkv"
    await record(path)
    events = sidecar_path(path, "events.jsonl")
    assert events_beside(tmp_path / "talk.003.part.mkv") == events_beside(tmp_path / "talk.slides.mkv") == events
    assert events_beside(tmp_path / "talks.mkv") is None
    (tmp_path / "talk.003.events.jsonl").touch()
    assert events_beside(tmp_path / "talk.003.mkv") == tmp_path / "talk.003.events.jsonl"
    sidecar_path(path, "speakers.vtt").unlink()
    rewrite_sidecars(events, 0.1)
    assert "00:00:00.380 --> 00:00:00.780\n" in sidecar_path(path, "speakers.vtt").read_text()


async def test_a_file_that_was_changed_is_known_by_its_hash(tmp_path: Path) -> None:
    """Changed or gone; a manifest that is none is an error."""
    path = tmp_path / "talk.mkv"
    await record(path)
    manifest = sidecar_path(path, "manifest.json")
    assert changed_files(manifest) == []
    path.write_bytes(path.read_bytes() + b"x")
    assert changed_files(manifest) == ["talk.mkv"]
    path.unlink()
    assert changed_files(manifest) == ["talk.mkv"]
    with pytest.raises(SourceError, match="not the manifest"):
        changed_files(sidecar_path(path, "roster.json"))


async def test_no_secret_is_written(tmp_path: Path) -> None:
    """The one-time token of a transfer is left out of every file."""
    _, written = await record(tmp_path / "talk.mkv")
    events = sidecar_path(tmp_path / "talk.mkv", "events.jsonl")
    assert {tmp_path / "talk.mkv", events, *written} == set(tmp_path.iterdir())
    for one in tmp_path.iterdir():
        assert b"one-time-secret" not in one.read_bytes()
    assert b'"alias":"elsewhere"' in events.read_bytes().replace(b": ", b":"), "the rest of it is told"


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("new_offer", '{"sdp": "a=ice-pwd:hidden"}'),
        ("update_sdp", '{"sdp": "a=ice-pwd:hidden"}'),
        ("new_candidate", '{"candidate": "c", "pwd": "hidden"}'),
        ("breakout_event", '{"breakout_uuid": "b", "event": "new_offer", "data": {"sdp": "hidden"}}'),
        ("of_next_year", '{"auth_token": "hidden", "all": [{"access_token": "hidden", "PIN": "hidden"}]}'),
    ],
)
async def test_no_secret_of_any_event_is_written(tmp_path: Path, name: str, data: str) -> None:
    """Session descriptions have passwords in them, and were written; the rest of an event is as it was."""
    path = tmp_path / "talk.mkv"
    async with Sidecars(Recording(RecordingConfig(path=path)), path) as sidecars:
        sidecars.note(parse_event(name, data))
    line = sidecar_path(path, "events.jsonl").read_text()
    assert "hidden" not in line
    assert json.loads(line)["event"] == name


@pytest.mark.parametrize("ending", SIDECAR_ENDINGS)
async def test_any_name_that_is_taken_is_told_at_once(tmp_path: Path, ending: str) -> None:
    """A roster that was there already cost all other files, at the end, and the exit code said nothing."""
    path = tmp_path / "talk.mkv"
    sidecar_path(path, ending).symlink_to("nowhere")
    with pytest.raises(UsageError, match=rf"talk\.{ending} exists already"):
        await Sidecars(Recording(RecordingConfig(path=path)), path).__aenter__()
    assert [entry.name for entry in tmp_path.iterdir()] == [f"talk.{ending}"]


async def test_what_cannot_be_written_costs_no_other_file(tmp_path: Path) -> None:
    """Somebody took a name, and moved the recording away, in the meantime: both are told, the rest is there."""
    path = tmp_path / "talk.mkv"

    def meddle() -> None:
        sidecar_path(path, "roster.json").write_text("theirs")
        path.unlink()

    sidecars, written = await record(path, meddle)
    assert {one.name for one in written} == {"talk.speakers.vtt", "talk.chat.vtt", "talk.manifest.json", "talk.html"}
    assert [str(one) for one in sidecars.failures] == [
        f"{sidecar_path(path, 'roster.json')}: file exists",
        f"{path}: no such file or directory",
    ], "hours of recording are read last: who is killed meanwhile has the rest"
    assert sidecar_path(path, "roster.json").read_text() == "theirs"
    manifest = json.loads(sidecar_path(path, "manifest.json").read_text())
    assert manifest["files"] == []
    assert manifest["streams"][0]["packets"] == 50


async def test_the_page_runs_its_own_script_and_nothing_else(tmp_path: Path) -> None:
    """Its policy names the hashes of what is inside, and no name breaks out of the data."""
    path = tmp_path / "talk.mkv"
    await record(path)
    page = sidecar_path(path, "html").read_text()
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]+)"', page)[0]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    styles = re.findall(r"<style>(.*?)</style>", page, re.DOTALL)
    for kind, contents in (("script-src", scripts), ("style-src", styles)):
        assert len(contents) == 1
        digest = base64.b64encode(hashlib.sha256(contents[0].encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in policy
    data = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    assert json.loads(data[0])["people"][0]["name"] == HOSTILE
    assert "<img" not in page
    assert re.findall(r"(?:src|href)=", page.replace(data[0], "")) == []


def test_a_page_can_be_made_again_from_the_manifest() -> None:
    """It needs nothing else."""
    assert b'{"a":1}' in make_page(b'{"a":1}')
