"""Dumps in the RTCStats format: what was told comes back, in one line each, without secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pexrtc_py.media.frames import Codec
from pexrtc_py.webrtc.statistics import OutboundRtp, RtpStatistics
from pexrtc_py.webrtc.stats_dump import StatsDump
from tests.support.rtp_statistics import OUTBOUND, REPORT
from tests.support.stats_dumps import Dump, read_dump

from .link import Link, vp8_frame

UNIX, NOW = 1_700_000_000.0, 1000.0
SENT = replace(OUTBOUND, kind="video", ssrc=1, mime_type="video/VP8")
REPORTED = replace(
    REPORT,
    kind="video",
    ssrc=1,
    fraction_lost=0.0,
    jitter=0.0,
    round_trip_time=None,
    total_round_trip_time=0.0,
    round_trip_time_measurements=0,
)


def dumped(*readings: Sequence[RtpStatistics]) -> Dump:
    """What is read of a dump of these statistics, a second apart."""
    lines: list[bytes] = []
    connection = StatsDump(lines.append, agent="us", unix=UNIX, now=NOW).connect(NOW, {})
    for second, reading in enumerate(readings, start=1):
        connection.statistics(reading, NOW + second)
    connection.close(NOW + len(readings) + 1)
    return read_dump(b"".join(lines))


def test_what_a_call_counts_comes_back() -> None:
    """Each second as getStats has it: times of the Unix epoch, links, and what has not changed since."""
    link = Link(Codec.VP8, round_trip_s=0.05)
    lines: list[bytes] = []
    dump = StatsDump(lines.append, agent="us", unix=UNIX, now=link.now)
    connection = dump.connect(link.now, {"iceServers": []})
    told = []
    for second in range(1, 4):
        for number in range(30):
            frame = vp8_frame(30 * second + number, key=number == 0, size=2000, time=link.now)
            link.at(link.now + number / 30, lambda frame=frame: link.sender.push(frame))  # type: ignore[misc]
        link.run(1000.0 + second)
        taken = [*link.sender.statistics(link.now), *link.receiver.statistics(link.now)]
        told.append({item.id: item for item in taken})
        connection.statistics(taken, link.now)
    read = read_dump(b"".join(lines))
    assert read.metadata["userAgent"] == "us"
    assert [round(at - UNIX * 1000) for at, *_ in read.events] == [0, 0, 1000, 2000, 3000]
    for items, reports in zip(told, read.of("getStats", "PC_0"), strict=True):
        assert set(reports) == set(items)
        for name, report in reports.items():
            item = items[name]
            assert report["type"] == item.__struct_config__.tag
            assert report["timestamp"] == round((item.timestamp / 1000 - 1000 + UNIX) * 1000, 3)
        outbound = items["outbound-video"]
        assert isinstance(outbound, OutboundRtp)
        assert reports["outbound-video"]["bytesSent"] == outbound.bytes_sent
    last = read.of("getStats")[-1]
    assert last["outbound-video"]["remoteId"] == "remote-inbound-video"
    assert last["remote-outbound-video"]["localId"] == "inbound-video"
    assert last["remote-inbound-video"]["timestamp"] < last["outbound-video"]["timestamp"]


def test_only_what_has_changed_is_written() -> None:
    """A second in which nothing happened is a few bytes."""
    lines: list[bytes] = []
    connection = StatsDump(lines.append, agent="us", unix=UNIX, now=NOW).connect(NOW, {})
    for second in range(3):
        connection.statistics([replace(SENT, timestamp=1000 * (NOW + second))], NOW + second)
    assert json.loads(lines[-1]) == ["getStats", "PC_0", {"t": (UNIX + 2) * 1000}, 1000.0]


def test_what_is_gone_is_gone() -> None:
    """A report that is there no more, a figure that is known no more, and both back again."""
    measured = replace(REPORTED, round_trip_time=0.1)
    read = dumped([SENT, measured], [SENT, REPORTED], [SENT], [SENT, measured]).of("getStats")
    trips = [reports.get("remote-inbound-0", {}).get("roundTripTime") for reports in read]
    assert trips == [0.1, None, None, 0.1]
    assert [("remote-inbound-0" in reports) for reports in read] == [True, True, False, True]


@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.floats(), st.integers(0, 2)), max_size=4), max_size=6))
def test_any_sequence_comes_back(readings: list[list[tuple[int, float, int]]]) -> None:
    """Whatever comes, goes and changes; numbers that JSON does not have are nothing."""
    told = [
        {
            f"outbound-{name}": replace(SENT, id=f"outbound-{name}", target_bitrate=rate, timestamp=float(at))
            for name, rate, at in reading
        }
        for reading in readings
    ]
    read = dumped(*[list(reading.values()) for reading in told]).of("getStats")
    for items, reports in zip(told, read, strict=True):
        assert set(reports) == set(items)
        for name, item in items.items():
            wanted = item.target_bitrate
            assert wanted is not None
            shown = reports[name].get("targetBitrate")
            assert shown == wanted if abs(wanted) < float("inf") else shown is None
            assert reports[name]["timestamp"] == round((UNIX - NOW) * 1000 + item.timestamp, 3)


@given(st.text(st.characters(exclude_categories=())))
def test_hostile_names_stay_in_their_line(name: str) -> None:
    """A mid, a state or a description may be any text, lone surrogates included."""
    lines: list[bytes] = []
    connection = StatsDump(lines.append, agent=name, unix=UNIX, now=NOW).connect(NOW, {"iceServers": [name]})
    connection.event("onconnectionstatechange", name, NOW)
    connection.describe("setRemoteDescription", "answer", name, NOW)
    connection.statistics([replace(SENT, mid=name, id=f"outbound-{name}")], NOW)
    assert all(line.isascii() and line.endswith(b"\n") for line in lines)
    read = read_dump(b"".join(lines))
    assert len(read.events) == 5
    assert read.of("onconnectionstatechange") == [name]
    assert read.of("getStats")[0][f"outbound-{name}"]["mid"] == name


def test_descriptions_have_no_secrets_and_an_end() -> None:
    """Passwords of ICE and keys of SRTP, however they are written; a description of megabytes is cut."""
    sdp = "v=0\r\na=ice-ufrag:u\r\na=ice-pwd:Secret1\r\nA=ICE-PWD:Secret2\na=crypto:1 inline:Secret3\rk=clear:Secret4"
    lines: list[bytes] = []
    connection = StatsDump(lines.append, agent="us", unix=UNIX, now=NOW).connect(NOW, {})
    connection.describe("setLocalDescription", "offer", sdp, NOW)
    connection.describe("setRemoteDescription", "answer", "x" * 10_000_000, NOW)
    assert b"Secret" not in b"".join(lines)
    assert len(lines[-1]) < 300_000
    described: list[dict[str, Any]] = read_dump(b"".join(lines)).of("setLocalDescription")
    assert described[0]["sdp"].startswith("v=0\r\na=ice-ufrag:u\r\na=ice-pwd:redacted\r\n")
