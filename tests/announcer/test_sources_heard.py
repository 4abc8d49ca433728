"""Sources of every kind, as they are written: what another participant hears and sees of each, through the node.

What needs programs that are not ours (a screen, RTSP and RTMP servers, espeak-ng) is in tests/interop/test_sources.py,
slides beside a sound are in test_broadcast.py.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from pexrtc_py import Codec, Kind, clip_path
from pexrtc_py.announcer.material import announcement_of_sources
from pexrtc_py.announcer.played import Announcement
from pexrtc_py.announcer.readiness import Readiness
from pexrtc_py.media.comparison import luma_plane, scaled, ssim
from pexrtc_py.media.correlation import find_sound
from pexrtc_py.media.frames import Source
from pexrtc_py.media.sources import EncodedSource, PushedSource
from pexrtc_py.media.sources.generated import Screen
from pexrtc_py.media.sources.slides import fit_image
from tests.media.sources.looking import level_db, write_media

from .far_side import FarSide, announced_each, ears_in, pitches, web_server
from .hearing import babble, missing_ends, write_wav
from .processes import node_process

RED, GREEN, BLUE, BLACK = (254, 0, 0), (0, 254, 0), (0, 0, 254), (0, 0, 0)

Check = Callable[[FarSide], None]


def near(found: tuple[int, int, int], wanted: tuple[int, int, int]) -> bool:
    """Whether a colour is the same, as far as codecs leave it."""
    return max(abs(a - b) for a, b in zip(found, wanted, strict=True)) <= 24


# Generated, and composed of what is generated


def check_tone(far: FarSide) -> None:
    """One pitch, as loud as it is."""
    assert far.pitches == {440}
    assert far.level_db == pytest.approx(-23, abs=0.5)


def check_gain(far: FarSide) -> None:
    """The same, six decibels softer."""
    assert far.pitches == {440}
    assert far.level_db == pytest.approx(-29, abs=0.5)


def check_silence(far: FarSide) -> None:
    """Nothing."""
    assert np.abs(far.sound).max(initial=0) < 30


def check_mix(far: FarSide) -> None:
    """Both, at once: each half of it has both pitches."""
    half = len(far.loud) // 2
    assert pitches(far.loud[:half]) == pitches(far.loud[half:]) == {440, 880}


def check_row(far: FarSide) -> None:
    """One after the other, each for its time."""
    half = len(far.loud) // 2
    assert half / 48000 == pytest.approx(0.6, abs=0.05)
    assert pitches(far.loud[: half - 2400]) == {440}
    assert pitches(far.loud[half + 2400 :]) == {880}


def check_pattern(far: FarSide) -> None:
    """Each bar has its colour, and the counter runs."""
    bars = [(191, 191, 191), (191, 191, 0), (0, 191, 191), (0, 191, 0), (191, 0, 191), (191, 0, 0), (0, 0, 191)]
    for number, bar in enumerate(bars):
        found = far.colours((number + 0.5) / len(bars), 0.04)[-1]
        assert near(found, bar), (number, found)
    marks = list(dict.fromkeys(far.marks()))
    assert marks == sorted(marks)
    assert len(marks) >= 11, "of 12"


def check_black(far: FarSide) -> None:
    """Pictures, and all of them black."""
    assert len(far.pictures) >= 5
    assert max(far.brightness) < 20


def check_fade(far: FarSide) -> None:
    """Sound and pictures come out of nothing: each tenth of a second is louder than the one before it."""
    tenths = [level_db(far.loud[at : at + 4800, None]) for at in range(0, 24000, 4800)]
    assert all(a < b for a, b in pairwise(tenths)), tenths
    assert tenths[-1] - tenths[0] > 4
    assert far.brightness[0] < 25
    assert far.brightness[-1] > 60


def check_overlay(far: FarSide) -> None:
    """Red lies in its corner, and black is left around it."""
    assert near(far.colours(0.84, 0.84)[-1], RED)
    assert near(far.colours(0.3, 0.3)[-1], BLACK)


# Of files of one's own, and what comes over the network


def check_clip(far: FarSide) -> None:
    """The tone and the colours of `write_media`: the red in it rises from picture to picture."""
    assert far.pitches == {1000}
    assert len(far.loud) / 48000 == pytest.approx(1.6, abs=0.1)
    colours = far.colours()
    assert all(near((0, green, blue), (0, 120, 60)) for _, green, blue in colours)
    reds = [red for red, _, _ in colours]
    assert reds[0] < 30
    assert reds[-1] > 60
    assert len(set(reds)) >= 14


def check_composed(far: FarSide) -> None:
    """A composition that is encoded before, like a file: the clip, six decibels softer than it is."""
    check_clip(far)
    assert far.level_db == pytest.approx(20 * np.log10(0.25) - 3 - 6, abs=0.7)


def check_list(far: FarSide) -> None:
    """Two files, without a seam: not one of the pieces of 20 ms is missing, and they are that far apart."""
    whole = np.concatenate([babble(0.7, seed=3), babble(0.7, seed=4)])
    assert missing_ends(whole, far.sound) == (0, 0)
    first, second = (find_sound(babble(0.7, seed=seed), far.sound) for seed in (3, 4))
    assert first is not None
    assert second is not None
    assert second.offset_s - first.offset_s == pytest.approx(0.7, abs=0.005)


def check_camera(far: FarSide) -> None:
    """FFmpeg's lavfi stands in for a camera with a microphone."""
    assert far.pitches == {880}
    assert len(far.pictures) >= 10
    assert all(near(found, RED) for found in far.colours())


def check_slides(far: FarSide) -> None:
    """Red first, and blue a second later."""
    colours = far.colours()
    assert near(colours[0], RED)
    assert near(colours[-1], BLUE)
    changed = next(n for n, found in enumerate(colours) if near(found, BLUE))
    assert all(near(found, RED) for found in colours[: changed - 1])


def check_still(far: FarSide) -> None:
    """As legible as the picture itself."""
    original = luma_plane(fit_image(Image.open(clip_path("slide-1.png")), 1280, 720)).copy()
    assert ssim(original, scaled(luma_plane(far.pictures[-1].frame), 1280, 720)) > 0.95


def check_pushed(far: FarSide) -> None:
    """What a program pushed: its tone, its pictures."""
    assert far.pitches == {660}
    assert near(far.colours()[-1], GREEN)
    assert len(far.pictures) >= 10


# A few at a time: what is mixed and encoded in one process has to keep time.
SOUNDS: Mapping[str, tuple[str, Check]] = {
    "tone": ("for:1:tone:440", check_tone),
    "gain": ("gain:-6:for:1:tone:440", check_gain),
    "silence": ("for:1:silence:", check_silence),
    "mix": ("for:1:mix:tone:440|tone:880", check_mix),
    "row": ("then:for:0.6:tone:440|for:0.6:tone:880", check_row),
}
PICTURES: Mapping[str, tuple[str, Check]] = {
    "pattern": ("for:1.2:pattern:320x180@10", check_pattern),
    "black": ("for:1:black:320x180", check_black),
    "fade": ("fade:0.8:for:1.2:mix:tone:440|pattern:320x180@10", check_fade),
    "overlay": ("overlay:for:1.2:black:320x180@10|{folder}/red.png", check_overlay),
}
FILES: Mapping[str, tuple[str, Check]] = {
    "file": ("{folder}/clip.mkv", check_clip),
    "composed": ("gain:-6:{folder}/clip.mkv", check_composed),
    "list": ("{folder}/list.m3u", check_list),
}
STREAMS: Mapping[str, tuple[str, Check]] = {
    "http": ("{server}/clip.mkv", check_clip),
    "hls": ("{server}/clip.m3u8", check_clip),
}
DEVICES: Mapping[str, tuple[str, Check]] = {
    "camera": (
        "for:1.5:lavfi:color=red:size=320x180:rate=10,realtime[out0];sine=880,arealtime[out1]",
        check_camera,
    ),
}
IMAGES: Mapping[str, tuple[str, Check]] = {
    "slides": ("for:2:slides:{folder}/red.png@0,{folder}/blue.png@1", check_slides),
    "still": (f"for:1.2:{clip_path('slide-1.png')}", check_still),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of things to announce."""
    for name, colour in (("red", RED), ("blue", BLUE)):
        Image.new("RGB", (320, 180), colour).save(tmp_path / f"{name}.png")
    for name, seed in (("a", 3), ("b", 4)):
        write_wav(tmp_path / f"{name}.wav", babble(0.7, seed=seed))
    (tmp_path / "list.m3u").write_text("a.wav\nb.wav\n")
    clip = write_media(
        tmp_path / "clip.mkv", video="libvpx", audio="libopus", seconds=1.6, frame_rate=10, options={"g": "5"}
    )
    with av.open(clip) as given, av.open(tmp_path / "clip.m3u8", "w", format="hls", options={"hls_time": "1"}) as hls:
        picture = hls.add_stream("libx264", 10, options={"g": "10", "bf": "0", "preset": "ultrafast"})
        assert isinstance(picture, av.VideoStream)
        picture.width, picture.height, picture.pix_fmt = 320, 180, "yuv420p"
        sound = hls.add_stream("aac", 48000)
        for frame in given.decode(*given.streams.video, *given.streams.audio):
            if isinstance(frame, av.VideoFrame):
                frame.pict_type = 0
                hls.mux(picture.encode(frame))
            elif isinstance(frame, av.AudioFrame):
                hls.mux(sound.encode(frame))
        for last in (picture.encode(None), sound.encode(None)):
            hls.mux(last)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(
    "forms",
    [SOUNDS, PICTURES, FILES, STREAMS, DEVICES, IMAGES],
    ids=["sounds", "pictures", "files", "streams", "devices", "images"],
)
async def test_each_is_heard_and_seen_at_the_far_side(folder: Path, forms: Mapping[str, tuple[str, Check]]) -> None:
    """In conferences side by side, each as it was written, sound and picture."""
    with web_server(folder) as server:
        how = Readiness(cache=folder / "cache", loudness_lufs=None)
        makers = {
            name: partial(announcement_of_sources, [form.format(folder=folder, server=server)], how=how)
            for name, (form, _) in forms.items()
        }
        far = await announced_each(makers)
    for name, (_, check) in forms.items():
        try:
            check(far[name])
        except AssertionError as exc:
            raise AssertionError(f"{name}: {exc}") from exc


@pytest.mark.slow
async def test_what_a_program_pushes_is_heard_and_seen() -> None:
    """Samples and pictures that a program pushes while it is announced arrive, until it says that it has ended."""

    def opener(accept: Mapping[Kind, Sequence[Codec]]) -> Source:
        source = PushedSource(screen=Screen(width=320, height=180, frame_rate=10))
        loop.call_soon_threadsafe(opened.set_result, source)
        return EncodedSource(source, accept=accept)

    async def push() -> None:
        source = await opened
        wave = (8000 * np.sin(2 * np.pi * 660 * np.arange(3 * 48000) / 48000)).astype(np.int16)
        green = av.VideoFrame.from_ndarray(np.full((180, 320, 3), GREEN, np.uint8), "rgb24")
        for number in range(30):
            source.push_samples(wave[number * 4800 : (number + 1) * 4800])
            source.push_picture(green.reformat(format="yuv420p"))
            await asyncio.sleep(0.1)
        source.end()

    async def make() -> Announcement:
        return Announcement(opener=opener, codecs={Kind.AUDIO: None, Kind.VIDEO: None}, live=True)

    loop = asyncio.get_running_loop()
    opened: asyncio.Future[PushedSource] = loop.create_future()
    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(push())
        far = await announced_each({"pushed": make})
        await pushing
    check_pushed(far["pushed"])


@pytest.mark.slow
async def test_standard_input_is_heard_and_seen(folder: Path) -> None:
    """Matroska and raw samples that another program writes to the command's standard input."""
    wave = (8000 * np.sin(2 * np.pi * 600 * np.arange(2 * 22050) / 22050)).astype("<i2")
    (folder / "raw").write_bytes(np.repeat(wave, 2).tobytes())
    inputs = {"clip": ("-", folder / "clip.mkv"), "raw": ("stdin:s16le,22050,2", folder / "raw")}

    async def announce(node: str, alias: str) -> int:
        form, path = inputs[alias]
        words = ("announce", "--node", node, "--loudness", "off", "--quiet", alias, form)
        with path.open("rb") as given:
            child = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "from pexrtc_py.cli.app import main; main()", *words, stdin=given
            )
        return await child.wait()

    async with asyncio.timeout(60), node_process() as node, ears_in(node, list(inputs)) as ears:
        codes = await asyncio.gather(*(announce(node, alias) for alias in inputs))
        for ear in ears.values():
            await ear.hear_out()
    assert codes == [0, 0]
    check_clip(FarSide(ears["clip"]))
    raw = FarSide(ears["raw"])
    assert raw.pitches == {600}
    assert len(raw.loud) / 48000 == pytest.approx(2.0, abs=0.1)
