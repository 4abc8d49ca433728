"""`pexrtc announce` and `pexrtc prepare`: what they say of wrong words and broken files, and what of success."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, PeerConfig
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.cli.announce_options import read_loudness, read_moments, read_places
from pexrtc_py.cli.announce_run import Order, announce_order
from pexrtc_py.cli.app import main
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.joining import WayIn
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.screen import Screen
from pexrtc_py.errors import UsageError
from tests.announcer.hearing import babble, write_wav


def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, list[str]]:
    """Run `pexrtc` with these words; return its exit code and the lines on stderr."""
    monkeypatch.setattr(sys, "argv", ["pexrtc", *words])
    with pytest.raises(SystemExit) as left:
        main()
    code = left.value.code
    return int(code or 0), capsys.readouterr().err.strip().splitlines()


def broken(folder: Path, how: str) -> str:
    """Make an input that cannot be played."""
    path = folder / f"{how}.mkv"
    clip = pexrtc_py.clip_path("motion.mkv").read_bytes()
    contents = {"empty": b"", "text": b"not a film at all\n" * 100, "header": clip[:300], "zeros": bytes(50_000)}
    if how in contents:
        path.write_bytes(contents[how])
    elif how == "folder":
        path.mkdir()
    elif how == "playlist":
        path = folder / "list.m3u"
        path.write_text("# nothing\n")
    return str(path)


@pytest.mark.parametrize("how", ["missing", "empty", "text", "header", "zeros", "folder", "playlist"])
def test_broken_inputs_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, how: str
) -> None:
    """Nobody is called; the line names the file; exit code 2."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ("announce", "--node", "http://127.0.0.1:9", "meet.alice", broken(tmp_path, how))
    code, lines = said(monkeypatch, capsys, *words)
    assert code == ExitCode.USAGE
    assert len([line for line in lines if not line.startswith("preparing")]) == 1
    assert how in lines[-1] or "playlist" in lines[-1]


@pytest.mark.parametrize(
    "words",
    [
        ("meet.alice",),
        (),
        ("meet.alice", "tone:high"),
        ("meet.alice", "tone:", "--when", "later"),
        ("meet.alice", "tone:", "--every", "often"),
        ("meet.alice", "tone:", "--loudness", "loud"),
        ("meet.alice", "tone:", "--loudness", "off", "--duck"),
        ("meet.alice", "tone:", "--digits", "call me"),
        ("--rooms", "/nowhere", "tone:"),
        ("meet.alice", "slides:/nowhere.png@0"),
        ("meet.alice", "tone:", "--present", "silence:"),
        ("meet.alice", "ftp://example.com/a.mkv"),
    ],
)
def test_wrong_words_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """What makes no sense is told before anybody is called, exit code 2."""
    code, lines = said(monkeypatch, capsys, "announce", "--node", "http://127.0.0.1:9", *words)
    assert code == ExitCode.USAGE
    assert len(lines) == 1


def test_help_teaches_the_sources(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every form of a source is in the help."""
    monkeypatch.setattr(sys, "argv", ["pexrtc", "announce", "--help"])
    with pytest.raises(SystemExit):
        main()
    text = capsys.readouterr().out
    for form in ("speech:", "slides:", "tone:", "pattern:", "silence:", "black:", "camera:", "microphone:", "screen:",
                 "gain:", "fade:", "mix:", "overlay:", "then:", "for:", "list.m3u", "rtsp://", "-:s16le"):  # fmt: skip
        assert form in text


def test_places(tmp_path: Path) -> None:
    """One ALIAS first, or --to and --rooms and then sources alone; each conference once."""
    rooms = tmp_path / "rooms.txt"
    rooms.write_text("meet.b # the large one\n\nmeet.c\n")
    assert read_places(["meet.a", "tone:"], [], None, may_lack_source=False).aliases == ["meet.a"]
    several = read_places(["tone:"], ["meet.a", "meet.b"], rooms, may_lack_source=False)
    assert several.aliases == ["meet.a", "meet.b", "meet.c"]
    assert several.sources == ["tone:"]


def test_moments() -> None:
    """Blanks for colons; what the clock says needs no eyes; what comes once ends by itself."""

    def moments(*when: str, stop_when: tuple[str, ...] = (), **options: object) -> tuple[list[str], bool, int | None]:
        given = {"at": (), "every": None, "people": None, "greet": False, "digits": None, "chat": None} | options
        read = read_moments(when, skip_when=(), stop_when=stop_when, plays=None, **given)  # type: ignore[arg-type]
        return [rule.why for rule in read.rules], read.watches_people, read.plays

    assert moments("quiet 3s", "now") == (["quiet:3s", "now"], True, 2)
    assert moments(every="10m", at=("23:59",)) == (["at:23:59", "every:10m"], False, None)
    assert moments("chat !play now", digits="*1") == (["chat:!play now", "digits:*1"], True, None)
    assert moments(stop_when=("chat !stop",)) == ([], True, None)
    with pytest.raises(UsageError):
        moments("soon")


def test_loudness() -> None:
    """A number of LUFS that makes sense, or off."""
    assert (read_loudness("-23"), read_loudness("off")) == (-23.0, None)
    with pytest.raises(UsageError):
        read_loudness("20")


def order(node: Node, aliases: list[str], source: str, cache: Path, log: Path | None) -> Order:
    """Ask for a source at once, with proof."""
    return Order(
        aliases=aliases,
        sources=[source],
        present=None,
        loop=1,
        readiness=Readiness(cache=cache),
        moments=read_moments(
            [], at=[], every=None, people=None, greet=False, digits=None, chat=None, skip_when=[], stop_when=[],
            plays=None,
        ),
        say="",
        digits_before=[],
        digits_after=[],
        prove=True,
        log=log,
        queue=None,
        name="Announcer",
        way=WayIn(node=node.url),
        peer=PeerConfig(),
    )  # fmt: skip


async def test_proof_record_and_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two conferences hear it: exit code 0, a result and a line of the record each; silence is not heard: 1."""
    sound = write_wav(tmp_path / "sound.wav", babble(1.0))
    log = tmp_path / "played.jsonl"
    aliases = ["meet.a", "meet.b"]
    async with Node() as node:
        codes = await asyncio.gather(
            announce_order(order(node, aliases, str(sound), tmp_path, log), Stopping(), Screen(json=True, quiet=True)),
            announce_order(order(node, ["meet.c"], "for:1:silence:", tmp_path, None), Stopping(), Screen(quiet=True)),
        )
    assert tuple(codes) == (ExitCode.DONE, ExitCode.THRESHOLD_MISSED)
    results = json.loads(capsys.readouterr().out)["announcements"]
    entries = [json.loads(line) for line in log.read_text().splitlines()]
    assert [result["alias"] for result in results] == [entry["conference"] for entry in entries] == aliases
    for result, entry in zip(results, entries, strict=True):
        assert result["proof"] == entry["proof"]
        assert entry["proof"]["heard"] is True
        assert entry["proof"]["missing_s"] <= 0.2
        assert entry["ended"] == "finished"
        assert entry["duration_s"] == pytest.approx(1.0, abs=0.05)


async def test_endless_is_stopped_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An endless source ends with the first signal: what was played is told, and the code is that of success."""
    stopping = Stopping()
    async with Node() as node, asyncio.timeout(15), asyncio.TaskGroup() as group:
        running = group.create_task(
            announce_order(order(node, ["meet.a"], "tone:440", tmp_path, None), stopping, Screen(json=True, quiet=True))
        )
        await asyncio.sleep(3.0)
        stopping.event.set()
        assert await running is ExitCode.DONE
    result = json.loads(capsys.readouterr().out)
    assert result["ended"] == "stopped"
    assert result["duration_s"] > 0.5


def test_prepare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The first time it is made, the second it is there; a ready clip stays where it is."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    sound = write_wav(tmp_path / "sound.wav", babble(0.5))
    code, lines = said(monkeypatch, capsys, "prepare", str(sound))
    assert code == 0
    assert "audio encoded" in lines[-1]
    code, lines = said(monkeypatch, capsys, "prepare", str(sound), str(pexrtc_py.clip_path("motion.mkv")))
    assert code == 0
    assert "was ready" in lines[0]
    assert "ready as it is" in lines[1]
    code, lines = said(monkeypatch, capsys, "prepare", str(tmp_path / "none.wav"))
    assert code == ExitCode.USAGE
    assert len(lines) == 1
