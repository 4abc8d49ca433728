"""Encoders: what comes out is decodable, timely, and obeys key frame and bitrate."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.frame import PictureType
from msgspec.structs import replace
from numpy.typing import NDArray

from pexrtc_py.media.clips import clip_path
from pexrtc_py.media.decoding import AudioDecoding, VideoDecoding
from pexrtc_py.media.encoding import AudioEncoder, VideoEncoder
from pexrtc_py.media.frames import Codec, EncodedFrame
from tests.announcer.hearing import babble, read_sound
from tests.media.coded import encode_video, pictures, tone

VIDEO = [Codec.VP8, Codec.H264]


def luma(frame: av.VideoFrame) -> NDArray[np.float64]:
    """The luma plane as numbers."""
    return frame.to_ndarray(format="gray8").astype(np.float64)


@pytest.mark.parametrize("codec", VIDEO)
def test_every_picture_comes_out_at_once_and_looks_like_what_went_in(codec: Codec) -> None:
    """One picture in gives one frame out, in order, and the decoded picture is the one given."""
    encoder, decoding = VideoEncoder(codec, 320, 180, 30, 500_000), VideoDecoding()
    given = list(pictures(20))
    for number, frame in enumerate(given):
        [encoded] = encoder.encode(frame, rtp_time=3000 * number, time=number / 30)
        assert (encoded.rtp_time, encoded.time, encoded.codec) == (3000 * number, number / 30, codec)
        assert (encoded.width, encoded.height) == (320, 180)
        [picture] = decoding.feed(encoded)
        assert np.abs(luma(picture.frame) - luma(frame)).mean() < 4


@pytest.mark.parametrize("codec", VIDEO)
def test_a_key_frame_comes_when_asked_for_and_only_then(codec: Codec) -> None:
    """A decoded key frame carries pict_type I; it does not make ours one (every second frame would be a key frame)."""
    frames = list(pictures(20))
    for frame in frames:
        frame.pict_type = PictureType.I
    encoded = encode_video(VideoEncoder(codec, 320, 180, 30, 500_000), iter(frames), keys=frozenset({12}))
    assert [number for number, frame in enumerate(encoded) if frame.key] == [0, 12]
    assert VideoDecoding().feed(encoded[12]), "decoding can begin at a key frame asked for"


def test_h264_is_annex_b_of_constrained_baseline_with_parameter_sets_at_keys() -> None:
    """SPS and PPS stand before each key frame; profile_idc 66 with constraint_set1 (RFC 6184 section 8.1)."""
    encoded = encode_video(VideoEncoder(Codec.H264, 320, 180, 30, 500_000), pictures(6), keys=frozenset({3}))
    for frame in encoded:
        assert frame.data.startswith((b"\0\0\0\1", b"\0\0\1"))
    for key in (encoded[0], encoded[3]):
        sps = key.data.index(b"\0\0\1\x67") + 4
        assert key.data[sps] == 66
        assert key.data[sps + 1] & 0x40
        assert b"\0\0\1\x68" in key.data


@pytest.mark.parametrize("codec", VIDEO)
def test_pictures_of_other_sizes_and_formats_are_scaled(codec: Codec) -> None:
    """The encoder's size stays; an odd size is made even."""
    encoder = VideoEncoder(codec, 161, 91, 30, 200_000)
    frame = next(pictures(1)).reformat(format="rgb24")
    [encoded] = encoder.encode(frame, rtp_time=0, time=0.0)
    [picture] = VideoDecoding().feed(encoded)
    assert (picture.frame.width, picture.frame.height) == (160, 90)


def test_h264_follows_the_bitrate_without_a_key_frame() -> None:
    """Down to a quarter and up to twice the first bitrate; no new key frame appears."""
    encoder = VideoEncoder(Codec.H264, 320, 180, 30, 400_000)
    frames, sizes = list(pictures(150, noise=12)), []
    for number, frame in enumerate(frames):
        if number % 50 == 0:
            encoder.set_bitrate([400_000, 100_000, 750_000][number // 50])
        [encoded] = encoder.encode(frame, rtp_time=3000 * number, time=number / 30)
        assert encoded.key == (number == 0)
        sizes.append(len(encoded.data))
    first, low, high = (sum(sizes[end - 25 : end]) * 8 * 30 / 25 for end in (50, 100, 150))
    assert low < 0.5 * first
    assert high > 1.5 * first


def test_vp8_ignores_small_steps_and_takes_large_ones_with_a_key_frame() -> None:
    """libvpx cannot change its rate while open, so only what is worth a key frame costs one."""
    encoder = VideoEncoder(Codec.VP8, 320, 180, 30, 600_000)
    frames = list(pictures(90, noise=12))
    keys, sizes = [], []
    for number, frame in enumerate(frames):
        if number == 20:
            encoder.set_bitrate(700_000)
        if number == 45:
            encoder.set_bitrate(150_000)
        [encoded] = encoder.encode(frame, rtp_time=3000 * number, time=number / 30)
        sizes.append(len(encoded.data))
        if encoded.key:
            keys.append(number)
    assert keys == [0, 45]
    assert sum(sizes[-20:]) < 0.6 * sum(sizes[25:45])


@pytest.mark.parametrize("channels", [1, 2])
def test_opus_gives_one_packet_for_20_ms_and_sounds_alike(channels: int) -> None:
    """The tone given is the tone heard, at its level, in mono and stereo."""
    encoder, decoding = AudioEncoder(channels=channels), AudioDecoding(channels=channels)
    heard = []
    sound = tone(440, 1.0, channels=channels)
    for number in range(50):
        [encoded] = encoder.encode(sound[960 * number :][:960], rtp_time=960 * number, time=number / 50)
        assert (encoded.rtp_time, encoded.duration) == (960 * number, 960)
        heard += decoding.feed(encoded)
    wave = np.concatenate([piece.samples for piece in heard])
    assert wave.shape == (48000, channels)
    spectrum = np.abs(np.fft.rfft(wave[9600:, 0]))
    assert abs(int(spectrum.argmax()) * 48000 / 38400 - 440) < 3
    assert np.sqrt((wave[9600:, 0].astype(np.float64) ** 2).mean()) == pytest.approx(8000 / np.sqrt(2), rel=0.1)


def test_the_delay_of_opus_is_what_it_says() -> None:
    """A click comes out as much later as `delay_s` tells."""
    encoder, decoding = AudioEncoder(bitrate_bps=128_000), AudioDecoding()
    click = np.zeros(960 * 10, np.int16)
    click[4800:4820] = 20000
    packets = [f for s in np.split(click, 10) for f in encoder.encode(s, rtp_time=0, time=0.0)]
    heard = np.concatenate(
        [s.samples for n, p in enumerate(packets) for s in decoding.feed(replace(p, rtp_time=960 * n))]
    )
    assert (int(np.abs(heard[:, 0].astype(int)).argmax()) - 4810) / 48000 == pytest.approx(encoder.delay_s, abs=0.001)


@pytest.mark.parametrize("codec", [Codec.G722, Codec.PCMU, Codec.PCMA])
def test_narrow_codecs_give_160_bytes_for_20_ms(codec: Codec) -> None:
    """G.722 and G.711 make 160 bytes and 160 ticks of 20 ms (RFC 3551), and the tone survives."""
    encoder, decoding = AudioEncoder(codec), AudioDecoding()
    encoded = [
        frame
        for number, sound in enumerate(np.split(tone(1000, 1.0), 50))
        for frame in encoder.encode(sound, rtp_time=160 * number, time=number / 50)
    ]
    assert [frame.rtp_time for frame in encoded] == [160 * number for number in range(49)]
    assert {len(frame.data) for frame in encoded} == {160}
    wave = np.concatenate([piece.samples for frame in encoded for piece in decoding.feed(frame)])[4800:, 0]
    assert abs(int(np.abs(np.fft.rfft(wave)).argmax()) * 48000 / len(wave) - 1000) < 4
    assert np.sqrt((wave.astype(np.float64) ** 2).mean()) == pytest.approx(8000 / np.sqrt(2), rel=0.1)


def test_dtx_sends_silence_as_one_packet_in_400_ms() -> None:
    """Sound is sent in full; of two seconds of digital silence only a few packets leave."""
    encoder = AudioEncoder(dtx=True)
    loud = [encoder.encode(s, rtp_time=0, time=0.0) for s in np.split(tone(440, 0.4), 20)]
    silent = [encoder.encode(np.zeros(960, np.int16), rtp_time=0, time=0.0) for _ in range(100)]
    assert all(len(frames) == 1 for frames in loud)
    # The codec itself rings on for some packets before its silence is complete.
    assert sum(len(frames) for frames in silent[20:]) in (3, 4, 5)


def test_loss_and_bitrate_change_in_mid_stream() -> None:
    """A new bitrate and expected loss are taken up, and every 20 ms still give a packet."""
    encoder = AudioEncoder(bitrate_bps=64_000)
    sizes = []
    for number, sound in enumerate(np.split(tone(440, 2.0), 100)):
        if number == 50:
            encoder.set_bitrate(16_000)
            encoder.set_expected_loss(20)
        [encoded] = encoder.encode(sound, rtp_time=960 * number, time=number / 50)
        sizes.append(len(encoded.data))
    assert sum(sizes[60:]) < 0.5 * sum(sizes[10:50])


def coded(samples: NDArray[np.int16], *, loss: int) -> tuple[list[EncodedFrame], NDArray[np.int16]]:
    """Encode sound for an expected loss; return the packets and what is heard of them."""
    encoder, decoding = AudioEncoder(expected_loss_percent=loss), AudioDecoding()
    packets = [
        frame
        for number in range(len(samples) // 960)
        for frame in encoder.encode(samples[960 * number :][:960], rtp_time=960 * number, time=number / 50)
    ]
    return packets, np.concatenate([piece.samples[:, 0] for frame in packets for piece in decoding.feed(frame)])


def carries_the_last(packet: bytes) -> bool:
    """Whether a packet of 20 ms in mono has a copy of the one before (RFC 6716 sections 3.1 and 4.2.3)."""
    has_silk = packet[0] >> 3 < 16
    return has_silk and bool(packet[1] & 0x40)


def loudness_lost_db(samples: NDArray[np.int16], heard: NDArray[np.int16]) -> float:
    """How much softer what is heard is, by its energy."""
    return float(
        10 * np.log10(np.square(samples.astype(np.float64)).mean() / np.square(heard.astype(np.float64)).mean())
    )


@pytest.mark.parametrize(("loss", "limit_db"), [(0, 0.3), (5, 0.9)])
def test_noise_comes_out_as_loud_as_it_went_in(loss: int, limit_db: float) -> None:
    """Opus at its usual bitrate keeps the loudness of noise; with error correction on within a decibel."""
    noise = babble(2.0)
    _, heard = coded(noise, loss=loss)
    assert abs(loudness_lost_db(noise, heard)) < limit_db


def test_speech_carries_each_packet_twice_where_loss_is_expected() -> None:
    """In-band error correction is in the packets when loss is expected, and in none when it is not."""
    speech = read_sound(clip_path("announcement.mkv"))[:96000]
    for loss, least, most in ((0, 0.0, 0.0), (5, 0.7, 1.0)):
        packets, heard = coded(speech, loss=loss)
        share = sum(carries_the_last(frame.data) for frame in packets) / len(packets)
        assert least <= share <= most
        assert abs(loudness_lost_db(speech, heard)) < 0.4


def test_what_cannot_be_encoded_is_refused() -> None:
    """Anything but 20 ms of 48 kHz s16, and codecs of the other kind, raise ValueError."""
    with pytest.raises(ValueError, match="not 20 ms"):
        AudioEncoder().encode(np.zeros(480, np.int16), rtp_time=0, time=0.0)
    frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
    frame.sample_rate, frame.time_base = 44100, Fraction(1, 44100)
    with pytest.raises(ValueError, match="44100"):
        AudioEncoder().encode(frame, rtp_time=0, time=0.0)
    with pytest.raises(ValueError, match="channels"):
        AudioEncoder(channels=6)
    with pytest.raises(ValueError, match="no audio codec"):
        AudioEncoder(Codec.VP8)
    with pytest.raises(ValueError, match="no encoder"):
        VideoEncoder(Codec.VP9, 320, 180, 30, 100_000)
