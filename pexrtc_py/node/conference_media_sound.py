"""The sound of one conference: one thread decodes, mixes and encodes all of it, every 20 ms, on one clock.

Codecs take a tenth of a millisecond and more for each participant, so they stay out of the event loop; what is to be
sent comes back to it as one batch, one wake-up per tick for the whole conference. When ticks are made, and what becomes
of those that were missed, is decided in `conference_media_ticks`.

What crosses between loop and thread are bounded queues (oldest dropped: four seconds of packets per participant, four
seconds of batches: more than is ever made up for) and two lists of changes; no lock is held while anything is computed.

Whoever contributes nothing to the mix hears what all such listeners hear, encoded once per codec; the others have an
encoder of their own, and so has who loses packets and can make use of error correction. The time of every frame is that
of its tick, less the encoder's look-ahead, and `delays` tells how much older the sound of each participant is: whoever
forwards pictures adds it to theirs.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time as clocks
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ..media.decoding import AudioDecoding
from ..media.encoding import AudioEncoder
from ..media.frames import Codec, EncodedFrame, Gap, Tap
from ..media.mixer import Mixer
from ..media.voice import VoiceActivity
from ..protocol.models import ParticipantUuid
from .conference_media_ticks import Tick, Ticks

__all__ = ["ConferenceSound"]

logger = logging.getLogger(__name__)

_PACKETS, _BATCHES = 200, 200


@dataclass(slots=True)
class _Input:
    """A participant's packets, a tap of its receiver. Filled in the loop, emptied in the thread."""

    packets: deque[EncodedFrame | Gap] = field(default_factory=lambda: deque(maxlen=_PACKETS))
    decoding: AudioDecoding = field(default_factory=AudioDecoding)
    voice: VoiceActivity = field(default_factory=VoiceActivity)

    def push(self, item: EncodedFrame | Gap) -> None:
        self.packets.append(item)

    def end(self) -> None:
        pass


@dataclass(slots=True)
class _Output:
    """A listener: its sender, and the encoder of what only it hears."""

    codec: Codec
    tap: Tap
    encoder: AudioEncoder | None = None
    loss_percent: int = 0


@dataclass(frozen=True, slots=True)
class _Batch:
    frames: list[tuple[Tap, EncodedFrame]]
    delays: Mapping[ParticipantUuid, float]


class ConferenceSound:
    """The mix of one conference. Driven by its thread; all methods belong to the event loop.

    Args:
        on_voice: a participant began or ceased to speak.
        on_delays: once per tick: how many seconds behind the call's timeline each participant's sound is in the mix.
    """

    def __init__(
        self,
        *,
        on_voice: Callable[[ParticipantUuid, bool], None],
        on_delays: Callable[[Mapping[ParticipantUuid, float]], None],
    ) -> None:
        self._on_voice = on_voice
        self._on_delays = on_delays
        self._changes: deque[Callable[[], None]] = deque()
        self._batches: deque[_Batch] = deque(maxlen=_BATCHES)
        # Changes only, at most one in 100 ms for each participant; none may be lost.
        self._voices: deque[tuple[ParticipantUuid, bool]] = deque()
        self._stop = threading.Event()
        self._done = asyncio.Event()
        # Listeners that raised, until they are removed; by identity, for a tap need not be hashable.
        self._failed: dict[int, Tap] = {}
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="conference-sound", daemon=True)
        # From here on the thread's own.
        self._mixer = Mixer[ParticipantUuid]()
        self._inputs: dict[ParticipantUuid, _Input] = {}
        self._outputs: dict[ParticipantUuid, _Output] = {}
        self._hearing: frozenset[ParticipantUuid] = frozenset()
        self._common: dict[Codec, AudioEncoder] = {}

    def start(self) -> None:
        """Begin to mix; whoever calls this calls `aclose` too. Idempotent."""
        if self._thread.ident is None and not self._stop.is_set():
            self._thread.start()

    async def aclose(self) -> None:
        """End the thread. Idempotent; when cancelled the thread ends all the same."""
        self._stop.set()
        if self._thread.is_alive():
            await self._done.wait()
            self._thread.join()

    def add_input(self, participant: ParticipantUuid) -> Tap:
        """Take a participant's voice into the mix; returns the tap for its receiver. Replaces an earlier one."""
        source = _Input()
        self._change(lambda: self._add_input(participant, source))
        return source

    def remove_input(self, participant: ParticipantUuid, source: Tap) -> None:
        """Take a voice out of the mix; one that was replaced or is unknown is ignored."""
        self._change(lambda: self._remove_input(participant, source))

    def add_output(self, participant: ParticipantUuid, codec: Codec, tap: Tap) -> None:
        """Send a participant the mix without its own voice. Replaces an earlier output of it."""
        output = _Output(codec=codec, tap=tap)
        self._change(lambda: self._outputs.__setitem__(participant, output))

    def expect_loss(self, participant: ParticipantUuid, tap: Tap, percent: int) -> None:
        """Encode for a listener that loses so many packets in a hundred, 0 to 15; unknown ones are ignored."""
        self._change(lambda: self._expect_loss(participant, tap, percent))

    def remove_output(self, participant: ParticipantUuid, tap: Tap) -> None:
        """Send a tap nothing more; one that was replaced or is unknown is ignored."""
        self._failed.pop(id(tap), None)
        self._change(lambda: self._remove_output(participant, tap))

    def set_muted(self, participant: ParticipantUuid, *, muted: bool) -> None:
        """Keep a participant's voice out of the mix, or let it in; a new input begins unmuted."""
        self._change(lambda: self._mixer.set_muted(participant, muted=muted))

    def set_hearing(self, participants: frozenset[ParticipantUuid]) -> None:
        """Tell who hears the mix; nothing is sent to others."""
        self._change(lambda: self._set_hearing(participants))

    def _change(self, change: Callable[[], None]) -> None:
        """Let the thread make a change; before there is one, and after its end, nobody else looks."""
        if self._thread.is_alive():
            self._changes.append(change)
        elif not self._stop.is_set():
            change()

    # In the thread.

    def _set_hearing(self, participants: frozenset[ParticipantUuid]) -> None:
        self._hearing = participants

    def _add_input(self, participant: ParticipantUuid, source: _Input) -> None:
        self._inputs[participant] = source
        self._mixer.remove(participant)
        self._mixer.add(participant)

    def _remove_input(self, participant: ParticipantUuid, source: Tap) -> None:
        if self._inputs.get(participant) is source:
            del self._inputs[participant]
            self._mixer.remove(participant)

    def _expect_loss(self, participant: ParticipantUuid, tap: Tap, percent: int) -> None:
        output = self._outputs.get(participant)
        if output is not None and output.tap is tap and output.codec is Codec.OPUS:
            output.loss_percent = percent

    def _remove_output(self, participant: ParticipantUuid, tap: Tap) -> None:
        output = self._outputs.get(participant)
        if output is not None and output.tap is tap:
            del self._outputs[participant]

    def _run(self) -> None:
        ticks = Ticks(clocks.monotonic(), lambda turns: self._ask(ticks, turns))
        try:
            while not self._stop.wait(max(0.0, ticks.next_timer() - clocks.monotonic())):
                tick = ticks.handle_timer(clocks.monotonic(), untaken=len(self._batches))
                if tick is not None:
                    self._step(tick)
        finally:
            self._loop.call_soon_threadsafe(self._done.set)

    def _ask(self, ticks: Ticks, turns: int) -> None:
        def turn(left: int) -> None:
            if left:
                self._loop.call_soon(turn, left - 1)
            else:
                ticks.handle_turned()

        self._loop.call_soon_threadsafe(turn, turns)

    def _step(self, tick: Tick) -> None:
        now = tick.time
        while self._changes:
            self._changes.popleft()()
        if tick.anew:
            logger.warning("! the mix stood still too long to make up for it")
            self._mixer.restart()
            for source in self._inputs.values():
                source.packets.clear()
        self._mixer.owe(tick.owed_s)
        for participant, source in self._inputs.items():
            try:
                while source.packets:
                    for sound in source.decoding.feed(source.packets.popleft()):
                        self._mixer.push(participant, sound.samples[:, 0], sound.time, concealed=sound.concealed)
            except Exception:  # whatever one of them sends, the others go on hearing each other
                logger.exception("! sound of %s cannot be decoded", participant)
                source.decoding = AudioDecoding()
        mix = self._mixer.mix(self._outputs.keys() & self._hearing)
        for participant, source in self._inputs.items():
            if source.voice.handle_level(mix.levels[participant], now):
                self._voices.append((participant, source.voice.speaking))
        delays = {p: delay for p in self._inputs if (delay := self._mixer.delay(p, now)) is not None}
        common: dict[Codec, list[EncodedFrame]] = {}
        frames: list[tuple[Tap, EncodedFrame]] = []
        for participant, output in self._outputs.items():
            if participant not in self._hearing:
                continue
            codec = output.codec
            own = mix.minus.get(participant)
            if own is None and output.loss_percent:
                own = mix.common
            if own is not None:
                output.encoder = output.encoder or AudioEncoder(codec)
                output.encoder.set_expected_loss(output.loss_percent)
                encoded = output.encoder.encode(
                    own, rtp_time=tick.number * output.encoder.frame_ticks, time=now - output.encoder.delay_s
                )
            elif (shared := common.get(codec)) is not None:
                encoded = shared
            else:
                encoder = self._common.get(codec)
                if encoder is None:
                    encoder = self._common[codec] = AudioEncoder(codec)
                encoded = encoder.encode(
                    mix.common, rtp_time=tick.number * encoder.frame_ticks, time=now - encoder.delay_s
                )
                common[codec] = encoded
            frames += [(output.tap, frame) for frame in encoded]
        self._batches.append(_Batch(frames, delays))
        self._loop.call_soon_threadsafe(self._deliver)

    # In the event loop again.

    def _deliver(self) -> None:
        while self._batches:
            batch = self._batches.popleft()
            for tap, frame in batch.frames:
                if id(tap) in self._failed:
                    continue
                try:
                    tap.push(frame)
                except Exception:  # one listener's failure is its own: the others go on hearing
                    logger.exception("! a listener fails and gets no sound any more")
                    self._failed[id(tap)] = tap
            self._on_delays(batch.delays)
        while self._voices:
            self._on_voice(*self._voices.popleft())
