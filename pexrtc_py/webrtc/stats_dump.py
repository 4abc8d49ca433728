"""What calls tell of themselves as an RTCStats dump, which viewers of getStats and webrtc-internals open.

JSON Lines by https://github.com/rtcstats/rtcstats, packages/rtcstats-server, "RTCStats dump file format" version 3:
an array an event, `[name, connection, value, milliseconds since the event before]`; of statistics what has changed.
Pure: whoever makes one says where lines go, and the time. It keeps the last statistics of each open call, no more.
Passwords of ICE and keys are taken out of descriptions; addresses and names stay, as in a browser's own dump.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from .statistics import RtpStatistics
from .transport_statistics import PathStatistics

__all__ = ["ConnectionDump", "StatsDump"]

_MAGIC: Final = b"RTCStatsDump\n"
_FORMAT: Final = 3
_SECRET: Final = re.compile(r"(?im)(?:^|(?<=\r))(a=ice-pwd:|a=crypto:|k=)[^\r\n]*")
_MOST_TEXT: Final = 256 * 1024
"""Characters of a description that are kept; a node's answer has some thousands."""
_LOCAL_TIMES: Final = ("timestamp", "lastPacketReceivedTimestamp")
"""By our own clock. The other times are of the Unix epoch already."""
_LEFT_OUT: Final = frozenset({"jitterDeviations", "jitterDeviationCount"})
"""Too much each second, and nothing that a viewer knows."""
_OTHER_SIDE: Final = {
    "inbound-rtp": ("remoteId", "inbound-", "remote-outbound-"),
    "outbound-rtp": ("remoteId", "outbound-", "remote-inbound-"),
    "remote-inbound-rtp": ("localId", "remote-inbound-", "outbound-"),
    "remote-outbound-rtp": ("localId", "remote-outbound-", "inbound-"),
}

_Report = dict[str, object]


class StatsDump:
    """A dump of any number of calls, one after the other or beside each other. Driven by its `ConnectionDump`s.

    Args:
        write: takes each line, with its line feed.
        agent: who writes it.
        unix: seconds of the Unix epoch.
        now: of the caller's clock at that moment, which all other times here are of.
    """

    def __init__(self, write: Callable[[bytes], None], *, agent: str, unix: float, now: float) -> None:
        self._write = write
        self._to_unix = unix - now
        self._last_ms = 0.0
        self._connections = 0
        started = self.unix_ms(now)
        write(_MAGIC + _line({"fileFormat": _FORMAT, "userAgent": agent, "startTime": round(started)}))
        self.event("create", None, {}, now)

    def connect(self, now: float, configuration: Mapping[str, object]) -> ConnectionDump:
        """Begin with a call; `configuration` as RTCConfiguration has it, without credentials."""
        name = f"PC_{self._connections}"
        self._connections += 1
        return ConnectionDump(self, name, configuration, now)

    def event(self, name: str, connection: str | None, value: object, now: float) -> None:
        """Write what happened."""
        at = self.unix_ms(now)
        passed, self._last_ms = round(at - self._last_ms, 3), round(at, 3)
        self._write(_line([name, connection, value, passed]))

    def unix_ms(self, now: float) -> float:
        """Return a time in milliseconds of the Unix epoch."""
        return (now + self._to_unix) * 1000


class ConnectionDump:
    """The part of a dump that is about one call; made by `StatsDump.connect`."""

    def __init__(self, dump: StatsDump, name: str, configuration: Mapping[str, object], now: float) -> None:
        self._dump = dump
        self._name = name
        self._before: dict[str, _Report] = {}
        self.event("create", configuration, now)

    def event(self, name: str, value: object, now: float) -> None:
        """Write an event, by the name and with the value that RTCPeerConnection has."""
        self._dump.event(name, self._name, value, now)

    def describe(self, name: str, kind: str, sdp: str, now: float) -> None:
        """Write that a description was set, without its secrets.

        Args:
            name: `setLocalDescription` or `setRemoteDescription`.
            kind: `offer` or `answer`.
            sdp: as it was on the wire.
            now: when.
        """
        self.event(name, {"type": kind, "sdp": _SECRET.sub(r"\1redacted", sdp[:_MOST_TEXT])}, now)

    def statistics(self, items: Iterable[RtpStatistics | PathStatistics], now: float) -> None:
        """Write what has changed since the last time."""
        reports = self._reports(items)
        newest = max((report["timestamp"] for report in reports.values()), default=None)  # type: ignore[type-var]
        value: dict[str, object] = {}
        for name, report in reports.items():
            before = self._before.get(name, {})
            changed = {key: item for key, item in report.items() if before.get(key) != item}
            changed |= {key: None for key in before if key not in report}
            changed.pop("timestamp", None)
            if report["timestamp"] != newest:
                # Said each time: whatever says nothing has the newest.
                changed["timestamp"] = report["timestamp"]
            if changed or not before:
                value[name] = changed
        value |= {name: None for name in self._before if name not in reports}
        if newest is not None:
            value["t"] = newest
        self._before = reports
        self.event("getStats", value, now)

    def close(self, now: float) -> None:
        """Write that the call is over."""
        self._before.clear()
        self.event("close", None, now)

    def _reports(self, items: Iterable[RtpStatistics | PathStatistics]) -> dict[str, _Report]:
        """Return what getStats would: by id, without what is not known, in times of the Unix epoch, and linked."""
        reports: dict[str, _Report] = {}
        for item in items:
            report: _Report = msgspec.to_builtins(item)
            name = str(report.pop("id"))
            for key in _LOCAL_TIMES:
                if isinstance(time := report.get(key), float | int):
                    report[key] = round(self._dump.unix_ms(time / 1000), 3)
            reports[name] = {key: value for key, value in report.items() if value is not None and key not in _LEFT_OUT}
        codecs = {
            (str(report["mimeType"]).lower(), report.get("codecType")): name
            for name, report in reversed(reports.items())
            if report["type"] == "codec"
        }
        for name, report in reports.items():
            _link(name, report, reports, codecs)
        return reports


def _link(name: str, report: _Report, reports: Mapping[str, _Report], codecs: Mapping[tuple[str, object], str]) -> None:
    """Say which report belongs to which, as W3C has it."""
    kind = str(report["type"])
    if kind not in _OTHER_SIDE:
        return
    key, ours, theirs = _OTHER_SIDE[kind]
    other = theirs + name.removeprefix(ours)
    if other in reports:
        report[key] = other
    if "transport" in reports:
        report["transportId"] = "transport"
    use = {"inbound-rtp": "decode", "outbound-rtp": "encode"}.get(kind)
    codec = codecs.get((str(report.get("mimeType")).lower(), use))
    if codec is not None:
        report["codecId"] = codec
    if kind == "inbound-rtp":
        report["trackIdentifier"] = name


def _line(value: object) -> bytes:
    """Write a line of ASCII: whatever a peer calls itself, it is one line, and JSON of every reader."""
    return json.dumps(_finite(value), separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _finite(value: object) -> object:
    """Return a value without numbers that JSON does not have."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
