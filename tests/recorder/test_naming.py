"""Templates of names, and hostile words in them."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.errors import UsageError
from pexrtc_py.recorder.naming import expand_template, recording_paths, role_path, safe_component, segment_path

NOW = datetime(2026, 11, 22, 15, 45)  # the wall clock of whoever records


def test_values_date_and_time_are_put_in() -> None:
    """A template names directories and file."""
    path = expand_template("rec/{date}/{alias}-{time}.mkv", {"alias": "meet.alice"}, NOW)
    assert path == Path("rec/2026-11-22/meet.alice-154500.mkv")


@pytest.mark.parametrize(
    "template", ["{nothing}.mkv", "{alias!r}.mkv", "{alias:>9}.mkv", "{alias", "}", "{}", "{0}", "..", ""]
)
def test_what_cannot_be_is_refused(template: str) -> None:
    """Unknown names, conversions and broken braces are a usage error that shows the template."""
    with pytest.raises(UsageError):
        expand_template(template, {"alias": "a"}, NOW)


@given(st.text())
def test_no_value_leaves_its_directory(alias: str) -> None:
    """Whatever the far side calls itself, the file is one component under the template's directory."""
    path = expand_template("rec/x{alias}.mkv", {"alias": alias}, NOW)
    assert path.parent == Path("rec")
    assert len(path.name.encode()) < 255
    bare = expand_template("rec/{alias}", {"alias": alias}, NOW)
    assert bare.parent == Path("rec")
    assert bare.name.isprintable()
    assert not bare.name.startswith((".", "-"))


def test_a_home_is_the_templates_and_no_alias() -> None:
    """An alias `~root` once led into another's home, and `~bob`, whom nobody knows, was a bug."""
    assert expand_template("{alias}/x.mkv", {"alias": "~root"}, NOW) == Path("~root/x.mkv")
    assert expand_template("{alias}.mkv", {"alias": "~bob"}, NOW) == Path("~bob.mkv")
    assert expand_template("~{alias}/x.mkv", {"alias": "root"}, NOW) == Path("~root/x.mkv")
    assert expand_template("~/rec/{alias}.mkv", {"alias": "a"}, NOW) == Path.home() / "rec" / "a.mkv"
    with pytest.raises(UsageError, match="nobody here is called nobody-of-that-name"):
        expand_template("~nobody-of-that-name/{alias}.mkv", {"alias": "a"}, NOW)


def test_hostile_words_stay_readable() -> None:
    """Separators and controls become underscores, the rest is left as it is."""
    assert safe_component("../../etc/passwd") == "_.._etc_passwd"
    assert safe_component("Zoë's Büro\n") == "Zoë's Büro_"
    assert safe_component("...") == "_"
    assert safe_component("\ud800") == "_" or safe_component("\ud800")


def test_roles_and_segments_are_told_by_the_name() -> None:
    """The ending stays last, so that players open them."""
    assert role_path(Path("a/talk.v2.mkv"), "slides") == Path("a/talk.v2.slides.mkv")
    assert segment_path(Path("talk.mkv"), 2) == Path("talk.002.mkv")
    assert recording_paths(Path("a/talk.v2.slides.002.part.mkv")) == (
        Path("a/talk.v2.slides.002.mkv"),
        Path("a/talk.v2.slides.mkv"),
        Path("a/talk.v2.mkv"),
    )
    assert recording_paths(Path("talk.mkv")) == (Path("talk.mkv"),)
