"""JOBS.toml: what it says, and how it says what is wrong with it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pexrtc_py.errors import UsageError
from pexrtc_py.fleet.entries import AnnounceJob, ProbeJob, RecordJobEntry
from pexrtc_py.fleet.jobs import load_jobs, parse_jobs

HEAD = '[defaults]\nnode = "https://node.example.com"\n'


def test_jobs_of_all_kinds() -> None:
    """Defaults hold where a job does not say otherwise and has such a key; all jobs have an id."""
    file = parse_jobs(
        HEAD
        + """
        name = "Pexrtc"
        output = "/srv/{alias}/{date}.mkv"
        pin_file = "/etc/pin"
        [fleet]
        workers = 3
        [[record]]
        alias = "board"
        [[record]]
        alias = "board"
        name = "Second"
        output = "/tmp/b-{time}.ogg"
        when = ["Mon 09:00", "Tue 10:00"]
        [[announce]]
        alias = "lobby"
        files = ["a.mkv", "b.mkv"]
        loop = 0
        [[probe]]
        alias = "test.call"
        id = "morning"
        fail_if = ["audio.loss_ratio > 3%"]
        """
    )
    first, second, announce, probe = file.jobs
    assert isinstance(first, RecordJobEntry)
    assert (first.id, first.name, first.folder) == ("record:board", "Pexrtc", Path("/srv"))
    assert isinstance(second, RecordJobEntry)
    assert (second.id, second.name, second.when) == ("record:board#2", "Second", ("Mon 09:00", "Tue 10:00"))
    assert isinstance(announce, AnnounceJob)
    assert (announce.id, announce.pin_file, announce.loop) == ("announce:lobby", "/etc/pin", 0)
    assert isinstance(probe, ProbeJob)
    assert (probe.id, probe.when, len(probe.thresholds)) == ("morning", "every 15m", 1)
    assert file.workers == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[record]]\nalias = "a"\npin = "8317"', "unknown field `pin` - at `$.record[0]`"),
        ('[[record]]\nalias = "a"\n[[record]]\nalias = "b"\nduraton_s = 3', "`duraton_s` - at `$.record[1]`"),
        ("[limits]\ncpus = 1", "`cpus` - at `$.limits`"),
        ("[[recording]]", "unknown field `recording`"),
        ('[[record]]\nnode = "https://x"', "missing required field `alias` - at `$.record[0]`"),
        ('[[record]]\nalias = "a"\nwhen = "soon"', "'soon'"),
        ('[[record]]\nalias = "a"\noutput = "a.xyz"', "a.xyz"),
        ('[[record]]\nalias = "a"\noutput = "{name}.mkv"', "{name} is not known"),
        ('[[record]]\nalias = "a"\ntimezone = "Mars/Base"', "'Mars/Base'"),
        ('[[record]]\nalias = "a"\nid = "x"\n[[record]]\nalias = "b"\nid = "x"', "id 'x': there are two"),
        ('[[record]]\nalias = "a"\nduration_s = -1', "- at `$.record[0].duration_s`"),
        ('[[announce]]\nalias = "a"\nfiles = []', "- at `$.announce[0].files`"),
        ('[[probe]]\nalias = "a"\nfail_if = ["video.nothing > 3"]', "video.nothing"),
        ('[upload]\ndelete = "always"', "- at `$.upload.delete`"),
        ("[[record]", "line 3"),
    ],
)
def test_what_is_wrong_is_named(text: str, told: str) -> None:
    """An error has the key, the word or the place; never the value of what may be a PIN."""
    with pytest.raises(UsageError) as error:
        parse_jobs(HEAD + text)
    assert told in str(error.value)
    assert "8317" not in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        '[[record]]\nalias = "https://node.example.com/webapp/m/a?pin=8317"',
        '[[record]]\nalias = "a"\nnode = "https://me:8317@node.example.com"',
        '[[record]]\nalias = "a"\nnode = "https://node.example.com/?pin=8317"',
        '[[record]]\nalias = "a"\nproxy = "http://me:8317@proxy:3128"',
    ],
)
def test_secrets_have_no_place_in_the_file(text: str) -> None:
    """What is in it ends up in status and between processes: a PIN in a link is refused, and not repeated."""
    with pytest.raises(UsageError) as error:
        parse_jobs(HEAD + text)
    assert "8317" not in str(error.value)


def test_an_alias_needs_a_way() -> None:
    """Without a node, a domain or a link nobody knows where to go."""
    with pytest.raises(UsageError, match="no node known for 'a'"):
        parse_jobs('[[record]]\nalias = "a"')
    assert len(parse_jobs('[[record]]\nalias = "a@example.com"').jobs) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """It is named, as is one that is no text."""
    with pytest.raises(UsageError, match=r"nothing\.toml"):
        load_jobs(tmp_path / "nothing.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UsageError, match=r"binary\.toml"):
        load_jobs(tmp_path / "binary.toml")
