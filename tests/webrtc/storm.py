"""Hostile packets, seeded: what a stranger can throw at a socket, and what an authenticated peer can put into RTP."""

from __future__ import annotations

import asyncio
import random
import re
import resource
import socket
import struct
import time
from dataclasses import dataclass, field
from pathlib import Path

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind, Tap
from pexrtc_py.media.player import Player
from pexrtc_py.media.sources.file import open_file
from pexrtc_py.protocol.sdp import Direction
from pexrtc_py.webrtc.clock import CallClock, SendClock
from pexrtc_py.webrtc.feedback import TransportFeedbackRecorder
from pexrtc_py.webrtc.peer import AnswerPolicy, Peer, PeerConfig
from pexrtc_py.webrtc.receiver import Receiver
from pexrtc_py.webrtc.receiver_config import Feedback, MediaFormat, PayloadFormat, ReceiverConfig, RtxFormat
from pexrtc_py.webrtc.routing import Router
from pexrtc_py.webrtc.sender import Sender
from pexrtc_py.webrtc.sender_config import SenderConfig
from tests.support.waiting import until

from .link import opus_frame, vp8_frame

_BURST = 48  # datagrams between two turns of the loop: less than a wake-up reads
_SOUND, _PICTURE, _REPAIR = 111, 96, 97
_OWN = {Kind.AUDIO: 0x1111, Kind.VIDEO: 0x2222}
_REPAIR_SSRC = 0x3333
_RATES = {Kind.AUDIO: 50, Kind.VIDEO: 30}


def memory_mb() -> float:
    """Resident memory of this process now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


# At the socket


def datagrams(dice: random.Random, ssrcs: list[int]) -> list[bytes]:
    """Return some thousand datagrams of all kinds that share a port (RFC 7983), most of them nearly right."""
    cookie = 0x2112A442
    found: list[bytes] = [b"", b"\0", b"\x80", b"\x16"]
    for _ in range(800):
        size = dice.randrange(1, 1400)
        found.append(dice.randbytes(size))
        ssrc = dice.choice([*ssrcs, dice.getrandbits(32)])
        sequence, stamp = dice.getrandbits(16), dice.getrandbits(32)
        found.append(struct.pack("!BBHII", 0x80 | dice.randrange(64), dice.getrandbits(8), sequence, stamp, ssrc))
        head = struct.pack("!BBHII", 0x90, dice.choice([96, 97, 111, 224]), sequence, stamp, ssrc)
        found.append(head + dice.randbytes(size))
        found.append(struct.pack("!BBHI", 0x80 | dice.randrange(32), 200 + dice.randrange(8), size // 4, ssrc) + head)
        kind = dice.choice([0x0001, 0x0101, 0x0111, 0x0011, dice.getrandbits(14)])
        body = b"".join(
            struct.pack("!HH", dice.choice([6, 8, 0x20, 0x24, 0x25, 0x8028, dice.getrandbits(16)]), length)
            + dice.randbytes(length + -length % 4)
            for length in (dice.randrange(30) for _ in range(dice.randrange(4)))
        )
        length = dice.choice([len(body), dice.getrandbits(8)])
        found.append(struct.pack("!HHI", kind, length, cookie) + dice.randbytes(12) + body)
        record = dice.choice([20, 21, 22, 23])
        version = dice.choice([0xFEFD, 0xFEFF])
        found.append(
            struct.pack("!BHHIHH", record, version, dice.randrange(3), dice.getrandbits(16), 0, size) + found[-5]
        )
        found.append(bytes([dice.randrange(64, 80)]) + dice.randbytes(20))  # a TURN channel
    return found


@dataclass
class Heard:
    """A tap that keeps what it is given, as numbers."""

    frames: list[int] = field(default_factory=list)
    gaps: int = 0
    count: int = 0
    keep: bool = True

    def push(self, item: EncodedFrame | Gap) -> None:
        if isinstance(item, Gap):
            self.gaps += 1
            return
        self.count += 1
        if self.keep:
            self.frames.append(hash(item.data))

    def end(self) -> None: ...


@dataclass(frozen=True)
class SocketStorm:
    """What came of a storm at the socket."""

    thrown: int
    seconds: float
    grown_mb: float
    sent: dict[Kind, list[int]]
    heard: dict[Kind, Heard]
    tasks: int
    """More than before."""

    def intact(self, kind: Kind) -> int:
        """Return how many frames came, all that were sent and in order; -1 when one is missing or wrong."""
        heard, sent = self.heard[kind], self.sent[kind]
        if not heard.frames or heard.gaps:
            return -1
        # What was sent before there was a path never left.
        for start in range(len(sent)):
            if sent[start : start + len(heard.frames)] == heard.frames:
                return len(heard.frames) if len(sent) - start - len(heard.frames) <= 3 else -1
        return -1


async def storm_at_the_socket(count: int, seed: int, *, settle: int) -> SocketStorm:
    """Play a clip from one peer to another while `count` datagrams are thrown at the receiver's socket.

    Memory is measured from when `settle` of them were thrown.
    """
    dice = random.Random(seed)
    heard = {kind: Heard() for kind in Kind}
    sent: dict[Kind, list[int]] = {kind: [] for kind in Kind}
    config = PeerConfig(addresses=("127.0.0.1",))
    async with Peer(config) as sending, Peer(config) as receiving:
        sending.add_line(Kind.AUDIO, direction=Direction.SENDONLY, codecs=[Codec.OPUS])
        sending.add_line(Kind.VIDEO, direction=Direction.SENDONLY, codecs=[Codec.VP8])
        policy = AnswerPolicy(codecs={Kind.AUDIO: [Codec.OPUS], Kind.VIDEO: [Codec.VP8]}, bitrate_bps=None)
        answer = await receiving.answer_offer(await sending.create_offer(), policy)
        await sending.accept_answer(answer)
        async with asyncio.timeout(10):
            await sending.connected()
            await receiving.connected()
        senders = {}
        for line, other in zip(sending.lines, receiving.lines, strict=True):
            assert line.kind is not None
            assert line.sender is not None
            assert other.receiver is not None
            other.receiver.add_tap(heard[line.kind])
            senders[line.kind] = line.sender
        found = re.search(r"a=candidate:\S+ 1 udp \d+ (\S+) (\d+)", answer)
        assert found is not None
        address = found[1], int(found[2])
        accept = {kind: [sender.config.codec] for kind, sender in senders.items()}
        taps: dict[Kind, list[Tap]] = {kind: [senders[kind], _Noted(sent[kind], senders[kind])] for kind in Kind}
        source = open_file(clip_path("motion.mkv"), accept=accept, loop=None)
        pool = datagrams(dice, [sender.config.ssrc for sender in senders.values()])
        sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        tasks = len(asyncio.all_tasks())
        try:
            async with Player(source, taps) as player:
                await until(lambda: all(tap.frames for tap in heard.values()))
                began, before = time.monotonic(), 0.0
                for number in range(count):
                    if number == settle:
                        before = memory_mb()
                    dice.choice(sockets).sendto(_changed(dice.choice(pool), number), address)
                    if number % _BURST == 0:
                        await asyncio.sleep(0)
                seconds = time.monotonic() - began
                player.stop()
                await asyncio.sleep(0.3)
                grown, left = memory_mb() - before, len(asyncio.all_tasks()) - tasks
        finally:
            for sock in sockets:
                sock.close()
    return SocketStorm(count, seconds, grown, sent, heard, left)


class _Noted:
    """A tap beside a sender that keeps what left."""

    def __init__(self, kept: list[int], sender: Sender) -> None:
        self._kept = kept
        self._sender = sender

    def push(self, item: EncodedFrame | Gap) -> None:
        assert isinstance(item, EncodedFrame)
        if self._sender.counts.packets:
            self._kept.append(hash(item.data))

    def end(self) -> None: ...


def _changed(datagram: bytes, number: int) -> bytes:
    """Return it with two bytes of its own, so that none comes twice."""
    if len(datagram) < 8:
        return datagram
    at = 2 + number % (len(datagram) - 4)
    return datagram[:at] + struct.pack("!H", number & 0xFFFF) + datagram[at + 2 :]


# After unprotect


def packets(dice: random.Random, *, own: bool) -> list[bytes]:
    """Return some thousand plain packets of a peer that means harm.

    Args:
        dice: what they are made by.
        own: whether they pretend to be of the streams that are received; else of none there is.
    """
    ssrcs = [*_OWN.values(), _REPAIR_SSRC] if own else [dice.getrandbits(32) | 0x80000000 for _ in range(500)]
    types = [_SOUND, _PICTURE, _REPAIR, 110] if own else [98, 99, 0, 8, 127]
    found: list[bytes] = [b"", b"\x80", bytes(11), bytes(12)]
    for _ in range(2000):
        ssrc, kind = dice.choice(ssrcs), dice.choice(types)
        first = 0x80 | dice.choice([0, 0x10, 0x20, 0x30, dice.randrange(16), dice.randrange(64)])
        head = struct.pack(
            "!BBHII", first, kind | dice.choice([0, 0x80]), dice.getrandbits(16), dice.getrandbits(32), ssrc
        )
        found += [head, head + dice.randbytes(dice.randrange(1, 60)), dice.randbytes(dice.randrange(60))]
        extension = struct.pack("!HH", dice.choice([0xBEDE, 0x1000, dice.getrandbits(16)]), dice.randrange(6))
        found.append(bytes([first | 0x10]) + head[1:] + extension + dice.randbytes(dice.randrange(40)))
        descriptor = bytes([dice.choice([0x90, 0x80, 0xFF, 0x10]), dice.getrandbits(8)]) + dice.randbytes(3)
        found.append(struct.pack("!BB", 0x80, kind) + head[2:] + descriptor + dice.randbytes(dice.randrange(30)))
    if own:
        return found
    # By its payload type a packet may be taken for a line's, whatever its source: that is no foreign one.
    return [packet for packet in found if len(packet) < 2 or packet[1] & 0x7F not in (_SOUND, _PICTURE, _REPAIR)]


def reports(dice: random.Random, *, own: bool) -> list[bytes]:
    """Return some thousand RTCP compounds, well made but absurd, or damaged."""
    ssrcs = [*_OWN.values(), 7, 8] if own else [dice.getrandbits(32) | 0x80000000 for _ in range(500)]
    found: list[bytes] = [b"", b"\x80\xc8\0\0"]
    for _ in range(2000):
        ssrc, other = dice.choice(ssrcs), dice.choice(ssrcs)
        kind = dice.choice([200, 201, 202, 204, 205, 206, 207] if own else [200, 201, 202, 203, 204, 205, 206, 207])
        body = struct.pack("!II", ssrc, other) + dice.randbytes(4 * dice.randrange(12))
        found.append(struct.pack("!BBH", 0x80 | dice.randrange(32), kind, len(body) // 4) + body)
        found.append(struct.pack("!BBH", 0x80 | dice.randrange(32), kind, dice.randrange(30)) + body)
        nack = struct.pack("!BBHII", 0x81, 205, 3, ssrc, other) + dice.randbytes(4)
        pli = struct.pack("!BBHII", 0x81, 206, 2, ssrc, other)
        found.append(nack + pli)
    return found


class Attacked:
    """Receivers and senders of a call behind one router, in virtual time; `throw` is what the peer sends them."""

    def __init__(self, *, keep: bool = True) -> None:
        self.now = self._began = 1000.0
        self.returned = 0
        """Bytes of RTCP and of repairs that we sent."""
        self.heard = {kind: Heard(keep=keep) for kind in Kind}
        self.router = Router()
        self._clock = CallClock()
        self._parts: list[Receiver | Sender | TransportFeedbackRecorder] = []
        recorder = TransportFeedbackRecorder(5, 7, self._count)
        self._parts.append(recorder)
        formats: dict[Kind, dict[int, PayloadFormat]] = {
            Kind.AUDIO: {_SOUND: MediaFormat(codec=Codec.OPUS)},
            Kind.VIDEO: {_PICTURE: MediaFormat(codec=Codec.VP8), _REPAIR: RtxFormat(apt=_PICTURE)},
        }
        self._peers: dict[Kind, Sender] = {}
        for kind, codec in ((Kind.AUDIO, Codec.OPUS), (Kind.VIDEO, Codec.VP8)):
            feedback = Feedback(nack=True, pli=True, transport=True, reduced_size=True)
            config = ReceiverConfig(
                kind=kind, formats=formats[kind], local_ssrc=7, cname="us", feedback=feedback, transport_sequence_id=5
            )
            receiver = Receiver(config, self._count, self._clock, transport_feedback=recorder)
            receiver.add_tap(self.heard[kind])
            ssrcs = [_OWN[kind]] if kind is Kind.AUDIO else [_OWN[kind], _REPAIR_SSRC]
            self.router.set_receiver(kind, receiver, payload_types=formats[kind].keys(), ssrcs=ssrcs)
            ours = SenderConfig(codec=codec, payload_type=100, cname="us", ssrc=8, nack=True, max_bitrate_bps=1_000_000)
            sender = Sender(ours, self._count_all, self._count, SendClock(lambda: self.now, 0.0))
            self.router.add_sender(sender)
            self._parts += [receiver, sender]
            theirs = SenderConfig(
                codec=codec, payload_type=_SOUND if kind is Kind.AUDIO else _PICTURE, cname="peer", ssrc=_OWN[kind]
            )
            self._peers[kind] = Sender(theirs, self._deliver, self._report, SendClock(lambda: self.now, 0.0))
        self.sent = dict.fromkeys(Kind, 0)

    def _count(self, packet: bytes) -> None:
        self.returned += len(packet)

    def _count_all(self, packets: object) -> None:
        assert isinstance(packets, list | tuple)
        self.returned += sum(map(len, packets))

    def _deliver(self, packets: object) -> None:
        assert isinstance(packets, list | tuple)
        for packet in packets:
            self.router.handle_rtp(packet, self.now)

    def _report(self, packet: bytes) -> None:
        self.router.handle_rtcp(packet, self.now)

    def _live(self) -> None:
        """Let time go on to when the real peer sends its next frame, 80 a second, and send it."""
        due = {kind: self._began + self.sent[kind] / rate for kind, rate in _RATES.items()}
        kind = min(due, key=lambda kind: due[kind])
        number = self.sent[kind]
        self.sent[kind] += 1
        self.now = due[kind]
        for part in self._parts:
            timer = part.next_timer()
            if timer is not None and timer <= self.now:
                part.handle_timer(self.now)
        if kind is Kind.AUDIO:
            frame = opus_frame(number, time=self.now)
        else:
            frame = vp8_frame(number, key=number % 30 == 0, size=2500, time=self.now)
        self._peers[kind].push(frame)

    def storm(self, count: int, dice: random.Random, *, own: bool) -> None:
        """Let `count` packets come, 125 between two of the live peer's: ten thousand a second."""
        media, control = packets(dice, own=own), reports(dice, own=own)
        handle_rtp, handle_rtcp, choose = self.router.handle_rtp, self.router.handle_rtcp, dice.choice
        for number in range(count):
            if number % 125 == 0:
                self._live()
            if number % 5:
                handle_rtp(_changed(choose(media), number), self.now)
            else:
                handle_rtcp(choose(control), self.now)

    def calm(self, seconds: float) -> dict[Kind, int]:
        """Let the live peer alone go on; return how many frames came of each kind."""
        before = {kind: tap.count for kind, tap in self.heard.items()}
        until = self.now + seconds
        while self.now < until:
            self._live()
        return {kind: tap.count - before[kind] for kind, tap in self.heard.items()}
