"""What leaves the house and what does not: the rules by which a support bundle is made fit to be mailed.

Tokens, PINs, passwords, keys and what people wrote to each other never leave. Names and addresses do only when asked
for; otherwise each becomes a word of its own, the same everywhere, so that one still sees who is who. Texts of events
pass only under keys known to be harmless: what a later version of the node adds is hidden until somebody looks at it.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

__all__ = ["HIDDEN", "Redaction", "Redactor"]

HIDDEN: Final = "(hidden)"
"""Stands where a secret was."""

_SECRET_KEY: Final = re.compile(r"token|pin$|^pin|password|passwd|pwd|credential|secret|authorization|cookie", re.I)
_SECRET_NOT: Final = frozenset({"pin_status", "pinning"})
_PRIVATE_KEYS: Final = frozenset({"payload", "text", "data", "captions"})
"""What people write and say."""
_PLAIN_KEYS: Final = frozenset(
    {
        *("type", "uuid", "call_uuid", "participant_uuid", "presenter_uuid", "role", "protocol", "service_type"),
        *("call_direction", "encryption", "rx_presentation_policy", "call_type", "view", "layout", "reason_code"),
        *("is_muted", "is_presenting", "is_video_call", "is_audio_only_call", "presentation_supported"),
        *("fecc_supported", "transfer_supported", "disconnect_supported", "mute_supported", "direction", "kind"),
    }
)
"""Keys of events whose text is one of a closed set, or an identifier without meaning outside."""
_NAME_KEYS: Final = frozenset(
    {
        *("display_name", "overlay_text", "uri", "local_alias", "presenter_name", "presenter_uri", "origin", "name"),
        *("alias", "conference_alias", "source_alias", "conference"),
    }
)
"""Keys of events under which names stand: those are looked for in everything else, too."""
_IDENTIFIER: Final = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PLAIN_VALUE: Final = re.compile(r"[A-Za-z0-9_.:-]{0,40}")
_ADDRESS_KEYS: Final = frozenset({"address", "relatedAddress", "related_address", "ip", "url"})
_IPV4: Final = re.compile(r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\w)")
_IPV6: Final = re.compile(
    r"(?<![\w:.])\[?(?:[0-9A-Fa-f]{0,4}:){2,7}(?:[0-9A-Fa-f]{1,4}|(?:\d{1,3}\.){3}\d{1,3})?(?![\w:])"
)
_MDNS: Final = re.compile(r"[\w-]+(?:\.[\w-]+)*\.local\b", re.I)
_SHORTEST_NAME: Final = 2
_LONG: Final = 8
"""A secret of so many characters does not turn up by chance."""
_SDP_SECRETS: Final = ("a=ice-pwd:", "a=crypto:", "k=")
_SDP_TEXTS: Final = ("s=", "i=", "u=", "e=", "p=")


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """What may be seen; secrets never may."""

    names: bool = False
    """Display names, aliases, host names."""
    addresses: bool = False
    """IP addresses."""


class Redactor:
    """Hides by one rule what it is given; the same name or address always gets the same word.

    Args:
        rule: what may be seen.
        secrets: what is hidden wherever it turns up.
        names: names, likewise, unless they may be seen.
    """

    def __init__(self, rule: Redaction, *, secrets: Iterable[str] = (), names: Iterable[str] = ()) -> None:
        self._rule = rule
        self._secrets = sorted({one for one in secrets if one}, key=len, reverse=True)
        self._words: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        for name in names:
            if not rule.names and not _is_address(name):
                self.name(name)

    def name(self, name: str) -> str:
        """Return what stands for a name."""
        if self._rule.names or len(name) < _SHORTEST_NAME:
            return self._without_secrets(name)
        return self._words.setdefault(name, f"name-{len(self._words) + 1}")

    def text(self, text: str) -> str:
        """Return free text without secrets, known names and addresses."""
        text = self._without_secrets(text)
        if not self._rule.names:
            for name in sorted(self._words, key=len, reverse=True):
                text = _replaced(text, name, self._words[name])
            text = _MDNS.sub(lambda match: self.name(match[0]), text)
        if not self._rule.addresses:
            text = _IPV4.sub(lambda match: self._address(match[0]), text)
            text = _IPV6.sub(lambda match: self._address(match[0]), text)
        return text

    def _without_secrets(self, text: str) -> str:
        for secret in self._secrets:
            # A PIN of a few digits is hidden where it stands by itself, not inside of every longer number.
            text = text.replace(secret, HIDDEN) if len(secret) >= _LONG else _replaced(text, secret, HIDDEN)
        return text

    def _address(self, text: str) -> str:
        """Return what stands for an address, with what kind it is; what is none stays."""
        bare = text.strip("[]")
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            return text
        if address.is_unspecified:
            return text
        kind = "loopback" if address.is_loopback else "private" if address.is_private else "public"
        return self._addresses.setdefault(str(address), f"{kind}-address-{len(self._addresses) + 1}")

    def sdp(self, text: str) -> str:
        """Return a session description without passwords, keys, and what people may have written into it."""
        return "\r\n".join(self._sdp_line(line) for line in text.splitlines()) + "\r\n" if text else ""

    def _sdp_line(self, line: str) -> str:
        for begin in _SDP_SECRETS:
            if line.lower().startswith(begin):
                return begin + HIDDEN
        if not self._rule.names and line.startswith(_SDP_TEXTS):
            return line[:2] + ("-" if line[2:].strip() in ("", "-") else HIDDEN)
        if line.startswith("a=candidate:") and not self._rule.addresses:
            parts = line.split(" ")
            for place, part in enumerate(parts):
                if place == 4 or (place and parts[place - 1] == "raddr"):
                    parts[place] = self._host(part)
            line = " ".join(parts)
        return self.text(line)

    def _host(self, text: str) -> str:
        shown = self._address(text)
        return shown if shown != text or not _is_host_name(text) else self.name(text)

    def json(self, value: object, *, key: str = "", ours: bool = False) -> object:
        """Return JSON without what must not leave.

        Args:
            value: as `msgspec.to_builtins` or a JSON reader gives it.
            key: under which it stands.
            ours: whether its texts are of our own making, as statistics are: only addresses are hidden then.
        """
        match value:
            case dict():
                return {
                    self._json_key(str(name), ours=ours): self.json(item, key=str(name), ours=ours)
                    for name, item in value.items()
                }
            case list() | tuple():
                return [self.json(item, key=key, ours=ours) for item in value]
            case _ if _is_secret_key(key) and value not in (None, "", True, False):
                return HIDDEN
            case str():
                return self._json_text(value, key, ours=ours)
            case _:
                return value

    def _json_key(self, name: str, *, ours: bool) -> str:
        if ours or self._rule.names or _PLAIN_VALUE.fullmatch(name):
            return name
        return self._texts.setdefault(name, f"text-{len(self._texts) + 1}")

    def _json_text(self, value: str, key: str, *, ours: bool) -> str:
        if key in _ADDRESS_KEYS:
            return value if self._rule.addresses else self._host(value)
        if ours:
            return self._without_secrets(value)
        if key in _PRIVATE_KEYS and value:
            return f"({len(value)} characters)"
        if _IDENTIFIER.fullmatch(value) or value in ("", "YES", "NO"):
            return value
        if key in _PLAIN_KEYS and _PLAIN_VALUE.fullmatch(value):
            return value
        if self._rule.names:
            return self.text(value)
        if key in _NAME_KEYS:
            return self.name(value)
        return self._texts.setdefault(value, f"text-{len(self._texts) + 1}")


def _is_secret_key(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None and key not in _SECRET_NOT


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text.strip("[]"))
    except ValueError:
        return False
    return True


def _is_host_name(text: str) -> bool:
    return any(character.isalpha() for character in text)


def _replaced(text: str, what: str, by: str) -> str:
    """Replace a word wherever it does not stand inside a longer one."""
    if what not in text:
        return text
    begin = r"(?<!\w)" if what[0].isalnum() else ""
    end = r"(?!\w)" if what[-1].isalnum() else ""
    return re.sub(begin + re.escape(what) + end, lambda match: by, text)
