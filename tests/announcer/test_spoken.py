"""Speech kept in files: whole, once for each voice, and none with the words of another."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from pexrtc_py.announcer.spoken import spoken_file
from pexrtc_py.errors import SourceError, WriteError

LONG = bytes(8 << 20)
TOGETHER = 4
_all_there = threading.Barrier(TOGETHER)
_times: list[str] = []


def plain(text: str) -> bytes:
    """Speak, and count."""
    _times.append(text)
    return text.encode()


def slow(text: str) -> bytes:
    """Speak when all others do, at such length that it takes a while to be written."""
    del text
    _all_there.wait(10)
    return LONG


def tuned(text: str, *, voice: str) -> bytes:
    """Speak with a voice."""
    return f"{voice} says {text}".encode()


@pytest.fixture(autouse=True)
def _nothing_was_said() -> None:
    _times.clear()


def test_a_plain_function_speaks_once(tmp_path: Path) -> None:
    """The same words are spoken once, others are not taken for them."""
    paths = [spoken_file(text, tmp_path / "new", engine=plain) for text in ("hello", "hello", "bye")]
    assert [path.read_bytes() for path in paths] == [b"hello", b"hello", b"bye"]
    assert _times == ["hello", "bye"]


def test_each_voice_has_its_own(tmp_path: Path) -> None:
    """Partials, lambdas and functions within functions share a name, and once got each other's speech."""

    def within(voice: str) -> partial[bytes]:
        def engine(text: str, again: str) -> bytes:
            return tuned(text, voice=again)

        return partial(engine, again=voice)

    engines: list[Callable[[str], bytes]] = [
        partial(tuned, voice="A"),
        partial(tuned, voice="B"),
        lambda text: tuned(text, voice="C"),
        lambda text: tuned(text, voice="D"),
        within("E"),
        within("F"),
    ]
    said = [spoken_file("hi", tmp_path, engine=engine).read_bytes() for engine in engines]
    assert said == [f"{voice} says hi".encode() for voice in "ABCDEF"]


def test_several_at_once(tmp_path: Path) -> None:
    """Announcers of one process that say the same together once wrote into one half file, and tripped over it."""
    with ThreadPoolExecutor(TOGETHER) as threads:
        paths = list(threads.map(lambda _: spoken_file("hello", tmp_path, engine=slow), range(TOGETHER)))
    assert len(set(paths)) == 1
    assert paths[0].read_bytes() == LONG
    assert list(tmp_path.iterdir()) == paths[:1], "nothing half is left"


def test_what_cannot_be_kept(tmp_path: Path) -> None:
    """Silence, and a folder that is none, are told in a line."""
    with pytest.raises(SourceError, match="said nothing"):
        spoken_file("hello", tmp_path, engine=lambda _: b"")
    (tmp_path / "file").touch()
    with pytest.raises(WriteError, match="cannot keep what was spoken: "):
        spoken_file("hello", tmp_path / "file", engine=plain)
