"""`pexrtc announce` with inputs that are broken, cut off, endless, huge, stall, end early or change their form.

Each ends with an exit code that fits and says at most one line, which names the input; and it leaves the room.
"""

from __future__ import annotations

import asyncio
import random
import resource
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from typing import TypeAlias

import av
import pytest
from PIL import Image

import pexrtc_py
from pexrtc_py.announcer.play_record import PlayRecord
from pexrtc_py.cli.exits import ExitCode
from tests.media.sources.looking import later, write_media

from .test_announce import said

_ROOM = "meet.hostile"
_NODE = "from pexrtc_py.cli.app import main; main()"
_STALLED_S = 60.0

pytestmark = pytest.mark.slow  # each joins a node and plays

Told: TypeAlias = tuple[int, list[str]]
Announce: TypeAlias = Callable[..., Told]


@pytest.fixture(scope="module")
def node() -> Iterator[str]:
    """A node in a process of its own, for commands that are run one after the other in this one."""
    words = (sys.executable, "-c", _NODE, "node", "--listen", "127.0.0.1:0", "--quiet")
    with subprocess.Popen(words, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        try:
            yield child.stdout.readline().decode().strip()
        finally:
            child.terminate()


@pytest.fixture
def announce(
    node: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Announce:
    """Run the command; returns its exit code and what it said. Nobody is left in the room then."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def run(*words: str) -> Told:
        told = said(monkeypatch, capsys, "announce", "--node", node, "--quiet", _ROOM, *words)
        assert asyncio.run(who_is_there(node)) == {"Looker"}
        return told

    return run


async def who_is_there(node: str) -> set[str]:
    """Return who is in the room, ourselves included."""
    async with pexrtc_py.connect(node, _ROOM, display_name="Looker") as conference:
        await conference.session.wait_for(lambda session: session.roster.synced)
        return {person.display_name for person in conference.participants.values()}


def one_line(told: Told, code: ExitCode, *words: str) -> None:
    """Check that it failed with one clear line that has these words in it."""
    assert told[0] == code, told
    assert len(told[1]) == 1, told
    assert told[1][0].startswith("error: ")
    for word in words:
        assert word in told[1][0]


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Small films in several containers: a second of a tone and of plain pictures."""
    folder = tmp_path_factory.mktemp("clips")
    h264 = {"preset": "ultrafast", "bf": "0"}
    made = [
        write_media(folder / "clip.mkv", video="libvpx", audio="libopus", seconds=1.0, frame_rate=10),
        write_media(folder / "clip.mp4", video="libx264", audio="aac", seconds=1.0, frame_rate=10, options=h264),
        write_media(folder / "clip.ts", video="libx264", audio="aac", seconds=1.0, frame_rate=10, options=h264),
        write_media(folder / "clip.ogg", audio="libopus", seconds=1.0),
    ]
    return {path.suffix[1:]: path.read_bytes() for path in made}


# Files


@pytest.mark.parametrize("form", ["mkv", "mp4", "ogg"])
def test_cut_off_anywhere(announce: Announce, clips: dict[str, bytes], tmp_path: Path, form: str) -> None:
    """A file that ends at a random byte plays as far as it goes and nothing is said, or one line says why not."""
    dice = random.Random(form)
    data = clips[form]
    for share in (0.02, 0.6):  # within what describes it, and within what it has
        path = tmp_path / f"cut-{share}.{form}"
        path.write_bytes(data[: round(len(data) * (share + 0.3 * share * dice.random()))])
        told = announce(str(path))
        if told != (ExitCode.DONE, []):
            one_line(told, ExitCode.USAGE, path.name)
        else:
            assert share > 0.1, "there was nothing to play"


def claiming(data: bytes, width: int, height: int) -> bytes:
    """Let each VP8 key frame say another size of itself (RFC 6386 section 9.1)."""
    changed, at = bytearray(data), 0
    while (at := changed.find(b"\x9d\x01\x2a", at)) >= 0:
        changed[at + 3 : at + 7] = struct.pack("<HH", width, height)
        at += 7
    assert bytes(changed) != data
    return bytes(changed)


def test_huge_pictures(announce: Announce, clips: dict[str, bytes], tmp_path: Path) -> None:
    """A film and pictures that claim to be gigantic: refused by one line, before memory is taken for them."""
    (tmp_path / "film.mkv").write_bytes(claiming(clips["mkv"], 16383, 16383))
    Image.new("1", (16384, 16384)).save(tmp_path / "still.png")
    (tmp_path / "still@.png").write_bytes((tmp_path / "still.png").read_bytes())  # read as a film of one picture
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("film.mkv", "still.png", "still@.png"):
        one_line(announce(str(tmp_path / name)), ExitCode.USAGE, name)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def moved(source: Path, target: Path, kind: str) -> None:
    """Copy a file; the second half of one track comes thirty years later."""
    with av.open(source) as given, av.open(target, "w") as written:
        copies = {stream.index: written.add_stream_from_template(stream) for stream in given.streams}
        for packet in given.demux():
            if not packet.size or packet.pts is None:
                continue
            if packet.pts > 500 and packet.stream.type == kind:
                packet.pts += 10**12
                packet.dts = packet.pts
            packet.stream = copies[packet.stream_index]
            written.mux(packet)


def test_times_of_thirty_years(announce: Announce, clips: dict[str, bytes], tmp_path: Path) -> None:
    """Sound or pictures that go on after 10^9 seconds are refused by one line."""
    (tmp_path / "clip.mkv").write_bytes(clips["mkv"])
    for kind, word in (("audio", "sound jumps"), ("video", "pictures jump")):
        moved(tmp_path / "clip.mkv", tmp_path / f"{kind}.mkv", kind)
        one_line(announce(str(tmp_path / f"{kind}.mkv")), ExitCode.USAGE, f"{kind}.mkv", word)


def test_a_duration_that_is_claimed_is_not_waited_for(
    announce: Announce, clips: dict[str, bytes], tmp_path: Path
) -> None:
    """A file that says of itself that it lasts 10^9 seconds (Matroska's Duration) is played for the second it has."""
    data = clips["mkv"]
    at = data.index(b"\x44\x89\x88") + 3
    path = tmp_path / "long.mkv"
    path.write_bytes(data[:at] + struct.pack(">d", 1e12) + data[at + 8 :])
    with av.open(path) as claims:
        assert claims.duration == 10**15, "microseconds"
    assert announce(str(path)) == (ExitCode.DONE, [])


def test_another_form_in_the_middle(announce: Announce, clips: dict[str, bytes], tmp_path: Path) -> None:
    """Sample rate, channels and size of the pictures change: all is played, and the proof has heard and seen it."""
    options = {"bf": "0", "preset": "ultrafast"}
    other = write_media(
        tmp_path / "other.ts", video="libx264", audio="aac", seconds=1.0, frame_rate=10, size=(640, 360),
        sample_rate=44100, layout="stereo", tone_hz=600, options=options,
    )  # fmt: skip
    path = tmp_path / "change.ts"
    path.write_bytes(clips["ts"] + later(other, 1.0).read_bytes())
    log = tmp_path / "played.jsonl"
    assert announce(str(path), "--prove", "--log", str(log)) == (ExitCode.DONE, [])
    [played] = PlayRecord(log).read()
    assert played.duration_s == pytest.approx(2.0, abs=0.1)
    assert played.proof is not None
    assert played.proof.missing_s == 0
    assert played.proof.picture


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (("--camera", "/dev/video99"), "v4l2:/dev/video99"),
        (("--microphone", "hw:99,0"), "alsa:hw:99,0"),
        (("screen::987",), "x11grab::987"),
    ],
)
def test_devices_that_are_not_there(announce: Announce, words: tuple[str, ...], name: str) -> None:
    """A camera, a microphone, a screen that is not there is one line, and the room is left."""
    one_line(announce(*words), ExitCode.USAGE, name)


# Over the network


class _Server(ThreadingHTTPServer):
    """Answers with one thing, in one way.

    Args:
        data: what it begins with.
        how: whether it then `ends` early, `stalls`, or is `endless`; `drips`: a byte now and then.
    """

    def __init__(self, data: bytes, how: str) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.data, self.how, self.over = data, how, threading.Event()


class _Answer(BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the base class's name

    def do_GET(self) -> None:
        """Answer."""
        data, how, over = self.server.data, self.server.how, self.server.over
        self.send_response(200)
        if how == "ends":
            self.send_header("Content-Length", str(len(data) * 2))
        self.end_headers()
        try:
            if how == "drips":
                for number in count():
                    self.wfile.write(data[number : number + 1])
                    if over.wait(0.5):
                        return
            self.wfile.write(data)
            while how == "endless" and not over.is_set():
                self.wfile.write(bytes(65536))
            if how == "stalls":
                over.wait(_STALLED_S)
        except OSError:
            return  # the other side has had enough


@contextmanager
def serving(data: bytes, how: str) -> Iterator[str]:
    """Serve one thing on this machine; yields its address."""
    server = _Server(data, how)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="pexrtc-test-http")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/clip"
    finally:
        server.over.set()
        server.shutdown()
        thread.join()
        server.server_close()


def test_endless_nonsense_is_given_up(announce: Announce) -> None:
    """A server that sends zeros for ever is one line, within a moment."""
    with serving(b"", "endless") as url:
        one_line(announce(url), ExitCode.USAGE, url, "cannot open")


def test_endless_sound_is_played_while_it_is_wanted(announce: Announce) -> None:
    """A WAV file without an end is played for as long as one says, and no more of it is kept than is read ahead."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, 48000, 96000, 2, 16)
    head = b"RIFF\xff\xff\xff\xffWAVEfmt " + form + b"data\xff\xff\xff\xff"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with serving(head, "endless") as url:
        assert announce(f"for:2:{url}") == (ExitCode.DONE, [])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000, "kilobytes"


def test_a_server_that_ends_early(announce: Announce, clips: dict[str, bytes]) -> None:
    """Half of what was promised is one line."""
    with serving(clips["mkv"], "ends") as url:
        one_line(announce(url), ExitCode.USAGE, url, "cannot read")


@pytest.mark.parametrize("how", ["stalls", "drips"])
def test_a_server_that_stalls(announce: Announce, clips: dict[str, bytes], how: str) -> None:
    """A server that stops in the middle, or never gets on, is given up after ten seconds: one line that says so."""
    with serving(clips["mkv"][:-1000], how) as url:
        one_line(announce(url), ExitCode.USAGE, url, "nothing came for too long")
