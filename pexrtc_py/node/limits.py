"""How much one sender may ask for. Token buckets; time is a parameter.

A sender is an address of IPv4 or a /64 of IPv6: sites are given one at least (RFC 6177 section 2), and whoever has one
has each address of it (RFC 8981 has hosts change theirs).
"""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["RateLimit", "network_of"]

_SITE_BITS = 64


def network_of(address: str) -> str:
    """Return whose an address is, as a key: itself, or its /64. IPv4 mapped into IPv6 is IPv4; what is none is kept."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(known), _SITE_BITS), strict=False))


@dataclass(slots=True)
class _Bucket:
    level: float
    since: float


class RateLimit:
    """So many at once, and so many a second after that, for each key."""

    def __init__(self, *, burst: float, per_s: float, keys: int = 10_000) -> None:
        """Set the limit.

        Args:
            burst: how many at once.
            per_s: how many a second in the long run.
            keys: how many keys are remembered; the one longest unused is forgotten.
        """
        self._burst = burst
        self._per_s = per_s
        self._keys = keys
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, key: str, now: float) -> bool:
        """Take one, if there is one."""
        bucket = self._bucket(key, now)
        if bucket.level < 1:
            return False
        bucket.level -= 1
        return True

    def is_exhausted(self, key: str, now: float) -> bool:
        """Whether `take` would fail."""
        return self._bucket(key, now).level < 1

    def wait_s(self, key: str, now: float) -> float:
        """Return how long until `take` would not fail."""
        return max(0.0, (1 - self._bucket(key, now).level) / self._per_s)

    def _bucket(self, key: str, now: float) -> _Bucket:
        bucket = self._buckets.get(key)
        if bucket is None:
            bucket = self._buckets[key] = _Bucket(self._burst, now)
            if len(self._buckets) > self._keys:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(key)
        bucket.level = min(self._burst, bucket.level + (now - bucket.since) * self._per_s)
        bucket.since = now
        return bucket
