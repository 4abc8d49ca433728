"""Raw sound and pictures encoded to what is sent: `EncodedSource` makes a `Source` of any `RawSource`."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

import av

from ..encoding import OPUS_BPS, AudioEncoder, OpusSettings, VideoEncoder
from ..frames import Codec, EncodedFrame, Kind, TrackFormat
from ..loudness_running import RunningLevel
from .decoded import fitted_size
from .raw import DEFAULT_ACCEPT, Accept, Interruptible, Picture, RawFormat, RawSource, Sound, SoundTuning, with_channels

__all__ = ["EncodeConfig", "EncodedSource", "PictureEncoder", "SoundEncoder"]

# Bits per pixel and picture at which VP8 in real time still looks clean: 1.5 Mb/s for 1280x720 at 30.
_BITS_PER_PIXEL = 0.054
_LEAST_BPS = 150_000
# Key frames of pictures that stand still: so much at most is sent again to a far side that asks for one.
_STILL_KEY_INTERVAL_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodeConfig:
    """How sound and pictures are encoded where they have to be."""

    video_bps: int | None = None
    """Bits per second of video; None: by its size and rate."""
    audio_bps: int | None = None
    """Bits per second of Opus; None: 64000, in stereo 96000."""
    audio_loss_percent: int = 5
    """Loss that Opus is made for: above 0 speech carries each packet twice (in-band FEC), which takes a tenth more time
    and nothing to speak of in quality."""
    audio_dtx: bool = False
    """Whether Opus sends digital silence as one packet in 400 ms instead of fifty a second."""
    largest: tuple[int, int] = (1920, 1080)
    """Width and height that no picture goes beyond; larger ones are scaled down."""
    frame_rate: float = 30.0
    """Most pictures per second; what is above is left out."""
    key_interval_s: float | None = None
    """Seconds between key frames; None: only when asked for, which is right for a live encoder."""
    screen: bool = False
    """Tune for slides and text."""
    level_lufs: float | None = None
    """Bring sound to this loudness while it goes on, for what cannot be measured before; None: as it is."""
    peak_dbtp: float = -1.5
    """Highest peak of what is levelled."""


class SoundEncoder:
    """Encode a track of raw sound. `tune` may be called from any thread."""

    def __init__(self, codec: Codec, form: RawFormat, config: EncodeConfig) -> None:
        self._config = config
        self._tuning: SoundTuning | None = None
        self._channels = form.channels if codec is Codec.OPUS else 1
        self._encoder = AudioEncoder(
            codec,
            channels=self._channels,
            bitrate_bps=config.audio_bps,
            expected_loss_percent=config.audio_loss_percent,
            dtx=config.audio_dtx,
        )
        self._level: RunningLevel | None = None
        if config.level_lufs is not None:
            self._level = RunningLevel(self._channels, target_lufs=config.level_lufs, peak_dbtp=config.peak_dbtp)
        self.format = TrackFormat(codec=codec, channels=self._channels, bitrate_bps=self._encoder.bitrate_bps)

    def encode(self, sound: Sound) -> list[EncodedFrame]:
        """Encode 20 ms."""
        samples = with_channels(sound.samples, self._channels)
        if self._level is not None:
            samples = self._level.levelled(samples)
        if (tuning := self._tuning) is not None:
            self._tuning = None
            self._apply(tuning)
        samples = with_channels(samples, self._encoder.channels)
        ticks = round(sound.time * self.format.codec.clock_rate)
        return self._encoder.encode(samples, rtp_time=ticks, time=sound.time)

    def tune(self, tuning: SoundTuning) -> None:
        """Encode like this from the next piece on; only Opus has anything to tune."""
        self._tuning = tuning

    def _apply(self, tuning: SoundTuning) -> None:
        channels = self._channels if tuning.stereo else 1
        wanted = self._config.audio_bps or OPUS_BPS[channels]
        most = wanted if tuning.most_bps is None else tuning.most_bps
        self._encoder.tune(
            OpusSettings(
                channels=channels,
                bitrate_bps=min(wanted, most),
                capped=most < wanted,
                fec=tuning.fec,
                expected_loss_percent=max(self._config.audio_loss_percent, tuning.expected_loss_percent),
            )
        )


class PictureEncoder:
    """Encode a track of raw pictures. `request_key_frame` and `set_bitrate` may be called from any thread.

    Args:
        codec: VP8 or H264.
        form: of the pictures.
        config: how.
        still: whether they stand still: each new one is then a key frame.
    """

    def __init__(self, codec: Codec, form: RawFormat, config: EncodeConfig, *, still: bool = False) -> None:
        width, height = fitted_size(form.width, form.height, config.largest)
        rate = min(form.frame_rate or config.frame_rate, config.frame_rate)
        bitrate = config.video_bps or max(_LEAST_BPS, round(width * height * rate * _BITS_PER_PIXEL))
        interval = config.key_interval_s or (_STILL_KEY_INTERVAL_S if still else None)
        self._encoder = VideoEncoder(codec, width, height, rate, bitrate, screen=config.screen, key_interval_s=interval)
        self.format = TrackFormat(codec=codec, width=width, height=height, frame_rate=rate, bitrate_bps=bitrate)
        self._step = 1 / rate
        self._due = 0.0
        self._shown: av.VideoFrame | None = None  # of pictures that stand still
        self._still = still
        self._key_wanted = True
        self._bitrate_wanted: int | None = None

    def encode(self, picture: Picture) -> list[EncodedFrame]:
        """Encode a picture, or leave it out when they come faster than the rate."""
        if picture.time < self._due - self._step / 2:
            return []
        # The rate is kept on average; after a pause it starts anew.
        self._due = self._due + self._step if picture.time < self._due + self._step else picture.time + self._step
        if (bitrate := self._bitrate_wanted) is not None:
            self._bitrate_wanted = None
            self._encoder.set_bitrate(bitrate)
        if self._still and picture.frame is not self._shown:
            self._shown, self._key_wanted = picture.frame, True
        key, self._key_wanted = self._key_wanted, False
        return self._encoder.encode(picture.frame, rtp_time=picture.rtp_time, time=picture.time, force_key=key)

    def request_key_frame(self) -> None:
        """Make the next picture a key frame."""
        self._key_wanted = True

    def set_bitrate(self, video_bps: int) -> None:
        """Aim at this many bits per second from the next picture on."""
        self._bitrate_wanted = video_bps


class EncodedSource:
    """A `Source` made of a raw one.

    Pictures that stand still (a raw source with a true attribute `stands_still`) are encoded ahead, like a file is read
    ahead: each new one is a key frame, and a far side that asks for one is sent what was sent since the last.

    Args:
        raw: what to encode; closed with this source.
        accept: codecs that can be sent; the first of each kind is taken, a kind left out is dropped.
        config: how.
    """

    def __init__(self, raw: RawSource, *, accept: Accept = DEFAULT_ACCEPT, config: EncodeConfig | None = None) -> None:
        config = config or EncodeConfig()
        self._raw = raw
        self._still = bool(getattr(raw, "stands_still", False))
        self._ready: deque[EncodedFrame] = deque()
        self._sound: SoundEncoder | None = None
        self._pictures: PictureEncoder | None = None
        forms = raw.formats
        if Kind.AUDIO in forms and accept.get(Kind.AUDIO):
            self._sound = SoundEncoder(accept[Kind.AUDIO][0], forms[Kind.AUDIO], config)
        if Kind.VIDEO in forms and accept.get(Kind.VIDEO):
            self._pictures = PictureEncoder(accept[Kind.VIDEO][0], forms[Kind.VIDEO], config, still=self._still)

    @property
    def live(self) -> bool:
        """Whether the raw source makes its own pace."""
        return self._raw.live

    @property
    def encodes(self) -> bool:
        """Whether there are pictures that are encoded when they are due, as far sides ask for them."""
        return self._pictures is not None and not self._still

    @property
    def passes_pictures(self) -> bool:
        """Whether pictures are sent as they were made before: what is asked for is heeded too late to wait for it."""
        return self._pictures is not None and self._still

    @property
    def formats(self) -> Mapping[Kind, TrackFormat]:
        """The encoded tracks."""
        return {e.format.codec.kind: e.format for e in (self._sound, self._pictures) if e is not None}

    def pull(self) -> EncodedFrame | None:
        """Return the next frame in order of time; None at the end.

        Raises:
            SourceError: the raw source broke.
        """
        while not self._ready:
            item = self._raw.pull()
            if item is None:
                return None
            if isinstance(item, Picture):
                self._ready.extend(self._pictures.encode(item) if self._pictures else ())
            else:
                self._ready.extend(self._sound.encode(item) if self._sound else ())
        return self._ready.popleft()

    def request_key_frame(self) -> None:
        """Make the next picture a key frame. Thread-safe."""
        if self._pictures is not None:
            self._pictures.request_key_frame()

    def set_bitrate(self, video_bps: int) -> None:
        """Encode pictures at this many bits per second. Thread-safe."""
        if self._pictures is not None:
            self._pictures.set_bitrate(video_bps)

    def tune_sound(self, tuning: SoundTuning) -> None:
        """See `Tunable`."""
        if self._sound is not None:
            self._sound.tune(tuning)

    def interrupt(self) -> None:
        """Pass it on to the raw source. Thread-safe."""
        if isinstance(self._raw, Interruptible):
            self._raw.interrupt()

    def close(self) -> None:
        """Close the raw source. Idempotent."""
        self._raw.close()
