"""Many datagrams by one system call, each with the moment the kernel took it: `recvmmsg` of Linux.

Python's sockets have no such call, so it is called through cffi (which pylibsrtp brings along). All sockets of a
process share one arena, for what is in it is handed on before the next call. The kernel's time stamps are what makes it
possible to read late: jitter, delay and transport feedback are of the network then, not of our reading. That holds for
seconds: what a socket kept while the process stood still (1 MB if Linux grants it, five seconds of a call, twenty of
sound) came when it came, and read as of now it would be placed that much too late. Only what the socket had no room for
is lost (`UdpTransport.overflowed`).
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from cffi import FFI  # type: ignore[import-untyped]  # it has no types

__all__ = ["BATCH", "StampedClock", "receive_batch", "stamp"]

BATCH = 64
"""Datagrams a call takes at most."""
_SLOT = 2048  # as udp.py; aligned as libsrtp wants its packets
_NAME = 28  # sockaddr_in6
_CONTROL = 64
_SO_TIMESTAMPNS = 35  # asm-generic/socket.h, with the old layout: two longs
_MSG_DONTWAIT = 0x40
_OLDEST_S = 30.0  # more than a socket holds of a call
_SET_S = 0.1  # by which the wall clock parts from the monotonic one when it is set, or the machine slept
_SET_BEFORE_S = 1.0  # stamps of before are trusted so far back, as they were made within the last sweep or two

_ffi = FFI()
_ffi.cdef(
    """
    struct iovec { void *base; size_t length; };
    struct msghdr { char *name; unsigned int name_length; struct iovec *parts; size_t parts_length;
                    char *control; size_t control_length; int flags; };
    struct mmsghdr { struct msghdr header; unsigned int length; };
    struct stamp { size_t length; int level; int type; long seconds; long nanoseconds; };
    int recvmmsg(int, struct mmsghdr *, unsigned int, int, void *);
    """
)


class StampedClock:
    """Says which stamps can be trusted. They are of the wall clock, which may be set; ours is the monotonic one."""

    def __init__(self) -> None:
        self.to_monotonic: float | None = None
        """To be added to a stamp."""
        self._set_at = float("-inf")

    def oldest(self, now: float, wall: float) -> float:
        """Return since when on the monotonic clock stamps are good.

        Args:
            now: the monotonic clock.
            wall: the wall clock at the same moment.
        """
        before, self.to_monotonic = self.to_monotonic, now - wall
        if before is None or abs(self.to_monotonic - before) > _SET_S:
            self._set_at = now
        return max(now - _OLDEST_S, self._set_at - _SET_BEFORE_S)


class _Arena:
    """Room for a batch."""

    def __init__(self) -> None:
        library: Any = _ffi.dlopen(None)
        self.receive = library.recvmmsg
        self.data = _ffi.new("char[]", BATCH * _SLOT + 16)
        self.bytes = _ffi.buffer(self.data)
        self.names = _ffi.new("char[]", BATCH * _NAME)
        self.control = _ffi.new("char[]", BATCH * _CONTROL)
        self.parts = _ffi.new("struct iovec[]", BATCH)
        self.messages = _ffi.new("struct mmsghdr[]", BATCH)
        self.stamped = StampedClock()
        self.headers = [self.messages[number].header for number in range(BATCH)]
        self.stamps = [_ffi.cast("struct stamp *", self.control + number * _CONTROL) for number in range(BATCH)]
        for number, header in enumerate(self.headers):
            self.parts[number].base = self.data + number * _SLOT
            self.parts[number].length = _SLOT
            header.name = self.names + number * _NAME
            header.name_length = _NAME
            header.parts = self.parts + number
            header.parts_length = 1
            header.control = self.control + number * _CONTROL
            header.control_length = _CONTROL

    def address(self, number: int) -> tuple[Any, ...]:
        """Where a datagram came from, as Python's sockets say it."""
        at = number * _NAME
        name = _ffi.buffer(self.names)[at : at + _NAME]
        port = name[2] << 8 | name[3]
        if struct.unpack_from("=H", name)[0] == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, name[4:8]), port
        flow, scope = struct.unpack_from("!I", name, 4)[0], struct.unpack_from("=I", name, 24)[0]
        return socket.inet_ntop(socket.AF_INET6, name[8:24]), port, flow, scope


_arena: _Arena | None = None


def stamp(sock: socket.socket) -> bool:
    """Have the kernel stamp what a socket takes from now on. False where `receive_batch` cannot be used."""
    global _arena
    if sys.platform != "linux":
        return False
    with contextlib.suppress(OSError, AttributeError):
        _arena = _arena or _Arena()
        sock.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        return True
    return False


def receive_batch(
    fd: int, on_media: Callable[[bytes, float], None], on_other: Callable[[bytes, tuple[Any, ...]], None]
) -> int:
    """Take what is in a socket, `BATCH` datagrams at most, and hand it on; return how many there were.

    Args:
        fd: the socket; non-blocking.
        on_media: takes SRTP and SRTCP (by the first byte, RFC 7983 section 7) with its arrival on `time.monotonic`.
        on_other: takes the rest with its sender's address.

    Raises:
        Exception: what either raised first; the other datagrams were handed on all the same.
    """
    arena = _arena
    assert arena is not None
    count: int = arena.receive(fd, arena.messages, BATCH, _MSG_DONTWAIT, _ffi.NULL)
    if count <= 0:
        return 0  # nothing there; what ICMP told is not ours to know: the peer's silence tells more
    now = time.monotonic()
    oldest = arena.stamped.oldest(now, time.time())
    to_monotonic = arena.stamped.to_monotonic or 0.0
    data, messages = arena.bytes, arena.messages
    failure: Exception | None = None
    for number in range(count):
        header = arena.headers[number]
        stamped = arena.stamps[number]
        arrival = stamped.seconds + stamped.nanoseconds * 1e-9 + to_monotonic
        if not (header.control_length and oldest < arrival < now):
            arrival = now
        header.control_length = _CONTROL
        at = number * _SLOT
        packet = data[at : at + messages[number].length]
        try:
            if packet and 127 < packet[0] < 192:
                on_media(packet, arrival)
            else:
                on_other(packet, arena.address(number))
        except Exception as exc:  # noqa: BLE001 - raised below, once the rest of the batch has been handed on
            failure = failure or exc
        header.name_length = _NAME
    if failure is not None:
        raise failure
    return count
