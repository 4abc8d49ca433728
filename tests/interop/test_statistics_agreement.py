"""The same streams counted by us, by Chromium, and by libwebrtc itself (`wrtc`): a table of both, each time.

Each peer sends sound and pictures to us, and gets back what it sent, over a good path and over one that loses and
delays packets. Both sides are read at the same moment, so counters may differ by what is under way just then; what one
side knows only from the other's reports (loss, round trip) may be a second old. Jitter is laid beside the reports
themselves, where they are ours, and else beside what it was when the report was written. `-s` shows the tables.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean
from typing import Any

import pytest

from pexrtc_py.webrtc.impairment import Impairment
from pexrtc_py.webrtc.peer import Peer, PeerConfig
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.rtcp import ReceiverReport, parse_compound
from pexrtc_py.webrtc.statistics import InboundRtp, OutboundRtp, RemoteInboundRtp
from pexrtc_py.webrtc.transport_statistics import TransportStatistics
from tests.interop.child_peer import child_peer
from tests.interop.conftest import need
from tests.interop.test_chromium_peer import Echo, chromium
from tests.support.peers import POLICY

LOSS = 0.03
PATHS = {"good": None, "bad": Impairment(loss=LOSS, delay_s=0.04, jitter_s=0.02, seed=7)}
REPORT_AGE_S = 5.0
"""Chromium reports on sound every five seconds; what was lost since is not known to the sender."""
SETTLED_S = 2.0
"""After which nothing of ours is under way, and the peer has counted it."""
ON_THE_WAY_S = 3.0
"""What a report may take from being written to being read, at most: on the path, a late browser, a pipe."""
UNDER_WAY_S = 0.15
"""How much later than they we may read: a path of 60 ms, a page, a loop."""
REPAIR_S = 0.35
"""What a lost packet takes to come again on the bad path, at the second attempt."""
CLOCK_RATES = {"audio": 48000, "video": 90000}
"""Of Opus and of every codec of video."""
FRAMES = 150
"""Pictures that the peer has decoded when both are compared."""


@dataclass(frozen=True)
class Row:
    """One figure of one stream, by both."""

    stream: str
    name: str
    theirs: float
    ours: float
    within: float
    """By how much they may differ."""

    @property
    def agrees(self) -> bool:
        return abs(self.theirs - self.ours) <= self.within

    def __str__(self) -> str:
        mark = "" if self.agrees else "   <- differs"
        return f"{self.stream:22} {self.name:16} {self.theirs:12.4g} {self.ours:12.4g} {self.within:10.3g}{mark}"


@dataclass(frozen=True)
class Reading:
    """What they count and what we do, at one moment."""

    at: float
    """Seconds, `time.monotonic`."""
    theirs: Sequence[dict[str, Any]]
    ours: Sequence[object]


class ReportLog:
    """The jitter, in milliseconds, of each report that our receivers send, with its moment and the kind of media."""

    def __init__(self, peer: Peer) -> None:
        self.sent: list[tuple[float, str, float]] = []
        for line in peer.lines:
            if line.receiver is not None:
                reports = line.receiver._reports
                reports._send = self._listener(line.receiver, reports._send)

    def _listener(self, receiver: Receiver, send: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def listen(data: bytes) -> None:
            for packet in parse_compound(data):
                for block in packet.reports if isinstance(packet, ReceiverReport) else ():
                    kind = receiver.config.kind
                    self.sent.append((time.monotonic(), kind, 1000 * block.jitter / CLOCK_RATES[kind]))
            send(data)

        return listen


def share(value: float, least: float, part: float) -> float:
    """Return a tolerance: a part of a value, and at least so much."""
    return max(least, part * abs(value))


def unreported(lost: float, elapsed_s: float) -> float:
    """Return a tolerance: what may have been lost since the last report, and the dice."""
    return 3 + 1.5 * lost * min(1.0, REPORT_AGE_S / elapsed_s)


def rows(history: Sequence[Reading], end: Reading, log: ReportLog, elapsed_s: float) -> Iterator[Row]:
    """Lay both beside each other, stream by stream: counters as they stand at the end, jitter as it was reported while
    media flowed both ways.

    The round trip is one of the path: the mean of all that each side has measured with either stream.
    """
    found = [list(_rows(reading.theirs, reading.ours, elapsed_s)) for reading in history]
    times = [reading.at for reading in history]
    for last, *same in zip(_rows(end.theirs, end.ours, elapsed_s), *found, strict=True):
        if last.name == "jitter ms":
            yield _we_reported(same, times, log) if "they to us" in last.stream else _they_reported(same, times)
        elif last.name != "ms":
            yield last
    trips = [{(row.stream, row.theirs) for each in found for row in each if row.name == "ms"}]
    trips += [{(row.stream, row.ours) for each in found for row in each if row.name == "ms"}]
    theirs, ours = (mean(trip for _, trip in side) for side in trips)
    yield Row("both, round trip", "ms", theirs, ours, share(ours, 15, 0.2))


def _news(told: Sequence[float], times: Sequence[float]) -> tuple[int, float, float]:
    """Return the place of the last report that was news, and between which moments it was written: after the last but
    one was read, as late as readings come."""
    changed = [place for place in range(1, len(told)) if told[place] != told[place - 1]]
    news = changed[-1] if changed else len(told) - 1  # the browser rounds to milliseconds
    before = changed[-2] if len(changed) > 1 else 0
    return news, times[before] - ON_THE_WAY_S, times[news]


def _we_reported(same: Sequence[Row], times: Sequence[float], log: ReportLog) -> Row:
    """Return the last jitter that they know from us, beside the nearest that we told in that time: it must be one."""
    place, begin, until = _news([row.theirs for row in same], times)
    kind = same[0].stream.partition(",")[0]
    ours = [value for at, of, value in log.sent if of == kind and begin <= at <= until]
    told = same[place].theirs
    near = min(ours, key=lambda value: abs(value - told))
    return replace(same[place], ours=near, within=1.0)  # they keep milliseconds


def _they_reported(same: Sequence[Row], times: Sequence[float]) -> Row:
    """Return the last jitter that we know from them, beside what theirs was by the readings around that report."""
    place, begin, until = _news([row.ours for row in same], times)
    around = [row.theirs for row, at in zip(same, times, strict=True) if begin <= at <= until]
    told = same[place].ours
    near = min(max(told, min(around)), max(around))
    return replace(same[place], theirs=near, within=share(near, 2.0, 0.35))


def _rows(theirs: Sequence[dict[str, Any]], ours: Sequence[object], elapsed_s: float) -> Iterator[Row]:
    for kind in ("audio", "video"):
        sent, got, told = (
            next(item for item in theirs if item["type"] == wanted and item.get("kind") == kind)
            for wanted in ("outbound-rtp", "inbound-rtp", "remote-inbound-rtp")
        )
        inbound = next(item for item in ours if isinstance(item, InboundRtp) and item.kind == kind)
        outbound = next(item for item in ours if isinstance(item, OutboundRtp) and item.kind == kind)
        report = next(item for item in ours if isinstance(item, RemoteInboundRtp) and item.kind == kind)
        yield from _to_us(f"{kind}, they to us", sent, told, inbound, elapsed_s)
        yield from _to_them(f"{kind}, we to them", got, outbound, report, elapsed_s)
        rtt, their_rtt = report.round_trip_time, told.get("roundTripTime")
        assert rtt is not None
        assert their_rtt is not None
        yield Row(f"{kind}, round trip", "ms", 1000 * their_rtt, 1000 * rtt, share(1000 * rtt, 15, 0.2))


def _to_us(
    stream: str, sent: dict[str, Any], told: dict[str, Any], inbound: InboundRtp, elapsed_s: float
) -> Iterator[Row]:
    """What they send, against what we receive; what of it is lost they know from our reports."""
    first_sent = sent["packetsSent"] - sent.get("retransmittedPacketsSent", 0)
    # To probe the path libwebrtc sends old packets again, or only padding, and counts both as sent.
    probes = inbound.packets_duplicated + inbound.packets_padding
    expected = inbound.packets_received + inbound.packets_lost + probes
    under_way = UNDER_WAY_S / elapsed_s
    yield Row(stream, "packets", first_sent, expected, 3 + LOSS * probes + share(first_sent, 3, under_way))
    first_bytes = sent["bytesSent"] - sent.get("retransmittedBytesSent", 0)
    missing = 0.02 + (inbound.packets_lost + probes) / max(1, expected)
    yield Row(stream, "bytes", first_bytes, inbound.bytes_received, share(first_bytes, 1500, missing))
    rate = 8e-3 * first_bytes / elapsed_s
    ours = 8e-3 * inbound.bytes_received / elapsed_s
    yield Row(stream, "kb/s", rate, ours, share(rate, 1.5, missing))
    yield Row(stream, "jitter ms", 1000 * told["jitter"], 1000 * inbound.jitter, share(1000 * inbound.jitter, 5, 0.5))
    if inbound.kind == "audio":
        yield Row(
            stream, "lost", told["packetsLost"], inbound.packets_lost, unreported(inbound.packets_lost, elapsed_s)
        )
    else:
        assert inbound.frames_received is not None
        assert inbound.frames_dropped is not None
        # Each lost packet takes the whole of one picture at most; one is not complete.
        frames, theirs = inbound.frames_received + inbound.frames_dropped, sent["framesSent"]
        yield Row(stream, "pictures", theirs, frames, 1 + inbound.packets_lost + share(theirs, 2, under_way))
        yield Row(stream, "PLI", sent["pliCount"], inbound.pli_count, 2)
        yield Row(stream, "NACK", sent["nackCount"], inbound.nack_count, share(inbound.nack_count, 2, 0.2))


def _to_them(
    stream: str, got: dict[str, Any], outbound: OutboundRtp, report: RemoteInboundRtp, elapsed_s: float
) -> Iterator[Row]:
    """What they receive, against what we send; what of it is lost we know from their reports."""
    first_sent = outbound.packets_sent - outbound.retransmitted_packets_sent
    # What was lost and came by retransmission counts as both.
    expected = got["packetsReceived"] + got["packetsLost"] - got.get("retransmittedPacketsReceived", 0)
    yield Row(stream, "packets", expected, first_sent, share(first_sent, 3, 0.002))
    first_bytes = outbound.bytes_sent - outbound.retransmitted_bytes_sent
    missing = 0.02 + got["packetsLost"] / max(1, expected)
    yield Row(stream, "bytes", got["bytesReceived"], first_bytes, share(first_bytes, 1500, missing))
    rate = 8e-3 * first_bytes / elapsed_s
    yield Row(stream, "kb/s", 8e-3 * got["bytesReceived"] / elapsed_s, rate, share(rate, 1.5, missing))
    yield Row(stream, "jitter ms", 1000 * got["jitter"], 1000 * report.jitter, share(1000 * report.jitter, 5, 0.5))
    yield Row(stream, "lost", got["packetsLost"], report.packets_lost, unreported(got["packetsLost"], elapsed_s))
    if outbound.kind == "video":
        assert outbound.frames_sent is not None
        assert outbound.key_frames_sent is not None
        # At a further key frame libwebrtc passes over what waits for a repair, and counts it nowhere.
        passes = (outbound.key_frames_sent - 1) * REPAIR_S / elapsed_s if got["packetsLost"] else 0
        passed = share(outbound.frames_sent, 0, passes)
        # libwebrtc has decoded frames that it does not count as received where packets came again, so: the larger.
        received = max(got["framesReceived"], got["framesDecoded"])
        yield Row(stream, "received", received, outbound.frames_sent, 2 + passed)
        yield Row(stream, "decoded", got["framesDecoded"], outbound.frames_sent, 3 + passed)
        yield Row(stream, "PLI", got["pliCount"], outbound.pli_count, 2)
        yield Row(stream, "NACK", got["nackCount"], outbound.nack_count, share(outbound.nack_count, 2, 0.2))


def check_path(reading: Reading) -> None:
    """Hold the names of what was agreed to theirs: W3C's are those of registries, and OpenSSL has its own."""
    theirs = next(item for item in reading.theirs if item["type"] == "transport")
    ours = next(item for item in reading.ours if isinstance(item, TransportStatistics))
    assert (ours.tls_version, ours.dtls_cipher, ours.srtp_cipher) == tuple(
        theirs[name] for name in ("tlsVersion", "dtlsCipher", "srtpCipher")
    )


def check(title: str, found: Sequence[Row]) -> None:
    """Print the table, and hold every row to its tolerance."""
    head = f"{'stream':22} {'figure':16} {'theirs':>12} {'ours':>12} {'within':>10}"
    sys.stdout.write("\n".join(["", title, head, *map(str, found), ""]))
    assert len(found) == 27
    assert [row for row in found if not row.agrees] == []


def has_reports(report: Sequence[dict[str, Any]]) -> bool:
    """Whether enough was decoded."""
    decoded = [item.get("framesDecoded", 0) for item in report if item["type"] == "inbound-rtp"]
    return max(decoded, default=0) >= FRAMES


def has_trips(reading: Reading) -> bool:
    """Whether both sides have had reports on both streams, with a round trip, and both have come."""
    theirs, ours = reading.theirs, reading.ours
    told = [item for item in theirs if item["type"] == "remote-inbound-rtp" and item.get("roundTripTime") is not None]
    got = [item for item in theirs if item["type"] == "inbound-rtp"]
    reports = [item for item in ours if isinstance(item, RemoteInboundRtp) and item.round_trip_time is not None]
    return len(told) == len(got) == len(reports) == 2


def has_news(history: Sequence[Reading]) -> bool:
    """Whether each side has had another report on each stream since the first reading: so its moment is known."""
    told = [
        [item["roundTripTimeMeasurements"] for item in reading.theirs if item["type"] == "remote-inbound-rtp"]
        + [item.round_trip_time_measurements for item in reading.ours if isinstance(item, RemoteInboundRtp)]
        for reading in history
    ]
    return all(len(set(each)) > 1 for each in zip(*told, strict=True))


async def compare(read: Callable[[], Awaitable[Reading]], peer: Peer, echoes: Sequence[Echo]) -> list[Row]:
    """Read both until enough has passed, stop sending, let what is under way arrive, and lay them beside each other."""
    began, history = time.monotonic(), list[Reading]()
    log = ReportLog(peer)
    while not history or not has_reports(history[-1].theirs) or not has_news(history):
        reading = await read()
        if has_trips(reading):
            history.append(reading)
    elapsed = time.monotonic() - began
    check_path(history[-1])
    for line, echo in zip(peer.lines, echoes, strict=False):
        assert line.receiver is not None
        line.receiver.remove_tap(echo)
    stopped = time.monotonic()
    end = await read()
    while time.monotonic() - stopped < SETTLED_S or is_waiting(end):
        end = await read()
    return list(rows(history, end, log, elapsed))


def is_waiting(reading: Reading) -> bool:
    """Whether we hold pictures back, because a packet is missing."""
    return any(item.packets_missing for item in reading.ours if isinstance(item, InboundRtp))


@pytest.mark.parametrize("path", PATHS)
async def test_chromium_counts_the_same(path: str, tmp_path: Path) -> None:
    """Chromium's getStats."""
    peer = Peer(PeerConfig(addresses=("127.0.0.1",), impairment=PATHS[path]))
    async with asyncio.timeout(50), peer, chromium(peer, tmp_path) as browser:
        await browser.tells("audio", 0)

        async def read() -> Reading:
            await browser.told()
            return Reading(time.monotonic(), browser.report, browser.ours)

        check(f"Chromium, {path} path", await compare(read, peer, browser.echoes))


@pytest.mark.parametrize("path", PATHS)
async def test_libwebrtc_counts_the_same(path: str) -> None:
    """The getStats of libwebrtc in a process of its own, without a browser."""
    need("webrtc", "wrtc")
    peer = Peer(PeerConfig(addresses=("127.0.0.1",), impairment=PATHS[path]))
    command = (sys.executable, "-m", "tests.interop.wrtc_peer", "440")
    async with asyncio.timeout(50), peer, child_peer(*command, needs="wrtc (make peers)") as child:
        answer = await peer.answer_offer(await child.tells("sdp"), POLICY)
        echoes = [Echo(peer, 0), Echo(peer, 1)]
        child.answer(answer)
        await peer.connected()

        async def read() -> Reading:
            theirs = await child.tells("report")
            return Reading(time.monotonic(), theirs, peer.statistics(time.monotonic()))

        check(f"libwebrtc, {path} path", await compare(read, peer, echoes))
        assert all(echo.frames for echo in echoes)
