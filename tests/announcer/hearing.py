"""What the tests of announcing listen with: known sounds, who hears them, and what of them is missing."""

from __future__ import annotations

import wave
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pexrtc_py import EncodedFrame, Gap, Kind, Node, SessionConfig
from pexrtc_py.announcer.proof import Listener
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.decoding import AudioDecoding
from pexrtc_py.media.sources.file import open_raw_file
from pexrtc_py.media.sources.raw import Picture

Wave = NDArray[np.int16]

_BLOCK = 960  # 20 ms
_PIECE = 4800  # 100 ms
_WANDER = 200 * 48  # by so much a mix may move what came late
_THERE = 0.25  # of a block's energy explained by the original, see media.correlation


def session(node: Node | str, alias: str, name: str = "Ear") -> SessionConfig:
    """Describe a participant at a node, or at its URL."""
    url = node if isinstance(node, str) else node.url
    return SessionConfig(node_url=url, alias=alias, display_name=name, call_tag="pexrtc-bot")


def babble(seconds: float, *, seed: int = 1, amplitude: float = 0.2, low: float = 300, high: float = 3400) -> Wave:
    """Return noise in the band of speech: every 20 ms of it is loud, and like no other 20 ms."""
    count = round(seconds * 48000)
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(count))
    pitches = np.fft.rfftfreq(count, 1 / 48000)
    spectrum[(pitches < low) | (pitches > high)] = 0
    noise = np.fft.irfft(spectrum, count)
    noise *= amplitude / np.sqrt(np.mean(noise**2))
    return np.clip(noise * 32767, -32768, 32767).astype(np.int16)


def write_wav(path: Path, samples: Wave) -> Path:
    """Write mono at 48 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        file.writeframes(samples.tobytes())
    return path


def read_sound(path: Path) -> Wave:
    """Decode the sound of a file."""
    raw = open_raw_file(path, kinds=(Kind.AUDIO,))
    pieces = []
    while (item := raw.pull()) is not None:
        if not isinstance(item, Picture):
            pieces.append(item.samples[:, 0])
    raw.close()
    return np.concatenate(pieces)


def heard(listener: Listener) -> Wave:
    """Return all that a listener heard."""
    return decoded(listener.kept[Kind.AUDIO].items)


def decoded(items: Iterable[EncodedFrame | Gap]) -> Wave:
    """Return the sound of what came."""
    decoding = AudioDecoding()
    pieces = [sound.samples[:, 0] for item in items for sound in decoding.feed(item)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def without_low(samples: Wave, hz: float) -> Wave:
    """Return sound without what is below a pitch: a voice that others speak with."""
    spectrum = np.fft.rfft(samples.astype(np.float64))
    spectrum[np.fft.rfftfreq(len(samples), 1 / 48000) < hz] = 0
    return np.clip(np.fft.irfft(spectrum, len(samples)), -32768, 32767).astype(np.int16)


def missing_ends(original: Wave, recording: Wave) -> tuple[float, float]:
    """Return how many seconds are missing at the beginning and at the end, to 20 ms.

    Each 20 ms is looked for by itself, near the place of its tenth of a second: what comes late makes a mix wait, as
    often as it comes late, and go on after it. The words are whole then, and further apart.

    Raises:
        AssertionError: nothing of it was found.
    """
    places = [
        found.offset_s - number * _PIECE / 48000 if found is not None else None
        for number in range(len(original) // _PIECE)
        for found in (find_sound(original[number * _PIECE : (number + 1) * _PIECE], recording),)
    ]
    known = [(number, place) for number, place in enumerate(places) if place is not None]
    assert known, "nothing of it was heard"
    there = []
    for start in range(0, len(original) - _BLOCK + 1, _BLOCK):
        nearest = min(known, key=lambda one: abs(one[0] - start // _PIECE))[1]
        there.append(_is_there(original[start : start + _BLOCK], recording, start + round(nearest * 48000)))
    assert any(there), "nothing of it was heard"
    return there.index(True) * 0.02, there[::-1].index(True) * 0.02


def _is_there(block: Wave, recording: Wave, at: int) -> bool:
    """Whether 20 ms are near a place of a recording."""
    piece = block.astype(np.float64)
    window = recording[max(0, at - _WANDER) : max(0, at + _BLOCK + _WANDER)].astype(np.float64)
    if len(window) < _BLOCK:
        return False
    products = np.correlate(window, piece, "valid")
    squares = np.concatenate([[0.0], np.cumsum(window**2)])
    energy = np.maximum(squares[_BLOCK:] - squares[:-_BLOCK], 1.0)
    return bool((products**2 / (energy * (piece**2).sum())).max() > _THERE)
