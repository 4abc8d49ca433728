"""EBML, the binary XML that Matroska is made of (RFC 8794): elements out of identifiers, lengths and content."""

from __future__ import annotations

import struct

__all__ = ["UNKNOWN_SIZE", "element", "head", "real", "text", "unsigned", "void"]

UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
"""The length of an element whose end is not known yet (RFC 8794 section 6.2), in eight bytes, to be patched later."""


def head(ident: int, size: int) -> bytes:
    """Return an element's identifier and length, the latter in eight bytes, so that it can be patched."""
    return _identifier(ident) + (size | 1 << 56).to_bytes(8, "big")


def element(ident: int, *parts: bytes) -> bytes:
    """Return an element with `parts` as its content."""
    content = b"".join(parts)
    return head(ident, len(content)) + content


def unsigned(ident: int, value: int) -> bytes:
    """Return an element with an unsigned integer of eight bytes."""
    return element(ident, value.to_bytes(8, "big"))


def real(ident: int, value: float) -> bytes:
    """Return an element with a float of eight bytes."""
    return element(ident, struct.pack(">d", value))


def text(ident: int, value: str) -> bytes:
    """Return an element with a UTF-8 string; lone surrogates become question marks, NUL ends a string."""
    return element(ident, value.replace("\0", " ").encode("utf-8", "replace"))


def void(size: int) -> bytes:
    """Return an element of `size` bytes in all, at least nine, that readers skip (RFC 8794 section 11.3.2)."""
    return head(0xEC, size - 9) + bytes(size - 9)


def _identifier(ident: int) -> bytes:
    return ident.to_bytes((ident.bit_length() + 7) // 8, "big")
