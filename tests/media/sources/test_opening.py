"""What is said of an address that was opened, or could not be."""

from __future__ import annotations

import pytest

from pexrtc_py.media.sources.opening import shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rtsp://camera/live", "rtsp://camera/live"),
        ("rtsp://camera:554/live@2x", "rtsp://camera:554/live@2x"),
        ("http://[2001:db8::1]:80/a", "http://[2001:db8::1]:80/a"),
        ("http://camera:/a", "http://camera:/a"),
        ("rtsp://admin:secret@camera/live", "rtsp://camera/live"),
        ("rtsp://admin:se@cr@et@camera:554/live", "rtsp://camera:554/live"),
        ("rtsp://admin:se/cret@camera/live", "rtsp://***"),
        ("rtsp://admin:se?cret@camera/live", "rtsp://***"),
        ("https://host/a?token=secret@x", "https://host/a"),
        ("rtmp://host/live2/s3cret-key", "rtmp://host/live2/***"),
        ("rtmps://host:443/app/instance/s3cret-key?x=1", "rtmps://host:443/app/***"),
        ("rtmp://host/s3cret-key", "rtmp://host/***"),
        ("rtmp://host", "rtmp://host"),
        ("/srv/talk#1.mkv", "/srv/talk#1.mkv"),
        ("http://host/a\x1b[2J", "http://host/a\\x1b[2J"),
    ],
)
def test_an_address_is_shown_without_its_secrets(url: str, expected: str) -> None:
    """A password with an @ in it was once shown by half."""
    assert shown(url) == expected
