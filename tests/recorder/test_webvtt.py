"""Subtitles that every reader reads, whatever people are called."""

from __future__ import annotations

from pathlib import Path

import av
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.recorder.story import ChatMessage, Stretch
from pexrtc_py.recorder.webvtt import chat_vtt, escape, speakers_vtt, timestamp


def test_timestamps() -> None:
    """Hours are always there; nothing is before 0."""
    assert [timestamp(at) for at in (0.0, 59.9996, 3661.5, -1.0)] == [
        "00:00:00.000",
        "00:01:00.000",
        "01:01:01.500",
        "00:00:00.000",
    ]


@given(st.text())
def test_no_text_leaves_its_cue(text: str) -> None:
    """One line, no tag, no arrow."""
    escaped = escape(text)
    assert "\n" not in escaped
    assert "<" not in escaped
    assert "-->" not in escaped
    assert escaped == " ".join(escaped.split())


def test_messages_stand_until_the_next() -> None:
    """Six seconds at most."""
    messages = [
        ChatMessage(at_s=at, participant_uuid="a", name="A <b>", text=text)
        for at, text in ((1.0, "one\n\n00:00.000 --> 00:01.000\nx"), (3.0, "two"))
    ]
    assert chat_vtt(messages).splitlines() == [
        "WEBVTT",
        "",
        "00:00:01.000 --> 00:00:03.000",
        "<v A &lt;b&gt;>one 00:00.000 --&gt; 00:01.000 x</v>",
        "",
        "00:00:03.000 --> 00:00:09.000",
        "<v A &lt;b&gt;>two</v>",
    ]


def test_a_reader_that_is_not_ours_reads_them(tmp_path: Path) -> None:
    """libavformat finds each cue at its time."""
    path = tmp_path / "speakers.vtt"
    path.write_text(
        speakers_vtt([Stretch(participant_uuid="a", name="Zoë", start_s=n * 2.0, end_s=n * 2.0) for n in range(3)])
    )
    with av.open(path) as container:
        cues = [(packet.pts, bytes(packet)) for packet in container.demux() if packet.size]
    assert cues == [(n * 2000, "<v Zoë>Zoë</v>".encode()) for n in range(3)]
