"""A node's loop that stands still, alone or with its whole process, in virtual time: what is lost, late and apart."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pytest

from pexrtc_py.media.frames import Codec, EncodedFrame, Gap, Kind
from pexrtc_py.media.mixer import Mixer
from pexrtc_py.node.conference_media_ticks import TICK_S, Ticks
from pexrtc_py.node.forwarding import Feed, Outlet
from pexrtc_py.webrtc.clock import CallClock
from pexrtc_py.webrtc.udp import DATAGRAMS_PER_WAKEUP

STEP_S = 0.001
BEGAN, LENGTH_S, STALLED_AT = 100.0, 14.0, 6.0
SOUND_S, PICTURE_S = 0.03, 0.08
"""How long packets travel. A picture is 8 packets and there are 25 a second: 1.9 Mbit/s."""
PACKETS_A_PICTURE = 8


@dataclass
class Machine:
    """A node with one who speaks and one who listens: its sockets, loop and mixing thread, by turns of 1 ms."""

    pauses: bool = False
    """Whether who speaks makes pauses."""
    heard: dict[int, float] = field(default_factory=dict)
    """Time in the mix of each 20 ms that were said."""
    seen: dict[int, float] = field(default_factory=dict)
    """Time of each picture, by the 20 ms at which it was taken."""
    mixed: list[tuple[float, float]] = field(default_factory=list)
    """Time of each tick, and when the loop sent it."""
    delays: list[tuple[float, float]] = field(default_factory=list)
    """When the feed was told which delay."""

    def __post_init__(self) -> None:
        clock = CallClock()
        self.sound, self.picture = clock.stream(Kind.AUDIO, 48000), clock.stream(Kind.VIDEO, 90000)
        self.waiting_sound: deque[int] = deque()
        self.waiting_picture: deque[tuple[int, int]] = deque()
        self.ready: deque[Callable[[], None]] = deque()
        self.batches: deque[tuple[float, float | None]] = deque()
        self.packets: deque[tuple[int, float]] = deque(maxlen=200)
        self.mixer = Mixer[str]()
        self.mixer.add("ada")
        self.feed = Feed(lambda: None)
        self.outlet = Outlet(self, codecs=(Codec.VP8,), name="listener")
        self.outlet.show(self.feed)
        self.ticks = Ticks(BEGAN + 0.007, self.ask)

    def push(self, item: EncodedFrame | Gap) -> None:
        """Take a forwarded picture."""
        assert isinstance(item, EncodedFrame)
        self.seen[int(item.data)] = item.time

    def end(self) -> None:
        """The listener stays."""

    def ask(self, turns: int) -> None:
        """Have the loop turn, as the thread asks it to."""

        def turn(left: int) -> None:
            if left:
                self.ready.append(lambda: turn(left - 1))
            else:
                self.ticks.handle_turned()

        self.ready.append(lambda: turn(turns))

    def turn(self, now: float) -> None:
        """Turn the loop once: what is ready, then at most so many datagrams of each socket."""
        for _ in range(len(self.ready)):
            self.ready.popleft()()
        for _ in range(min(DATAGRAMS_PER_WAKEUP, len(self.waiting_sound))):
            number = self.waiting_sound.popleft()
            if number % 250 == 249:
                self.sound.sender_report(1.7e9 + number * TICK_S, 960 * number, now)
            self.packets.append((number, self.sound.place(960 * number, now)))
        for _ in range(min(DATAGRAMS_PER_WAKEUP, len(self.waiting_picture))):
            number, part = self.waiting_picture.popleft()
            if part < PACKETS_A_PICTURE - 1:
                continue
            if number % 250 == 248:
                self.picture.sender_report(1.7e9 + number * TICK_S, 1800 * number, now)
            time, data = self.picture.place(1800 * number, now), str(number).encode()
            self.feed.push(EncodedFrame(codec=Codec.VP8, data=data, rtp_time=1800 * number, time=time, key=True))

    def deliver(self, now: float) -> None:
        """Send what was mixed, and follow its delay."""
        while self.batches:
            time, delay = self.batches.popleft()
            self.mixed.append((time, now))
            if delay is not None:
                self.feed.delay_s = delay
                self.delays.append((now, delay))

    def mix(self, now: float) -> None:
        """Let the thread make what is due, five ticks at most: they take their time."""
        for _ in range(5):
            if self.ticks.next_timer() > now:
                return
            tick = self.ticks.handle_timer(now, untaken=len(self.batches))
            if tick is None:
                continue
            if tick.anew:
                self.mixer.restart()
                self.packets.clear()
            self.mixer.owe(tick.owed_s)
            while self.packets:
                number, time = self.packets.popleft()
                # What is said is its number, for 100 ms in each half second.
                value = 3000 + number if number % 25 < 5 or not self.pauses else 1
                self.mixer.push("ada", np.full(960, value, np.int16), time)
            mix, delay = self.mixer.mix(), self.mixer.delay("ada", tick.time)
            if delay is not None and mix.common[-1] >= 3000:
                self.heard[int(mix.common[-1]) - 3000] = tick.time
            self.batches.append((tick.time, delay))
            self.ready.append(lambda: self.deliver(self.now))

    def run(self, stall_s: float, *, thread_too: bool = False, network: bool = False, loop_late_s: float = 0.0) -> None:
        """Run it; the loop stands still for so long, the thread with it or not, or only the network before it does."""
        sent = 0
        for step in range(round(LENGTH_S / STEP_S)):
            at = step * STEP_S
            self.now = now = BEGAN + at
            stalled = STALLED_AT <= at < STALLED_AT + stall_s
            while sent * TICK_S <= at - SOUND_S and not (network and stalled):
                self.waiting_sound.append(sent)
                if sent >= 4 and sent % 2 == 0:
                    # Pictures travel 50 ms longer than sound, near enough to 40.
                    self.waiting_picture.extend((sent - 2, part) for part in range(PACKETS_A_PICTURE))
                sent += 1
            if network or not STALLED_AT <= at < STALLED_AT + stall_s + loop_late_s:
                self.turn(now)
            if not (stalled and thread_too):
                self.mix(now)

    def apart(self, since: float = STALLED_AT - 0.5) -> list[float]:
        """How much later each picture is than its sound, from a second of the source on."""
        return [self.seen[n] - self.heard[n] for n in sorted(self.seen) if n in self.heard and n * TICK_S > since]


@pytest.mark.parametrize(("thread_too", "loop_late_s"), [(True, 0.0), (True, 0.1), (False, 0.0)])
@pytest.mark.parametrize("stall_s", [0.05, 0.2, 1.0, 2.5])
def test_what_waited_is_heard_and_seen_at_its_time(stall_s: float, loop_late_s: float, *, thread_too: bool) -> None:
    """After a stall nothing is missing, late or apart, and within a quarter of a second all is sent.

    A node that had stood still for two seconds, and whose thread came to run before its loop, played old sound first
    and told that its sound was two seconds late: pictures went there at once, and came back by 30 ms a second.
    """
    machine = Machine()
    machine.run(stall_s, thread_too=thread_too, loop_late_s=loop_late_s)
    numbers = list(machine.heard)
    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert numbers[-1] * TICK_S > LENGTH_S - 0.2
    late = np.array([time - BEGAN - number * TICK_S for number, time in machine.heard.items()])
    assert np.ptp(late) < 0.001
    assert list(machine.seen) == list(range(2, 2 * len(machine.seen) + 1, 2))
    assert max(map(abs, machine.apart())) < 0.02
    times = [time for time, _ in machine.mixed]
    assert np.diff(times) == pytest.approx([TICK_S] * (len(times) - 1))
    over = BEGAN + STALLED_AT + stall_s + loop_late_s + 0.25
    assert max(sent - time for time, sent in machine.mixed if sent > over) < 0.03
    assert max(abs(delay - machine.delays[-1][1]) for _, delay in machine.delays) < 0.001


@pytest.mark.parametrize("thread_too", [True, False])
def test_after_longer_than_that_time_goes_on_without(*, thread_too: bool) -> None:
    """Five seconds make a hole of no more than that and what a queue waits for; then all is as it was."""
    machine = Machine()
    machine.run(5.0, thread_too=thread_too)
    before = [number for number in machine.heard if number * TICK_S < STALLED_AT - 0.2]
    after = [number for number in machine.heard if number * TICK_S > STALLED_AT + 4.0]
    times = sorted(machine.heard.values())
    assert np.diff(times).max() < 5.0 + 0.15
    assert after == list(range(after[0], after[-1] + 1))
    late = {number: machine.heard[number] - BEGAN - number * TICK_S for number in (*before, *after)}
    assert max(late[n] for n in after) - max(late[n] for n in before) < 0.02
    assert max(map(abs, machine.apart())) < 0.02


@pytest.mark.parametrize("pauses", [False, True])
@pytest.mark.parametrize("stall_s", [0.2, 1.0, 2.5])
def test_what_the_network_holds_back_parts_sound_and_picture_for_a_second(stall_s: float, *, pauses: bool) -> None:
    """The node cannot make up for it: sound is late by 500 ms at most, in the first pause by 200, pictures with it."""
    machine = Machine(pauses=pauses)
    machine.run(stall_s, network=True)
    over = STALLED_AT + stall_s
    assert len(machine.apart(over + 1.0)) > (10 if pauses else 90)
    assert max(map(abs, machine.apart(over + 1.0))) < 0.02
    assert all(delay < 0.6 for _, delay in machine.delays)
    assert all(delay < 0.26 for at, delay in machine.delays if pauses and at > BEGAN + over + 1.0)
