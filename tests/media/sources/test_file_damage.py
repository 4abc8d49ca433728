"""Files that are cut off, damaged or hostile: played as far as they go, or refused in one line."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from pexrtc_py.errors import SourceError
from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.frames import Codec, EncodedFrame, Kind
from pexrtc_py.media.sources.file import open_file

from .looking import H264, VP8, drained, steps, write_media


def test_refusals_are_one_line_that_names_the_file(tmp_path: Path) -> None:
    """Missing, a directory, empty, no media, cut off, without anything to play: one line each, no thread, no file."""
    (tmp_path / "empty.mkv").touch()
    (tmp_path / "text.mkv").write_text("this is no media\n" * 100)
    (tmp_path / "zeros.mp4").write_bytes(bytes(100_000))
    clip = clip_path("announcement.mp4").read_bytes()
    (tmp_path / "cut.mp4").write_bytes(clip[: len(clip) // 2])
    (tmp_path / "head.mkv").write_bytes(clip_path("announcement.mkv").read_bytes()[:300])
    (tmp_path / "folder").mkdir()
    for name in ("missing.mkv", "empty.mkv", "text.mkv", "zeros.mp4", "cut.mp4", "head.mkv", "folder"):
        with pytest.raises(SourceError) as caught:
            drained(open_file(tmp_path / name))
        line = str(caught.value)
        assert name in line
        assert "\n" not in line
        assert len(line) < 300


def test_cut_off_matroska_plays_as_far_as_it_goes(tmp_path: Path) -> None:
    """A recording that was killed plays to its end."""
    whole = clip_path("announcement.mkv").read_bytes()
    path = tmp_path / "cut.mkv"
    path.write_bytes(whole[: len(whole) // 2])
    found = drained(open_file(path))
    assert 3 < found[Kind.VIDEO][-1].time < 7
    assert 3 < found[Kind.AUDIO][-1].time < 7


@pytest.mark.parametrize("name", ["announcement.mkv", "announcement.mp4", "motion.mkv"])
@pytest.mark.parametrize("accept", [VP8, H264])
def test_damaged_file_plays_or_says_why(tmp_path: Path, name: str, accept: dict[Kind, tuple[Codec, ...]]) -> None:
    """Bytes turned over in the middle: what plays is in order, and what does not ends with one clear error."""
    dice = np.random.default_rng(7)
    data = np.frombuffer(clip_path(name).read_bytes(), np.uint8).copy()
    places = dice.integers(5000, len(data), 200)
    data[places] = dice.integers(0, 255, 200).astype(np.uint8)
    path = tmp_path / name
    path.write_bytes(data.tobytes())
    try:
        found = drained(open_file(path, accept=accept))
    except SourceError as exc:
        line = str(exc)
    else:
        line = name if found[Kind.AUDIO] or found[Kind.VIDEO] else "nothing was played"
        for frames in found.values():
            assert all(a.rtp_time < b.rtp_time for a, b in pairwise(frames))
    assert name in line


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("a.mkv", 20),
        ("a.mp4", 0),  # what describes it is at its end
        ("a.ogg", 1),  # a page of it lasts a second
    ],
)
def test_cut_off_anywhere_plays_or_says_why(tmp_path: Path, name: str, least: int) -> None:
    """At forty random places: as far as the file goes, never more than it had, or one clear line."""
    video = {"a.mkv": "libvpx", "a.mp4": "libx264"}.get(name)
    options = {"bf": "0", "preset": "ultrafast"} if name == "a.mp4" else None
    audio = "aac" if name == "a.mp4" else "libopus"
    whole = write_media(tmp_path / name, video=video, audio=audio, seconds=1.0, options=options).read_bytes()
    dice = np.random.default_rng(5)
    played, refused = 0, []
    for number, length in enumerate(sorted(dice.integers(1, len(whole), 40))):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(whole[:length])
        try:
            found = drained(open_file(path, accept=H264 if name == "a.mp4" else VP8))
        except SourceError as exc:
            refused.append((path, str(exc)))
            continue
        played += 1
        assert found[Kind.AUDIO] or found[Kind.VIDEO]
        assert len(found[Kind.AUDIO]) <= 53
        assert len(found[Kind.VIDEO]) <= 25
        assert steps(found[Kind.AUDIO]) <= {960}
    assert played >= least
    for path, line in refused:
        assert line.startswith(str(path))
        assert "\n" not in line


def test_pictures_that_become_gigantic_end_the_playing(tmp_path: Path) -> None:
    """A VP8 film that claims 12000x12000 after a second is not sent on as it is: one line; what came before is."""
    path = write_media(
        tmp_path / "a.mkv", video="libvpx", seconds=9.0, frame_rate=5, size=(160, 90), options={"g": "5"}
    )
    data = bytearray(path.read_bytes())
    keys = [at for at in range(len(data)) if data[at : at + 3] == b"\x9d\x01\x2a"]
    at = keys[-1] + 3
    data[at : at + 4] = (12000).to_bytes(2, "little") * 2
    path.write_bytes(data)
    source = open_file(path)
    frames: list[EncodedFrame] = []
    with pytest.raises(SourceError, match=r"a\.mkv: its pictures become 12000x12000"):
        frames.extend(iter(source.pull, None))
    source.close()
    assert len(frames) >= 35
    # Where it is decoded, the pictures are left out before memory is taken for them.
    found = drained(open_file(path, accept=H264))
    assert 35 <= len(found[Kind.VIDEO]) <= 41


def test_playlists_and_scripts_do_not_reach_other_files(tmp_path: Path) -> None:
    """A file that only names others is refused, whatever it is called: nothing else of the disk gets into a room."""
    target = clip_path("motion.mkv")
    (tmp_path / "list.mp4").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\n{target}\n#EXT-X-ENDLIST\n")
    (tmp_path / "concat.mkv").write_text(f"ffconcat version 1.0\nfile {target}\n")
    (tmp_path / "call.mp4").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nm=audio 9 RTP/AVP 0\n")
    for name in ("list.mp4", "concat.mkv", "call.mp4"):
        with pytest.raises(SourceError, match=name):
            open_file(tmp_path / name)
