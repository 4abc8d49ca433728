"""What must not leave does not, in any form; what one needs to find a fault does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pexrtc_py.probe.redaction import HIDDEN, Redaction, Redactor

from ..support.probe_runs import HOSTILE

SDP = "\r\n".join(
    (
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.7",
        "s=Board of Acme",
        "c=IN IP4 192.0.2.7",
        "a=ice-ufrag:abcd",
        "a=ice-pwd:u8Vf2wNsh3kHd83nNs8sdEwq",
        "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        "a=fingerprint:sha-256 B5:24:A6:70:18:1D:87:79:7D:68:2D:34:FF:62:04:F6:E6:E9:AA:5F:E1:B4:8B:85:01:DD:D8",
        "a=candidate:1 1 UDP 2130706431 10.1.2.3 50000 typ host",
        "a=candidate:2 1 UDP 1694498815 2001:db8::7 50001 typ srflx raddr 10.1.2.3 rport 50000",
        "a=candidate:3 1 UDP 1694498815 7f2a.local 50002 typ host",
        "a=rtpmap:96 VP8/90000",
    )
)


def test_a_description_keeps_what_tells_and_loses_what_is_secret() -> None:
    """Passwords and keys are gone; the same address is the same word; codecs and fingerprint stay."""
    text = Redactor(Redaction()).sdp(SDP)
    for gone in ("u8Vf2w", "d0Rmdmc", "Acme", "192.0.2.7", "10.1.2.3", "2001:db8", "7f2a"):
        assert gone not in text
    assert f"a=ice-pwd:{HIDDEN}\r\n" in text
    assert "typ srflx raddr private-address-2 rport 50000" in text
    assert "UDP 2130706431 private-address-2 50000 typ host" in text
    assert "a=fingerprint:sha-256 B5:24:A6:" in text
    assert "a=rtpmap:96 VP8/90000" in text


def test_secrets_are_hidden_whatever_is_shown() -> None:
    """Names and addresses stay when asked for; passwords, tokens and a PIN that stands by itself never do."""
    redactor = Redactor(Redaction(names=True, addresses=True), secrets=["sometoken123", "4711"], names=["Ann"])
    text = redactor.sdp(SDP)
    assert "192.0.2.7" in text
    assert "Acme" in text
    assert "u8Vf2w" not in text
    assert redactor.text("Ann at 10.1.2.3: xsometoken123x, pin=4711, 14711") == (
        f"Ann at 10.1.2.3: x{HIDDEN}x, pin={HIDDEN}, 14711"
    )
    told = redactor.json({"display_name": "Ann", "token": "t", "pin": "1", "payload": "hello", "turn_password": 5})
    assert told == {
        "display_name": "Ann",
        "token": HIDDEN,
        "pin": HIDDEN,
        "payload": "(5 characters)",
        "turn_password": HIDDEN,
    }


def test_events_pass_by_what_is_known_to_be_harmless() -> None:
    """Kinds and identifiers pass; names are words; what nobody knows is hidden, and under keys of any shape."""
    redactor = Redactor(Redaction())
    event = {
        "uuid": "e7653cad-3403-43c7-8c1f-03974ed1f29e",
        "display_name": "Ann",
        "uri": "ann@example.com",
        "role": "chair",
        "is_muted": "YES",
        "something_new": "Ann's secret",
        "spotlight": 1.5,
        "custom": {"Ann & Bob": ["10.0.0.1", "x"]},
        "role_": "chair",
    }
    told = redactor.json(event)
    assert isinstance(told, dict)
    assert told["uuid"] == event["uuid"]
    assert (told["display_name"], told["role"], told["is_muted"], told["spotlight"]) == ("name-1", "chair", "YES", 1.5)
    text = repr(told)
    for gone in ("Ann", "secret", "10.0.0.1", "example.com"):
        assert gone not in text
    assert redactor.text("Ann left") == "name-1 left"


def test_statistics_lose_addresses_only() -> None:
    """They are of our own making."""
    redactor = Redactor(Redaction(), names=["video"])
    item = {"type": "local-candidate", "address": "127.0.0.1", "mimeType": "video/VP8", "port": 5000}
    assert redactor.json([item], ours=True) == [
        {"type": "local-candidate", "address": "loopback-address-1", "mimeType": "video/VP8", "port": 5000}
    ]


@pytest.mark.parametrize("text", ["12:34:56", "2026-11-22T18:46:09Z", "VP8/90000", "0.0.0.0", "::", "a=rtcp:9"])
def test_what_is_no_address_stays(text: str) -> None:
    """Times, versions and the unspecified address."""
    assert Redactor(Redaction()).text(text) == text


@given(st.text(min_size=2), st.text())
def test_a_known_name_by_itself_is_never_seen(name: str, other: str) -> None:
    """Whatever it is, alone or between spaces, and nothing raises."""
    redactor = Redactor(Redaction(), names=[name])
    assert redactor.name(name).startswith("name-") or name.replace(".", "").isdigit() or ":" in name
    redactor.text(other)
    redactor.sdp(other)
    redactor.json({other: [name, {name: other}]})


def test_a_hostile_name_is_a_word() -> None:
    """No matter what it tries."""
    redactor = Redactor(Redaction(), names=[HOSTILE])
    assert redactor.text(f"x {HOSTILE} y") == "x name-1 y"
