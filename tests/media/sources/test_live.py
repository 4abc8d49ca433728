"""Live inputs: devices through lavfi, pipes, addresses served on this machine, and what a program pushes."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import av
import numpy as np
import pytest

from pexrtc_py.errors import SourceError, UsageError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, Kind
from pexrtc_py.media.player import Player, PlayerEnd
from pexrtc_py.media.sources.encoded import EncodedSource
from pexrtc_py.media.sources.generated import Screen, plain_picture
from pexrtc_py.media.sources.live import (
    KeepUp,
    PcmFormat,
    camera,
    capture,
    microphone,
    open_address,
    open_pipe,
    raw_pipe,
    screen,
)
from pexrtc_py.media.sources.pushed import PushedSource
from pexrtc_py.media.sources.raw import Picture, RawFormat, Sound, picture_at

from .looking import colour, drained, heard, level_db, loudest_hz, raw_drained, seen


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 # the name is the base class's


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server on this machine, and the folder it serves."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="pexrtc-test-http")
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", tmp_path
    server.shutdown()
    thread.join()
    server.server_close()


def test_device_by_input_format() -> None:
    """FFmpeg's lavfi stands in for a camera with a microphone: picture and tone come out, and it is live."""
    source = capture("lavfi", "color=red:size=320x180:rate=20:duration=1[out0];sine=880:duration=1[out1]")
    assert source.live
    samples, pictures = raw_drained(source)
    assert loudest_hz(samples) == pytest.approx(880, abs=2)
    assert len(pictures) == 20
    assert colour(pictures[10].frame, 0.5, 0.5) == pytest.approx((254, 0, 0), abs=6)


def test_devices_that_are_not_there_are_one_line() -> None:
    """A camera, a microphone, a screen and an input format that do not exist."""
    wrongs: list[Callable[[], object]] = [
        lambda: camera("/dev/video99"),
        lambda: microphone("hw:99,0"),
        lambda: screen(":987"),
        lambda: capture("nosuchinput", "x"),
    ]
    for wrong in wrongs:
        with pytest.raises(SourceError) as caught:
            wrong()
        assert "\n" not in str(caught.value)


def test_pictures_that_come_too_late_are_left_out() -> None:
    """When taking takes longer than the pictures last, some are left out, and those that come keep their times."""
    now = [0.0]

    class Slow:
        live = True
        count = 0

        @property
        def formats(self) -> Mapping[Kind, RawFormat]:
            return {Kind.VIDEO: RawFormat(width=320, height=180, frame_rate=10)}

        def pull(self) -> Sound | Picture | None:
            self.count += 1
            return picture_at(self.count * 0.1, plain_picture(320, 180)) if self.count <= 100 else None

        def close(self) -> None: ...

    source = KeepUp(Slow(), clock=lambda: now[0])
    times = []
    while (item := source.pull()) is not None:
        times.append(item.time)
        now[0] = max(now[0] + 0.15, item.time)  # encoding takes one and a half times as long as there is
    assert len(times) + source.dropped == 100
    assert source.dropped > 20
    assert now[0] - times[-1] < 1.0
    assert all(round(t * 10, 6).is_integer() for t in times)


def write_pipe(data: bytes, *, pace_s: float = 0.0) -> tuple[int, threading.Thread]:
    """Write data into a pipe from a thread of its own."""
    read_end, write_end = os.pipe()

    def write() -> None:
        with os.fdopen(write_end, "wb", buffering=0) as pipe:
            try:
                for start in range(0, len(data), 32768):
                    pipe.write(data[start : start + 32768])
                    time.sleep(pace_s)
            except BrokenPipeError:
                pass

    thread = threading.Thread(target=write, name="pexrtc-test-pipe")
    thread.start()
    return read_end, thread


def test_matroska_on_a_pipe() -> None:
    """What ffmpeg would write to us is passed as it is."""
    fd, thread = write_pipe(clip_path("motion.mkv").read_bytes())
    found = drained(open_pipe(fd))
    thread.join()
    os.close(fd)
    assert len(found[Kind.VIDEO]) == 90
    assert len(found[Kind.AUDIO]) == 151
    assert found[Kind.VIDEO][0].codec is Codec.VP8


def test_samples_on_a_pipe() -> None:
    """Raw samples of another rate and two channels become 20 ms pieces of the same tone."""
    wave = (8000 * np.sin(2 * np.pi * 600 * np.arange(44100) / 44100)).astype("<i2")
    fd, thread = write_pipe(np.repeat(wave, 2).tobytes())
    samples, _ = raw_drained(raw_pipe(fd, pcm=PcmFormat(sample_rate=44100, channels=2)))
    thread.join()
    os.close(fd)
    assert samples.shape[1] == 2
    assert len(samples) == pytest.approx(48000, abs=960)
    assert loudest_hz(samples[:47000]) == pytest.approx(600, abs=2)


async def test_pipe_that_stalls_can_be_left() -> None:
    """A writer that stops in the middle does not keep the player from being left."""
    read_end, write_end = os.pipe()
    data = clip_path("announcement.mkv").read_bytes()
    writer = threading.Thread(target=os.write, args=(write_end, data[:400_000]), name="pexrtc-test-pipe")
    writer.start()
    begin = time.monotonic()
    async with Player(open_pipe(read_end), {}) as player:
        player.stop()
        assert await player.finished() is PlayerEnd.STOPPED
    os.close(read_end)
    writer.join()
    os.close(write_end)
    assert time.monotonic() - begin < 5


def test_nothing_on_a_pipe() -> None:
    """A pipe that is closed at once is one clear line."""
    fd, thread = write_pipe(b"")
    with pytest.raises(SourceError, match="standard input"):
        open_pipe(fd)
    thread.join()
    os.close(fd)


def test_file_over_http(served: tuple[str, Path]) -> None:
    """A clip on a web server plays as the file does."""
    url, folder = served
    (folder / "clip.mkv").write_bytes(clip_path("motion.mkv").read_bytes())
    found = drained(open_address(f"{url}/clip.mkv"))
    assert len(found[Kind.VIDEO]) == 90
    assert len(found[Kind.AUDIO]) == 151


def write_hls(folder: Path) -> None:
    """Write the announcement as HLS: its H.264 as it is, sound as AAC."""
    with (
        av.open(clip_path("announcement.mp4")) as given,
        av.open(folder / "live.m3u8", "w", format="hls", options={"hls_time": "2", "hls_list_size": "0"}) as written,
    ):
        streams = {s.index: written.add_stream_from_template(s) for s in given.streams if s.type in ("audio", "video")}
        for packet in given.demux():
            if packet.size:
                packet.stream = streams[packet.stream_index]
                written.mux(packet)


def test_hls_over_http(served: tuple[str, Path]) -> None:
    """A playlist of segments plays through, passed as it is where it can be."""
    url, folder = served
    write_hls(folder)
    found = drained(open_address(f"{url}/live.m3u8", accept={Kind.AUDIO: (Codec.OPUS,), Kind.VIDEO: (Codec.H264,)}))
    assert len(found[Kind.VIDEO]) == pytest.approx(300, abs=2)
    assert sum(f.key for f in found[Kind.VIDEO]) == 10
    assert level_db(heard(found[Kind.AUDIO])) == pytest.approx(-21.5, abs=2)


def test_playlist_from_the_network_cannot_read_local_files(served: tuple[str, Path], tmp_path: Path) -> None:
    """HLS that names a file of this machine plays nothing of it, however it is written."""
    url, folder = served
    write_hls(folder)
    segment = next(iter(sorted(folder.glob("*.ts")))).rename(tmp_path.parent / "secret.ts")
    for number, name in enumerate((f"file://{segment}", str(segment), f"file:{segment}", f"concat:{segment}")):
        (folder / f"evil{number}.m3u8").write_text(
            f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXT-X-VERSION:3\n#EXTINF:2,\n{name}\n#EXT-X-ENDLIST\n"
        )
        with pytest.raises(SourceError):
            drained(open_address(f"{url}/evil{number}.m3u8"))


def test_addresses_that_fail_are_one_line(served: tuple[str, Path]) -> None:
    """Not found, refused, no media, another scheme: one line each, and no password in it."""
    url, folder = served
    (folder / "text.mkv").write_text("no media")
    for wrong in (f"{url}/missing.mkv", f"{url}/text.mkv", "http://user:secret@127.0.0.1:9/x.mkv?token=secret"):
        with pytest.raises(SourceError) as caught:
            open_address(wrong)
        assert "secret" not in str(caught.value)
        assert "\n" not in str(caught.value)
    for wrong in ("file:///etc/passwd", "ftp://127.0.0.1/x", "concat:a|b"):
        with pytest.raises(UsageError):
            open_address(wrong)


def test_pushed_sound_and_pictures() -> None:
    """A program pushes pieces of any length, and what it pushed is sent in pieces of 20 ms."""
    source = PushedSource(channels=1, screen=Screen(width=320, height=180))
    wave = (8000 * np.sin(2 * np.pi * 600 * np.arange(24000) / 48000)).astype(np.int16)
    for start in range(0, 24000, 777):
        source.push_samples(wave[start : start + 777])
    source.push_picture(plain_picture(320, 180, 235))
    source.end()
    found = drained(EncodedSource(source))
    assert len(found[Kind.AUDIO]) == 25
    assert loudest_hz(heard(found[Kind.AUDIO])) == pytest.approx(600, abs=3)
    assert colour(seen(found[Kind.VIDEO])[0].frame, 0.5, 0.5) == pytest.approx((255, 255, 255), abs=5)


def test_pushed_and_not_taken_is_dropped() -> None:
    """The bound holds: the oldest is dropped, and counted."""
    source = PushedSource(channels=2, screen=Screen(width=320, height=180))
    for number in range(500):
        source.push_samples(np.full((960, 2), number, np.int16))
        source.push_picture(plain_picture(320, 180))
    source.end()
    samples = list(iter(source.pull, None))
    sounds = [item for item in samples if isinstance(item, Sound)]
    assert len(sounds) == 100
    assert source.dropped == 400
    assert sounds[-1].samples[0, 0] == 499
    assert sum(isinstance(item, Picture) for item in samples) == 10


async def test_player_leaves_a_program_that_pushes_nothing() -> None:
    """Waiting for a program does not keep the player from being left."""
    async with asyncio.timeout(10), Player(EncodedSource(PushedSource()), {}) as player:
        player.stop()
        assert await player.finished() is PlayerEnd.STOPPED
    assert player.started_at is None
