"""`pexrtc announce` and `pexrtc prepare`: what they say of wrong words and broken files, and what of success."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import weakref
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

import pexrtc_py
from pexrtc_py import Node, PeerConfig
from pexrtc_py.announcer.played import Played
from pexrtc_py.announcer.queue import QueueItem
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.cli.announce_options import read_loudness, read_moments, read_places
from pexrtc_py.cli.announce_run import Order, _Run, announce_order
from pexrtc_py.cli.app import main
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.cli.joining import WayIn
from pexrtc_py.cli.running import Stopping
from pexrtc_py.cli.screen import Screen
from pexrtc_py.errors import UsageError
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.generated import tone
from pexrtc_py.protocol.events import MessageReceived
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
                 "gain:", "fade:", "mix:", "overlay:", "then:", "for:", "list.m3u", "rtsp://",
                 "stdin:s16le"):  # fmt: skip
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


@pytest.mark.parametrize(("asked", "plays"), [(None, 2), (1, 1), (2, 2), (5, 2)])
def test_more_plays_than_there_can_be_are_not_waited_for(asked: int | None, plays: int) -> None:
    """Two moments that come once are two plays at most: asked for five, it waited for ever after the second."""
    read = read_moments(
        ["now"], at=["23:59"], every=None, people=None, greet=False, digits=None, chat=None, skip_when=[], stop_when=[],
        plays=asked,
    )  # fmt: skip
    assert read.plays == plays


def test_more_moments_than_can_wait() -> None:
    """One that finds the queue full is left out, and its play would be waited for for ever: so many are refused."""
    with pytest.raises(UsageError, match="101 moments are too many: 100 at most"):
        read_moments(
            [], at=["23:59"] * 101, every=None, people=None, greet=False, digits=None, chat=None, skip_when=[],
            stop_when=[], plays=None,
        )  # fmt: skip


@pytest.mark.slow
async def test_two_equal_times_are_played_and_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same time twice is played twice, and then the command ends; it played once and never ended."""
    at = (datetime.now() + timedelta(seconds=3)).replace(microsecond=0).isoformat()
    moments = read_moments(
        [], at=[at, at], every=None, people=None, greet=False, digits=None, chat=None, skip_when=[], stop_when=[],
        plays=2,
    )  # fmt: skip
    async with Node() as node, asyncio.timeout(20):
        wanted = replace(order(node, ["meet.a"], "for:0.2:tone:440", tmp_path, None), moments=moments, prove=False)
        assert await announce_order(wanted, Stopping(), Screen(json=True, quiet=True)) is ExitCode.DONE
    results = json.loads(capsys.readouterr().out.splitlines()[-1])["announcements"]
    assert [result["ended"] for result in results] == ["finished"] * 2


def test_loudness() -> None:
    """A number of LUFS that makes sense, or off."""
    assert (read_loudness("-23"), read_loudness("off")) == (-23.0, None)
    with pytest.raises(UsageError):
        read_loudness("20")


def order(
    node: Node, aliases: list[str], source: str, cache: Path, log: Path | None, *, chat: str | None = None
) -> Order:
    """Ask for a source, with proof: at once, or when somebody writes something; the chat is told then."""
    return Order(
        aliases=aliases,
        sources=[source],
        present=None,
        loop=1,
        readiness=Readiness(cache=cache),
        moments=read_moments(
            [], at=[], every=None, people=None, greet=False, digits=None, chat=chat, skip_when=[], stop_when=[],
            plays=1 if chat else None,
        ),
        say="it begins" if chat else "",
        digits_before=[],
        digits_after=[],
        prove=True,
        log=log,
        queue=None,
        name="Announcer",
        way=WayIn(node=node.url),
        peer=PeerConfig(),
    )  # fmt: skip


@pytest.mark.slow
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


@pytest.mark.slow
async def test_a_listener_that_is_removed_proves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It was told that what was played was not heard, play after play, and never that nobody listened any more."""
    async with Node() as node, asyncio.timeout(30), asyncio.TaskGroup() as group:
        wanted = order(node, ["meet.a"], "for:0.5:tone:440", tmp_path, None, chat="!play")
        playing = group.create_task(announce_order(wanted, Stopping(), Screen(json=True, quiet=True)))
        async with pexrtc_py.connect(node.url, "meet.a", display_name="Person", call_tag="") as person:
            people, names = person.participants, ("Announcer", "Announcer (listening)")
            await person.session.wait_for(
                lambda _: sum(one.has_media and one.display_name in names for one in people.values()) == 2
            )
            [ear] = [uuid for uuid, one in people.items() if one.display_name == names[1]]
            await person.client.participant_disconnect(ear)
            await person.session.wait_for(lambda _: ear not in people)
            while not playing.done():
                await person.say("!play")  # until it reads along
                await asyncio.wait([playing], timeout=0.2)
        assert await playing is ExitCode.REMOVED
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line.get("event") for line in lines] == ["begins", "ended", None]
    assert "proof" not in lines[-1]
    assert "error: meet.a (the listener): " in err


@pytest.mark.slow
async def test_one_conference_begins_while_another_is_played_to(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was heard in the first is complete: the second, which began a second later, made its listener forget."""
    sound = write_wav(tmp_path / "sound.wav", babble(2.5))
    aliases = ["meet.a", "meet.b"]

    async def ask(node: Node, alias: str) -> None:
        async with pexrtc_py.connect(node.url, alias, display_name="Person", call_tag="") as person:
            events = person.events()

            async def answer() -> None:
                async for event in events:
                    if isinstance(event, MessageReceived) and event.payload == "it begins":
                        return

            async with asyncio.TaskGroup() as group:
                answered = group.create_task(answer())
                while not answered.done():
                    await person.say("!play")  # until somebody is there who reads it; it is played once all the same
                    await asyncio.wait([answered], timeout=0.2)

    async with Node() as node, asyncio.timeout(30), asyncio.TaskGroup() as group:
        wanted = order(node, aliases, str(sound), tmp_path, None, chat="!play")
        playing = group.create_task(announce_order(wanted, Stopping(), Screen(json=True, quiet=True)))
        await ask(node, aliases[0])
        await asyncio.sleep(1.5)  # into the announcement
        await ask(node, aliases[1])
        assert await playing is ExitCode.DONE
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    results = {result["alias"]: result["proof"] for result in lines.pop()["announcements"]}
    assert results.keys() == set(aliases)
    # Each play is told of as it begins, as it ends and as it was heard, not only at the end of all.
    for alias in aliases:
        mine = [line for line in lines if alias in (line.get("alias"), *line.get("conferences", ()))]
        assert [line["event"] for line in mine] == ["begins", "ended", "heard"]
        assert {line["why"] for line in mine} == {"chat:!play"}
        assert len({line["id"] for line in mine}) == 1
        times = [datetime.fromisoformat(line["at"]) for line in mine]
        assert (times[1] - times[0]).total_seconds() == pytest.approx(2.5, abs=1.5), "as long as it was played"
        assert mine[1]["duration_s"] == pytest.approx(2.5, abs=0.05)
        assert mine[2]["proof"] == results[alias]
    for alias, proof in results.items():
        assert proof["heard"], alias
        assert proof["missing_s"] <= 0.2, alias


async def test_nothing_is_kept_of_what_was_played(tmp_path: Path) -> None:
    """An announcer that plays each minute for months keeps no player and no result of them."""
    async with Node() as node:
        wanted = order(node, ["meet.a"], "tone:", tmp_path, None)
    run = _Run(wanted, Screen(quiet=True))
    players: list[weakref.ref[Player]] = []
    for number in range(3):
        item = QueueItem(id=str(number), source="tone:", why="test")
        player = Player(EncodedSource(tone()), {})
        players.append(weakref.ref(player))
        run._note_player(item, player)
        del player
        assert players[-1]() is not None
        await run._note_played(item, [Played(alias="meet.a")])
        gc.collect()
    assert [player() for player in players] == [None] * 3


@pytest.mark.parametrize(
    ("words", "said_of_it"),
    [
        (("--queue", "127.0.0.1:99999"), "--queue 127.0.0.1:99999: say ADDRESS:PORT"),
        (("--queue", "127.0.0.1:²"), "--queue 127.0.0.1:²: say ADDRESS:PORT"),
        (("--queue", "8090"), "--queue 8090: say ADDRESS:PORT"),
        (("--log", "/nonexistent/played.jsonl"), "/nonexistent/played.jsonl: cannot write the record: no such file"),
    ],
)
def test_doors_and_logs_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, str], said_of_it: str
) -> None:
    """Told before anybody is called; the log was found out after playing, a port beyond all was another one."""
    code, lines = said(monkeypatch, capsys, "announce", "--node", "http://127.0.0.1:9", "meet.a", "tone:", *words)
    assert code == ExitCode.USAGE
    assert len(lines) == 1
    assert said_of_it in lines[0]


async def test_a_log_that_fails_in_the_middle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was played is told as played, the log's error beside it; exit code 6."""
    log = tmp_path / "played.jsonl"
    log.symlink_to("/dev/full")
    async with Node() as node:
        wanted = replace(order(node, ["meet.a"], "for:0.5:tone:440", tmp_path, log), prove=False)
        code = await announce_order(wanted, Stopping(), Screen(json=True))
    assert code is ExitCode.FAILED
    told = capsys.readouterr()
    assert json.loads(told.out)["ended"] == "finished"
    assert "no space left" in told.err


@pytest.mark.slow
async def test_endless_is_stopped_well(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An endless source ends with the first signal: what was played is told, and the code is that of success."""
    stopping = Stopping()
    async with Node() as node, asyncio.timeout(15), asyncio.TaskGroup() as group:
        running = group.create_task(
            announce_order(order(node, ["meet.a"], "tone:440", tmp_path, None), stopping, Screen(json=True, quiet=True))
        )
        async with pexrtc_py.connect(node.url, "meet.a", display_name="Person", call_tag="") as person:
            people = person.participants
            await person.session.wait_for(
                lambda _: any(one.has_media and one.display_name == "Announcer" for one in people.values())
            )
        await asyncio.sleep(2.0)  # a second of holding at most, and one of the tone
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
