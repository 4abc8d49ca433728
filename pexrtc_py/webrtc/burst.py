"""Many packets encrypted and sent by one system call: `sendmmsg` of Linux.

A picture is half a dozen packets for the same peer. They are put side by side into one arena, encrypted there in place,
and given to the kernel together: no bytes object, no call and no address per packet. As with `batch`, Python's sockets
have no such call, so it goes through cffi, and one arena serves the process, for it is empty between two calls.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cffi import FFI  # type: ignore[import-untyped]  # it has no types

__all__ = ["Magazine", "Sent", "can_burst", "send_again", "send_burst"]

_BURST = 64
"""Packets that one system call takes; a larger picture needs another."""
_HELD = 256
"""Packets that are held for one peer: a fifth of a second at 12 Mb/s."""
_SLOT = 2048  # aligned as libsrtp wants its packets
_LONGEST = 1500 - 144  # what pylibsrtp takes: its buffer without libsrtp's longest trailer
_MSG_DONTWAIT = 0x40
_FULL = (errno.EAGAIN, errno.ENOBUFS)

_ffi = FFI()
_ffi.cdef(
    """
    struct iovec { void *base; size_t length; };
    struct msghdr { char *name; unsigned int name_length; struct iovec *parts; size_t parts_length;
                    char *control; size_t control_length; int flags; };
    struct mmsghdr { struct msghdr header; unsigned int length; };
    int sendmmsg(int, struct mmsghdr *, unsigned int, int);
    """
)


_Packets = list[bytes]  # by a name, for `Sent` has a field `bytes`


@dataclass(slots=True)
class Sent:
    """What became of packets."""

    packets: int = 0
    """Encrypted, for the kernel."""
    bytes: int = 0
    """In them, encrypted."""
    refused: int = 0
    """That could not be encrypted: no RTP, or too long."""
    rest: _Packets = field(default_factory=list)
    """That the kernel has no room for now, encrypted: from the first that did not fit on, so the order is kept."""
    dropped: int = 0
    """That the kernel could not send."""
    error: OSError | None = None
    """Why it could not send one, when it was not for want of room."""


class _Arena:
    """Room for packets, each with what the kernel wants to know of it."""

    def __init__(self, room: int = _BURST) -> None:
        library: Any = _ffi.dlopen(None)
        self.room = room
        self.send = library.sendmmsg
        data = _ffi.new("char[]", room * _SLOT + 16)
        self.slots = [data + number * _SLOT for number in range(room)]
        self.buffers = [_ffi.buffer(slot, _SLOT) for slot in self.slots]
        self.length = _ffi.new("int *")
        self.parts = _ffi.new("struct iovec[]", room)
        self.messages = _ffi.new("struct mmsghdr[]", room)
        self.name = _ffi.new("char[]", 28)  # sockaddr_in6
        self._kept = data
        for number, slot in enumerate(self.slots):
            self.parts[number].base = slot
            header = self.messages[number].header
            header.name = self.name
            header.parts = self.parts + number
            header.parts_length = 1
        self._names = _ffi.buffer(self.name)
        self._address: bytes = b""

    def set_address(self, address: bytes) -> None:
        """Send to this from now on; a `sockaddr`."""
        if address != self._address:
            self._address = address
            self._names[0 : len(address)] = address
            for number in range(self.room):
                self.messages[number].header.name_length = len(address)


_arena: _Arena | None = None


def can_burst() -> bool:
    """Whether `send_burst` can be used here."""
    global _arena
    if _arena is None and sys.platform == "linux":
        try:
            _arena = _Arena()
        except (OSError, AttributeError):
            return False
    return _arena is not None


def send_burst(
    fd: int, addr: tuple[Any, ...], packets: Sequence[bytes], protect: Callable[[Any, Any], int], *, hold: bool = False
) -> Sent:
    """Encrypt packets and send them to one address now; what there is no room for comes back.

    Args:
        fd: the socket.
        addr: where to, as Python's sockets say it; empty for a connected socket.
        packets: plain.
        protect: encrypts in place, given where a packet is and where its length is; returns other than 0 when it could
            not. There are 144 bytes of room behind each packet.
        hold: encrypt only, and give back all.
    """
    arena = _arena
    assert arena is not None
    arena.set_address(_sockaddr(addr))
    sent = Sent()
    parts, slots, buffers, length = arena.parts, arena.slots, arena.buffers, arena.length
    count = 0
    for packet in packets:
        size = len(packet)
        if size > _LONGEST:
            sent.refused += 1
            continue
        buffers[count][0:size] = packet
        length[0] = size
        if protect(slots[count], length):
            sent.refused += 1
            continue
        size = length[0]
        parts[count].length = size
        sent.bytes += size
        count += 1
        if count == _BURST:
            _flush(arena, fd, count, sent, hold=hold)
            count = 0
    if count:
        _flush(arena, fd, count, sent, hold=hold)
    return sent


def send_again(fd: int, addr: tuple[Any, ...], packets: Sequence[bytes]) -> Sent:
    """Send packets that are encrypted already, what came back of a burst; see there."""
    arena = _arena
    assert arena is not None
    arena.set_address(_sockaddr(addr))
    sent = Sent()
    for start in range(0, len(packets), _BURST):
        some = packets[start : start + _BURST]
        for number, packet in enumerate(some):
            arena.buffers[number][0 : len(packet)] = packet
            arena.parts[number].length = len(packet)
            sent.bytes += len(packet)
        _flush(arena, fd, len(some), sent, hold=False)
    return sent


class Magazine:
    """Packets of one peer that are encrypted before their time, and then only given to the kernel.

    They lie side by side in the order they were made in. Room is free again once none is held: whoever makes ahead
    makes a batch, and the next one when that has left.
    """

    def __init__(self) -> None:
        self._arena = _Arena(_HELD)
        self._places = [self._arena.messages + number for number in range(_HELD)]
        self._send = self._arena.send
        self._sizes = [0] * _HELD
        self._addr: tuple[Any, ...] | None = None
        self._next = 0
        self.held = 0
        """How many there are."""

    def hold(self, packets: Sequence[bytes], protect: Callable[[Any, Any], int]) -> int | None:
        """Encrypt packets; return the place of the first, None when there is no room or one cannot be encrypted.

        Args:
            packets: plain.
            protect: see `send_burst`.
        """
        if not self.held:
            self._next = 0
        arena, first = self._arena, self._next
        if first + len(packets) > _HELD:
            return None
        parts, slots, buffers, length = arena.parts, arena.slots, arena.buffers, arena.length
        number = first
        for packet in packets:
            size = len(packet)
            if size > _LONGEST:
                return None
            buffers[number][0:size] = packet
            length[0] = size
            if protect(slots[number], length):
                return None
            self._sizes[number] = parts[number].length = length[0]
            number += 1
        self._next = number
        self.held += len(packets)
        return first

    def drop(self, count: int) -> None:
        """Forget so many packets: they were sent, or never will be."""
        self.held -= count

    def size(self, first: int, count: int) -> int:
        """Return the bytes of packets, encrypted."""
        return sum(self._sizes[first : first + count])

    def packets(self, first: int, count: int) -> list[bytes]:
        """Return packets as they are held, encrypted."""
        arena = self._arena
        return [arena.buffers[number][0 : arena.parts[number].length] for number in range(first, first + count)]

    def fire(self, fd: int, addr: tuple[Any, ...], first: int, count: int) -> int:
        """Give packets to the kernel now; return how many it has taken, nearly always all. Those are held no more.

        Args:
            fd: the socket.
            addr: where to, see `send_burst`.
            first: place of the first.
            count: how many.
        """
        if addr is not self._addr:
            self._arena.set_address(_sockaddr(addr))
            self._addr = addr
        taken: int = self._send(fd, self._places[first], count, _MSG_DONTWAIT)
        if taken < 0:
            return 0
        self.held -= taken
        return taken

    def send(self, fd: int, addr: tuple[Any, ...], first: int, count: int, *, hold: bool = False) -> Sent:
        """Do likewise, and give back what there is no room for; what cannot be sent is dropped.

        Args:
            fd: the socket.
            addr: where to, see `send_burst`.
            first: place of the first.
            count: how many.
            hold: give back all.
        """
        self._arena.set_address(_sockaddr(addr))
        self._addr = addr
        sent = Sent()
        _flush(self._arena, fd, count, sent, hold=hold, first=first)
        self.held -= count
        return sent


def _flush(arena: _Arena, fd: int, count: int, sent: Sent, *, hold: bool, first: int = 0) -> None:
    """Give what is in the arena to the kernel, which may take a part of it only."""
    sent.packets += count
    done = first
    count += first
    while done < count and not (hold or sent.rest):
        taken: int = arena.send(fd, arena.messages + done, count - done, _MSG_DONTWAIT)
        if taken > 0:
            done += taken
        elif _ffi.errno in _FULL:
            break
        elif _ffi.errno != errno.EINTR:
            sent.error = OSError(_ffi.errno, os.strerror(_ffi.errno))
            sent.dropped += 1
            done += 1
    sent.rest += [arena.buffers[number][0 : arena.parts[number].length] for number in range(done, count)]


@lru_cache(maxsize=1024)
def _sockaddr(addr: tuple[Any, ...]) -> bytes:
    """Write an address as the kernel wants it: `sockaddr_in` or `sockaddr_in6`, or none."""
    if not addr:
        return b""
    host, port = addr[:2]
    if ":" not in host:
        return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + socket.inet_aton(host) + bytes(8)
    host, _, zone = host.partition("%")
    scope = addr[3] if len(addr) > 3 else socket.if_nametoindex(zone) if zone else 0
    flow = addr[2] if len(addr) > 2 else 0
    head = struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, flow)
    return head + socket.inet_pton(socket.AF_INET6, host) + struct.pack("=I", scope)
