"""What a node's TLS certificate says of itself, also when it is not trusted: that is when one wants to know."""

from __future__ import annotations

from cryptography import x509

__all__ = ["days_left", "described_certificate"]

_DAY_S = 86400.0


def days_left(certificate: bytes, now: float) -> float | None:
    """Return how many days a certificate (DER) still holds at `now`, Unix time; None when it cannot be read."""
    found = _read(certificate)
    return None if found is None else (found.not_valid_after_utc.timestamp() - now) / _DAY_S


def described_certificate(certificate: bytes) -> str:
    """Return for whom a certificate (DER) is, by whom, and until when, in one line."""
    found = _read(certificate)
    if found is None:
        return "a certificate that cannot be read"
    ends = found.not_valid_after_utc.strftime("%Y-%m-%d")
    return f"certificate of {found.subject.rfc4514_string()} by {found.issuer.rfc4514_string()} until {ends}"


def _read(certificate: bytes) -> x509.Certificate | None:
    try:
        found = x509.load_der_x509_certificate(certificate)
        found.subject.rfc4514_string()
        found.issuer.rfc4514_string()
    except ValueError:
        return None
    return found
