"""JOBS.toml: what it says, and how it says what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from pexrtc_py.cli.app import make_app
from pexrtc_py.endpoint.presentation import PresentationWay
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
        present_by = "line"
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
    assert announce.present_by is PresentationWay.LINE
    assert isinstance(probe, ProbeJob)
    assert (probe.id, probe.when, len(probe.thresholds)) == ("morning", "every 15m", 1)
    assert file.workers == 3


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[[record]]\nalias = "a"\npin = "8317"', "[[record]] number 1 'a': unknown field `pin`"),
        (
            '[[record]]\nalias = "a"\n[[record]]\nalias = "b"\nduraton_s = 3',
            "[[record]] number 2 'b': unknown field `duraton_s`",
        ),
        (
            "[limits]\ncpus = 1",
            "[limits]: unknown field `cpus`; there are cpu, memory_free_bytes, disk_free_bytes, jobs",
        ),
        ("[[recording]]", "unknown field `recording`"),
        ('[[record]]\nnode = "https://x"', "[[record]] number 1: missing required field `alias`"),
        ('[[record]]\nalias = "a"\nwhen = "soon"', "'soon'"),
        ('[[record]]\nalias = "a"\noutput = "a.xyz"', "a.xyz"),
        ('[[record]]\nalias = "a"\noutput = "{name}.mkv"', "{name} is not known"),
        ('[[record]]\nalias = "a"\ntimezone = "Mars/Base"', "'Mars/Base'"),
        ('[[record]]\nalias = "a"\nid = "x"\n[[record]]\nalias = "b"\nid = "x"', "id 'x': there are two"),
        ('[[record]]\nalias = "a"\nduration_s = -1', "[[record]] number 1 'a': duration_s: Expected `float` > 0"),
        ('[[record]]\nalias = "a"\nid = "x"\nslides = "both"', "[[record]] number 1 'x': slides: "),
        ('[[record]]\nalias = "a"\ntranscode = "avi"', "[[record]] number 1 'a': no preset is called 'avi'"),
        ('[[record]]\nalias = "a"\nmedia_ports = [40100, 40000]', "media_ports [40100, 40000]"),
        ('[[record]]\nalias = "a"\nmedia_ports = [80, 40000]', "'a': media_ports[0]: Expected `int` >= 1024"),
        ('[[probe]]\nalias = "a"\nalone = true', "[[probe]] number 1 'a': alone: with pair"),
        ('[[probe]]\nalias = "a"\nalone = true\npair = false\necho = true', "alone: with echo"),
        ('[[announce]]\nalias = "a"\nfiles = []', "[[announce]] number 1 'a': files: "),
        ('[[probe]]\nalias = "a"\nfail_if = ["video.nothing > 3"]', "video.nothing"),
        ('[upload]\ndelete = "always"', "[upload]: delete: "),
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


@pytest.mark.parametrize(
    ("more", "again"),
    [("", False), ("slides = 'file'", False), ("slides = 'track'", True), ("sidecars = true", True),
     ("thumbnails = true", True), ("transcode = 'mp4'", True)],
)  # fmt: skip
def test_files_that_are_needed_again(more: str, *, again: bool) -> None:
    """They are not removed after an upload until the run has ended."""
    [job] = parse_jobs(HEAD + f'[[record]]\nalias = "a"\n{more}').jobs
    assert isinstance(job, RecordJobEntry)
    assert job.reads_again is again


def test_a_link_is_not_repeated_in_an_error() -> None:
    """It may have a PIN in it; the number of the job must do."""
    text = '[[record]]\nalias = "https://node.example.com/webapp/m/a?pin=8317"\nduraton_s = 3'
    with pytest.raises(
        UsageError, match=r"^\[\[record\]\] number 1: unknown field `duraton_s`; there are node, [a-z_, ]+$"
    ):
        parse_jobs(HEAD + text)


def test_a_recording_has_the_options_of_the_command() -> None:
    """The table of docs/operating.md names each option of `pexrtc record` with its key; a new one is missing in it."""
    page = (Path(__file__).parents[2] / "docs/operating.md").read_text()
    rows = dict(re.findall(r"^\| `(--[a-z-]+)` \| (.*?) \|", page, re.MULTILINE))
    command = typer.main.get_command(make_app())
    assert isinstance(command, TyperGroup)
    options = {option.opts[0]: option for option in command.commands["record"].params if option.opts[0][:2] == "--"}
    assert rows.keys() == options.keys() - {"--json", "--quiet", "--verbose", "--help"}
    keys = set(RecordJobEntry.__struct_fields__)
    named = {key for row in rows.values() for key in re.findall(r"`([a-z_]+)(?: = [^`]+)?`", row)}
    assert named <= keys
    assert keys - named == {"alias", "id", "timezone", "removed_wait_s"}, "keys that no option has"
    assert [option for option, row in rows.items() if "`" not in row] == ["--wait-for", "--stats-dump"]


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
