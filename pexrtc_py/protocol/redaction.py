"""What a node said, with whatever tells who, where and how to get in replaced: the same by the same, everywhere.

The rule kept here is an allowlist: a string stays only when it is a word of the protocol at a place where such words
stand. Anything else is replaced, also what we have never seen, so a field that Pexip adds tomorrow gives nothing away.
Numbers, flags and the shape of things stay; they are what a capture is for. Ids stay ids and addresses addresses, so
that what was redacted can still be read, and served.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping

from .models_reasons import Reason

__all__ = ["Redactor"]


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_IPV4 = re.compile(r"(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")
_IPV6 = re.compile(r"(?<![\w:.])(?=[0-9a-fA-F:.]*:[0-9a-fA-F:.]*:)[0-9a-fA-F:]{2,39}(?:\.\d+){0,3}(?![\w:])")
_HARMLESS_ADDRESSES = frozenset({"0.0.0.0", "127.0.0.1", "::", "::1"})  # noqa: S104 - read, not listened at

_WORDS = _words(
    """
    YES NO On Off ALLOW DENY HOST GUEST Host Guest chair guest host success failed failure required none true false
    standard mssip text/plain video video-only audio WEBRTC RTMP presentation main slides send receive api webrtc
    sip rtmp h323 in out conference gateway test_call waiting_room ivr lecture media_playback connecting teams ac
    """
)
_WORD_KEYS = _words(
    """
    status role service_type current_service_type protocol call_direction call_type media_type encryption version_id
    pseudo_version expires view type rx_presentation_policy layout chair_layout host_layout guest_layout action axis
    direction source screen_key present end_action receive_from_audio_mix conference_extension_type current
    """
)
"""Where words of the protocol stand, also such as we do not know yet."""
_WORD = re.compile(r"[A-Za-z0-9_.:+/-]{0,40}")
_LAYOUT = re.compile(r"\d{1,2}:\d{1,2}")
_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}")
_NOUNS = frozenset({"participants", "calls", "breakouts", "video_mixes"})
_REASONS = frozenset({*Reason, "Invalid PIN", "Invalid token", "Neither conference nor gateway found"})
_SECRET_KEYS = frozenset({"token", "pin", "credential", "username", "password", "pwd", "ufrag"})
_SDP_KEYS = frozenset({"sdp"})
_ICE_URL = re.compile(r"(stuns?|turns?):(\[[^\]]*\]|[^:?]*)(:\d+)?(\?transport=\w+)?")
_URL = re.compile(r"([a-z]{2,10})://[^/]*.*", re.DOTALL)

_SDP_KEPT = _words(
    """
    rtpmap fmtp rtcp-fb extmap extmap-allow-mixed mid group setup connection content label ssrc-group rtcp-mux
    rtcp-rsize rtcp-mux-only sendrecv sendonly recvonly inactive ice-options ice-lite end-of-candidates bundle-only
    ptime maxptime rid simulcast imageattr framerate floorctrl confid userid mstrm sctp-port max-message-size
    """
)
_SDP_MEDIA = re.compile(r"[a-z]+ \d+ [A-Za-z/]+(?: [\w*-]+)*")


class Redactor:
    """Replaces, and remembers by what; one for everything that belongs together.

    Args:
        known: what is known to be replaced wherever it stands, and by what: the alias of the conference for example.
    """

    def __init__(self, known: Mapping[str, str] | None = None) -> None:
        self._known = dict(known or {})
        self._counts: dict[str, int] = {}

    @property
    def originals(self) -> frozenset[str]:
        """What has been replaced so far."""
        return frozenset(self._known)

    def is_word(self, text: str) -> bool:
        """Whether this is a word of the protocol, which stays wherever it stands."""
        return text in _WORDS

    def redact(self, value: object, key: str = "") -> object:
        """Redact decoded JSON; `key` is the name it stands under."""
        if isinstance(value, dict):
            return {self._key(name): self.redact(item, str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.redact(item, key) for item in value]
        return self._text(value, key) if isinstance(value, str) else value

    def redact_path(self, path: str) -> str:
        """Redact the path of an operation: what stands for a participant, a call, a breakout."""
        parts = path.split("/")
        for i, part in enumerate(parts):
            named = i > 0 and i + 1 < len(parts) and parts[i - 1] in _NOUNS
            if named and not _KEY.fullmatch(part):
                parts[i] = self._uuid(part)
            elif not _is_word(part, _KEY):
                parts[i] = self._scrub(part)
        return "/".join(parts)

    def redact_event_id(self, event_id: str) -> str:
        """Redact the id of an event, behind whose base64 the address of the node stands."""
        if not event_id:
            return ""
        return self._replaced(event_id, "event", lambda n: base64.b64encode(f"1_{n}".encode()).decode())

    def redact_sdp(self, text: str) -> str:
        """Redact a session description line by line; what it negotiates stays."""
        ending = "\r\n" if "\r\n" in text else "\n"
        return ending.join(self._sdp_line(line) for line in text.splitlines()) + (ending if text else "")

    def _key(self, key: object) -> str:
        text = str(key)
        return text if _LAYOUT.fullmatch(text) or _is_word(text, _KEY) else self._text(text, "")

    def _text(self, text: str, key: str) -> str:
        if not text or text in _WORDS or _LAYOUT.fullmatch(text) or (text in _REASONS and key in ("reason", "result")):
            return text
        if text in self._known:
            return self._known[text]
        if text.startswith("v=0") or key in _SDP_KEYS:
            return self.redact_sdp(text)
        if key == "candidate" or text.startswith("candidate:"):
            return self._candidate(text)
        if key in _SECRET_KEYS:
            return self._replaced(text, "secret", lambda n: f"secret-{n}")
        if key == "uuid" or key.endswith("_uuid") or _UUID.fullmatch(text):
            return self._uuid(text)
        if key == "api_url":
            return self._known.get(text) or self._replaced(text, "path", lambda n: self._scrub_path(text, n))
        if key in _WORD_KEYS and _is_word(text, _WORD):
            return text
        return self._labelled(text, key)

    def _labelled(self, text: str, key: str) -> str:
        if ice := _ICE_URL.fullmatch(text):
            scheme, _, port, query = ice.groups()
            return self._replaced(text, "ice", lambda n: f"{scheme}:ice-{n}.example.com{port or ''}{query or ''}")
        if url := _URL.fullmatch(text):
            return self._replaced(text, "url", lambda n: f"{url[1]}://host.example.com/{n}")
        if key.endswith("name") or key in ("overlay_text", "origin"):
            return self._replaced(text, "name", lambda n: f"Name {n}")
        if key.endswith(("uri", "alias")) or key == "destination":
            return self._replaced(text, "alias", lambda n: f"alias-{n}@example.com")
        return self._replaced(text, "text", lambda n: f"text {n}")

    def _scrub_path(self, text: str, number: int) -> str:
        scrubbed = self._scrub(text)
        return scrubbed if re.fullmatch(r"/participants/[0-9a-f-]{36}", scrubbed) else f"/participants/{number}"

    def _uuid(self, text: str) -> str:
        return self._replaced(text, "uuid", lambda n: f"00000000-0000-4000-8000-{n:012x}")

    def _address(self, text: str) -> str:
        if text in _HARMLESS_ADDRESSES:
            return text
        if ":" in text:
            return self._replaced(text, "ipv6", lambda n: f"2001:db8::{n:x}")  # RFC 3849
        # RFC 5737: addresses for documentation.
        return self._replaced(text, "ipv4", lambda n: f"192.0.2.{n}" if n < 255 else f"198.51.100.{n % 255}")

    def _replaced(self, text: str, kind: str, make: Callable[[int], str]) -> str:
        if text not in self._known:
            self._counts[kind] = number = self._counts.get(kind, 0) + 1
            self._known[text] = make(number)
        return self._known[text]

    def _scrub(self, text: str) -> str:
        """Replace ids and addresses inside of what stays."""
        text = _UUID.sub(lambda found: self._uuid(found[0]), text)
        text = _IPV4.sub(lambda found: self._address(found[0]), text)
        return _IPV6.sub(lambda found: self._address(found[0]), text)

    def _sdp_line(self, line: str) -> str:
        kind, _, value = line.partition("=")
        if kind == "a":
            return self._sdp_attribute(value)
        if kind == "o":
            fields = value.split(" ")
            place = f"{fields[4]} {self._host(fields[5])}" if len(fields) == 6 else "IP4 127.0.0.1"
            return f"o=- 1 1 IN {place if place.startswith(('IP4 ', 'IP6 ')) else 'IP4 127.0.0.1'}"
        if kind == "c" and re.fullmatch(r"IN IP[46] \S+", value):
            return f"c={value[:7]}{self._host(value[7:])}"
        if kind == "m" and _SDP_MEDIA.fullmatch(value):
            return line
        if kind in ("v", "t", "b") and re.fullmatch(r"[A-Z:\d ]*", value):
            return line
        return "s=-" if kind == "s" else f"{kind[:1]}=-"

    def _sdp_attribute(self, value: str) -> str:
        name, colon, rest = value.partition(":")
        if name in _SDP_KEPT:
            return f"a={self._scrub(value)}"
        if name == "candidate":
            return f"a={self._candidate(value)}"
        if name == "ice-ufrag":
            return "a=ice-ufrag:" + self._replaced(rest, "ufrag", lambda n: f"ufrag{n}")
        if name == "ice-pwd":
            return "a=ice-pwd:" + self._replaced(rest, "pwd", lambda n: f"pwd{n:021d}")  # RFC 8839: 22 at least
        if name == "fingerprint":
            method, _, digest = rest.partition(" ")
            size = len(digest.split(":"))
            made = self._replaced(digest, "digest", lambda n: ":".join([f"{n & 0xFF:02X}"] * size))
            return f"a=fingerprint:{method} {made}" if re.fullmatch(r"[a-z\d-]+", method) else "a=fingerprint:-"
        if name == "ssrc" and (found := re.fullmatch(r"(\d+) (cname|msid|mslabel|label)(?::(.*))?", rest)):
            return f"a=ssrc:{found[1]} {found[2]}:{self._ids(found[3] or '')}"
        if name == "msid":
            return f"a=msid:{self._ids(rest)}"
        if name == "rtcp" and (found := re.fullmatch(r"(\d+)(?: IN IP[46] \S+)?", rest)):
            return f"a=rtcp:{found[1]}"
        if not _KEY.fullmatch(name):
            return "a=x-redacted"
        return f"a={name}{':redacted' if colon else ''}"

    def _ids(self, text: str) -> str:
        return " ".join(
            self._replaced(word, "id", lambda n: f"id-{n}") if word != "-" else word for word in text.split()
        )

    def _host(self, text: str) -> str:
        scrubbed = self._scrub(text)
        return scrubbed if scrubbed != text or text in _HARMLESS_ADDRESSES else "0.0.0.0"  # noqa: S104 - written only

    def _candidate(self, text: str) -> str:
        # RFC 8839 section 5.1: foundation component transport priority address port typ type, then pairs.
        fields = text.partition(":")[2].split(" ")
        if not text.startswith("candidate:") or len(fields) < 8:
            return self._replaced(text, "text", lambda n: f"text {n}")
        fixed = ["1", *(word if _is_word(word, _WORD) else "0" for word in fields[1:8])]
        fixed[4] = self._host(fields[4])
        pairs = zip(fields[8::2], fields[9::2], strict=False)
        kept = [f"{k} {self._host(v) if k == 'raddr' else v}" for k, v in pairs if k in ("raddr", "rport", "tcptype")]
        return "candidate:" + " ".join([*fixed, *(pair for pair in kept if _is_word(pair.replace(" ", ""), _WORD))])


def _is_word(text: str, form: re.Pattern[str]) -> bool:
    return bool(form.fullmatch(text)) and not (_UUID.search(text) or _IPV4.search(text))
