"""Listening to received sound: level, silence, clipping, holes; with a reference: delay, drift, echo, lost chirps.

Independent of any network: decoded sound and its times go in, samples per second come out. The delay of a chirp runs
from the sending of the packet it begins in to the arrival (or decoding) of the packet it is heard in, and includes what
codecs add (Opus: 6.5 ms).
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from ..media.chirps import CHIRP_S, RATE, Chirp, ChirpListener, numbers_near
from ..media.decoding import Sound
from ..media.sound_measures import SoundMeter, SoundSecond
from .scores import time_within
from .series import SeriesBook
from .watching import SentAt

__all__ = ["HeardChirp", "SoundTimes", "SoundWatch"]

_RUN: Final = 12
"""Chirps by which it is told which second of the reference they are: six in a row do, of more some may be missing."""
_REMEMBERED: Final = 500
"""Pieces of sound whose times are kept: ten seconds."""
_SLACK_S: Final = 0.05
_LEAST_FOR_DRIFT: Final = 20
"""Chirps; over fewer seconds a jitter buffer that breathes would pass for drift."""
_LATE_START_S: Final = 2.0
"""What is sent so long after the first sound must be heard; before, a mixer may not have taken us in yet (ours)."""
_USUAL_DELAY_S: Final = 1.0
"""Taken for the delay where no chirp was ever heard."""
_DELAYS: Final = 10
"""Chirps whose longest delay tells until when the next one is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundTimes:
    """When a piece of sound came, seconds on the listener's clock."""

    arrival: float
    """Its packet."""
    decoded: float
    """It could have been played."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardChirp:
    """A chirp of the reference."""

    number: int
    """Which second of the reference."""
    time: float
    """On the call's time line, seconds."""
    arrival: float
    """On the listener's clock, seconds."""
    decoded: float
    chirp: Chirp


@dataclass(frozen=True, slots=True)
class _Piece:
    media: float
    until: float
    time: float
    arrival: float
    decoded: float


class SoundWatch:
    """Listens to one stream of sound and writes into a book.

    Args:
        book: where samples go.
        began: when the run began, on the listener's clock.
        sent_at: tells when second `number` of the reference was sent, when the sound is ours; None: no reference.
        clock_rate: ticks per second of the RTP times of the sound.
        answers: the far end echoes when it likes, after a greeting for example: what it left out before its first
            chirp is not missed.
    """

    def __init__(
        self,
        book: SeriesBook,
        began: float,
        *,
        sent_at: SentAt | None = None,
        clock_rate: int = 48000,
        answers: bool = False,
    ) -> None:
        self.heard: list[HeardChirp] = []
        """Chirps of the reference, in order."""
        self._book, self._began, self._sent_at, self._rate = book, began, sent_at, clock_rate
        self._meter: SoundMeter | None = None
        self._chirps = ChirpListener()
        self._recent: deque[Chirp] = deque(maxlen=_RUN)
        self._held: list[HeardChirp] = []
        """Heard, and not known yet which second of the reference they are: their numbers are none."""
        self._is_known = False
        """Whether the last that was heard, and with it the next ones, are known."""
        self.is_uncertain = False
        """Whether delays were written that may be too short by whole seconds: too few chirps were heard to tell."""
        self._pieces: deque[_Piece] = deque(maxlen=_REMEMBERED)
        self._seconds: list[SoundSecond] = []
        self._answers = answers
        self._holes: list[float] = []
        """When each second began in which no sound came at all."""
        self._until: float | None = None
        """When what has come so far is over."""
        self._since: float | None = None
        """When the first sound came."""
        self._delays: deque[float] = deque(maxlen=_DELAYS)

    def hear(self, sound: Sound, times: SoundTimes) -> None:
        """Take the next piece of decoded sound."""
        if self._meter is None:
            self._meter = SoundMeter(channels=sound.samples.shape[1])
            self._since = times.decoded
        self._note_holes(times.decoded)
        self._until = times.decoded + len(sound.samples) / RATE
        for second in self._meter.push(sound.samples, times.decoded, concealed=sound.concealed):
            self._write(second)
        if self._sent_at is None:
            return
        media = sound.rtp_time / self._rate
        length = len(sound.samples) / RATE
        self._pieces.append(_Piece(media, media + length, sound.time, times.arrival, times.decoded))
        mono = sound.samples.mean(axis=1, dtype=np.float32) / np.float32(32768)
        for chirp in self._chirps.push(mono, media):
            self._recognise(chirp)

    def finish(self, time: float) -> None:
        """End at `time`, when the sender stopped: write silence, drift, lost chirps; an incomplete second is left."""
        if self._meter is None:
            return
        self._note_holes(time)
        for second in self._meter.finish():
            if second.time + 1.0 <= time + _SLACK_S:
                self._write(second)
        # What comes after the sender stopped is no silence of the call.
        begins = [second.time for second in self._seconds if second.time + 1.0 <= time + _SLACK_S]
        silences = [(silence.begin, silence.end) for silence in self._meter.silences]
        for begin, silent in zip(begins, time_within(silences, [(b, b + 1.0) for b in begins]), strict=True):
            self._add("audio.silence_ratio", begin, min(1.0, silent))
        for begin in self._holes:
            self._add("audio.silence_ratio", begin, 1.0)
        for chirp in self._chirps.flush():
            self._recognise(chirp)
        self._let_go()
        self._miss_rest(time)
        if len(self.heard) >= _LEAST_FOR_DRIFT:
            numbers = np.array([heard.number for heard in self.heard], dtype=np.float64)
            offsets = np.array([heard.time - heard.number for heard in self.heard])
            self._add("audio.drift_ppm", time, 1e6 * float(np.polyfit(numbers - numbers[0], offsets, 1)[0]))

    def _add(self, metric: str, time: float, value: float) -> None:
        self._book.add(metric, time - self._began, value)

    def _note_holes(self, time: float) -> None:
        """Note the whole seconds between what came last and `time`: nobody heard anything then."""
        if self._until is not None:
            self._holes += [self._until + second for second in range(math.floor(time - self._until))]

    def _write(self, second: SoundSecond) -> None:
        if self._meter is None:
            return
        self._seconds.append(second)
        self._add("audio.level_dbfs", second.time, second.rms_dbfs)
        self._add("audio.loudness_lufs", second.time, self._meter.loudness_lufs)
        self._add("audio.clipped_ratio", second.time, second.clipped / RATE)
        self._add("audio.concealed_ratio", second.time, second.concealed_s)

    def _recognise(self, chirp: Chirp) -> None:
        """Find out which second of the reference a chirp is, and when it came; with those before, where that tells."""
        piece = next((piece for piece in reversed(self._pieces) if piece.media <= chirp.time < piece.until), None)
        if piece is None or self._first is None:
            return
        inside = chirp.time - piece.media
        heard = HeardChirp(
            number=-1,
            time=piece.time + inside,
            arrival=piece.arrival + inside,
            decoded=piece.decoded + inside,
            chirp=chirp,
        )
        self._recent.append(chirp)
        numbers = self._numbers(heard)
        if not numbers:  # the delay is another than before: those in hand say no more of each other
            self._recent.pop()
            self._let_go()
            self._recent.append(chirp)
            numbers = self._numbers(heard)
        self._held.append(heard)
        if self._is_known and self.heard:
            going_on = self.heard[-1].number + round(chirp.time - self.heard[-1].chirp.time)
            self._know(going_on if going_on in numbers else numbers[0])
        elif len(numbers) == 1:
            self._know(numbers[0])
        elif len(self._held) == _RUN:
            self._let_go()

    @property
    def _first(self) -> float | None:
        return None if self._sent_at is None else self._sent_at(0)

    def _numbers(self, heard: HeardChirp) -> list[int]:
        """Return which seconds of the reference the last chirp may be, the one with the least delay first."""
        first = self._first
        return [] if first is None else list(numbers_near(list(self._recent), first + heard.chirp.time - heard.arrival))

    def _know(self, number: int) -> None:
        """Take it that the last of those in hand is this second of the reference, and write them all."""
        held, self._held = self._held, []
        for heard in held:
            self._write_chirp(replace(heard, number=number - round(held[-1].chirp.time - heard.chirp.time)))
        self._is_known = True

    def _let_go(self) -> None:
        """Write those in hand as if the delay were the least that it can be: more will not be known of them."""
        if self._held and (numbers := self._numbers(self._held[-1])):
            self.is_uncertain |= len(numbers) > 1
            self._know(numbers[0])
        self._held.clear()
        self._recent.clear()
        self._is_known = False

    def _write_chirp(self, heard: HeardChirp) -> None:
        sent = self._sent_at(heard.number) if self._sent_at is not None else None
        if sent is None or (self.heard and heard.number <= self.heard[-1].number):
            return
        self._miss_until(heard.number)
        self.heard.append(heard)
        self._delays.append(heard.arrival - sent)
        self._add("audio.chirps_lost", heard.arrival, 0)
        self._add("audio.packet_delay_ms", heard.arrival, 1000 * (heard.arrival - sent))
        self._add("audio.delay_ms", heard.decoded, 1000 * (heard.decoded - sent))
        if heard.chirp.echo_s is not None and heard.chirp.echo_db is not None:
            self._add("audio.echo_ms", heard.arrival, 1000 * heard.chirp.echo_s)
            self._add("audio.echo_db", heard.arrival, heard.chirp.echo_db)

    def _miss_until(self, number: int) -> None:
        """Write as lost what was sent since the last chirp heard, and before this one."""
        for missing in range(self.heard[-1].number + 1 if self.heard else 0, number):
            sent = None if self._sent_at is None else self._sent_at(missing)
            if sent is not None and (self.heard or self._is_missed_before_all(sent)):
                self._add("audio.chirps_lost", sent, 1)

    def _is_missed_before_all(self, sent: float) -> bool:
        return not self._answers and self._since is not None and sent >= self._since + _LATE_START_S

    def _miss_rest(self, time: float) -> None:
        """Write as lost what was sent after the last chirp heard, early enough to have come before `time`."""
        first = None if self._sent_at is None else self._sent_at(0)
        if self._sent_at is None or first is None or self._since is None:
            return
        delay = max(self._delays, default=_USUAL_DELAY_S)
        begin = self.heard[-1].number + 1 if self.heard else 0
        for number in range(begin, max(begin, math.ceil(time - first))):
            sent = self._sent_at(number)
            if sent is None or sent + delay + CHIRP_S > time:
                continue
            if self.heard or sent >= self._since:
                self._add("audio.chirps_lost", sent, 1)
