"""Whatever text or bytes a person, a file or a peer gives: each parser takes it, or says so by the documented error.

Those whose own module has such a test are not repeated: session descriptions, join links, events, models, RTP and RTCP,
payloads, sources, dialling, triggers, moments, thresholds.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pexrtc_py.cli.announce_options import read_digits, read_loudness
from pexrtc_py.cli.impairing import parse_impairment, parse_time
from pexrtc_py.cli.options import read_ports
from pexrtc_py.cli.probe_output import parse_metrics_address
from pexrtc_py.cli.probe_plans import read_size
from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.fleet.jobs import parse_jobs
from pexrtc_py.fleet.messages import parse_command, parse_report
from pexrtc_py.media.sources.playlist import parse_m3u
from pexrtc_py.media.sources.slides import parse_slides
from pexrtc_py.node.config import load_node_file
from pexrtc_py.probe.result import parse_result
from pexrtc_py.recorder.sidecars import read_story
from pexrtc_py.service.local_pages import parse_listen
from pexrtc_py.webrtc.gathering import parse_ice_url

TEXTS: dict[str, Callable[[str], object]] = {
    "ice url": parse_ice_url,
    "listen": lambda text: parse_listen(text, option="--listen"),
    "metrics": parse_metrics_address,
    "ports": read_ports,
    "size": read_size,
    "time": lambda text: parse_time(text, what="--every"),
    "impairment": parse_impairment,
    "loudness": read_loudness,
    "digits": read_digits,
    "slides": parse_slides,
    "m3u": lambda text: parse_m3u(text, folder=None),
    "m3u here": lambda text: parse_m3u(text, folder=Path("/nowhere")),
    "jobs": parse_jobs,
}
# What these texts are made of, and what only looks like it.
WORDS = (
    *(
        "turn:",
        "turns:",
        "stun:",
        "?transport=udp",
        "[::1]",
        "[",
        "]",
        "127.0.0.1",
        "host.example",
        ":",
        "-",
        "@",
        ",",
        "=",
    ),
    *("0", "1", "40000", "65536", "99999999999999999999", "1e999", "nan", "-inf", "²", "٣", "1280", "720", "x", "%"),
    *("s", "ms", "m", "h", "k", "M", "bps", "loss", "delay", "rate", "burst", "send:", "3g", "off", "#", "*", "p", "w"),
    *("http://a/b.mp3", "../a", "\x00", "\n", "\r", "\u2028", "\ud800", "\u202e", "[[record]]\n", "[fleet]\n"),
    *("alias", "node", "workers", "= 1\n", '= "a"\n', "= []\n", "= {}\n", "[defaults]\n", "[[probe]]\n"),
)
ANY_TEXT = st.text(max_size=40) | st.lists(st.sampled_from(WORDS), max_size=12).map("".join)


@pytest.mark.parametrize("name", TEXTS)
@given(text=ANY_TEXT)
@example(text="9" * 5000)
@example(text="127.0.0.1:" + "9" * 5000)
@example(text="turn:a:" + "9" * 5000)
@example(text="9" * 5000 + "x720")
@example(text="1280x720@" + "9" * 5000)
@example(text="1024-" + "9" * 5000)
@example(text="9" * 5000 + "s")
@example(text="[" * 5000)
def test_any_text(name: str, text: str) -> None:
    """It is read, or refused by the error for what a user gives."""
    with suppress(UsageError):
        TEXTS[name](text)


KEYS = st.sampled_from(("schema", "series", "times", "values", "kind", "event", "data", "at_s", "job", "id", "alias"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=12,
)
ANY_BYTES = st.binary(max_size=60) | JSON.map(lambda value: msgspec.json.encode(value))


@given(data=ANY_BYTES)
@example(data=b"[" * 100_000)
@example(data=b'{"schema": "pexrtc.probe/1", "series": [{"times": [1], "values": []}]}')
def test_any_result(data: bytes) -> None:
    """A file that is to be compared with is a result of a probe, or is refused."""
    with_error(lambda: parse_result(data), UsageError)


@given(data=ANY_BYTES)
@example(data=b"[" * 100_000)
def test_any_message(data: bytes) -> None:
    """What comes from a worker or goes to it is a message, or is refused."""
    with_error(lambda: parse_command(data), msgspec.MsgspecError, UnicodeDecodeError)
    with_error(lambda: parse_report(data), msgspec.MsgspecError, UnicodeDecodeError)


@given(data=ANY_BYTES, more=ANY_BYTES)
@example(data=b'{"at_s": 1, "event": "message_received", "data": {"payload": "\xff"}}', more=b"[" * 100_000)
def test_any_file(data: bytes, more: bytes) -> None:
    """An events' file is read as far as it can be; a file of conferences is read, or refused."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(data + b"\n" + more)
        with_error(lambda: read_story(path), SourceError)
        with_error(lambda: load_node_file(path), UsageError)


def with_error(read: Callable[[], object], *errors: type[Exception]) -> None:
    """Read something that may be refused by these errors alone."""
    with suppress(*errors):
        read()
