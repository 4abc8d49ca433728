"""A place that files are uploaded to: an S3 bucket or a directory. The one door to obstore, an optional extra.

Credentials come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, ...), never from a URL.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from ..errors import TransportError, UsageError

if TYPE_CHECKING:
    from obstore.store import ObjectStore as _Backend

__all__ = ["ObjectStore", "open_store"]

_PART_BYTES: Final = 8 * 1024 * 1024
"""S3 takes at most 10 000 parts: files up to 80 GB."""
_PARTS_AT_ONCE: Final = 3
"""24 MB in memory at most, and a line that others use too."""


class ObjectStore:
    """Puts files, and tells what has arrived. Every method may be cancelled; an upload that is, leaves no object."""

    def __init__(self, obstore: ModuleType, backend: _Backend, directory: Path | None, shown: str) -> None:
        self._obstore = obstore
        self._backend = backend
        self._directory = directory
        self.shown = shown
        self._errors: tuple[type[Exception], ...] = (obstore.exceptions.BaseError, OSError, ValueError)

    async def put(self, key: str, path: Path) -> None:
        """Upload a file, in parts when it is large. What was there by that key is replaced.

        Raises:
            TransportError: it did not arrive.
        """
        async with self._translated(key):
            await self._obstore.put_async(
                self._backend, key, path, chunk_size=_PART_BYTES, max_concurrency=_PARTS_AT_ONCE
            )
            if self._directory is not None:
                (self._directory / key).chmod(0o600)

    async def size(self, key: str) -> int | None:
        """Return the bytes of an object, None when there is none.

        Raises:
            TransportError: it cannot be asked.
        """
        async with self._translated(key):
            try:
                found = await self._obstore.head_async(self._backend, key)
            except (FileNotFoundError, self._obstore.exceptions.NotFoundError):
                return None
            return int(found["size"])

    async def sha256(self, key: str) -> str:
        """Read an object back and return its hash.

        Raises:
            TransportError: it cannot be read.
        """
        digest = hashlib.sha256()
        async with self._translated(key):
            got = await self._obstore.get_async(self._backend, key)
            async for piece in got.stream(min_chunk_size=_PART_BYTES):
                digest.update(piece)
        return digest.hexdigest()

    @asynccontextmanager
    async def _translated(self, key: str) -> AsyncIterator[None]:
        try:
            yield
        except self._errors as exc:
            line = str(exc).split("\n", 1)[0][:300]
            raise TransportError(f"upload of {key} to {self.shown}: {line}") from exc


def open_store(to: str) -> ObjectStore:
    """Open `s3://bucket/folder`, or a directory that exists.

    Raises:
        UsageError: it is neither, or obstore is not installed.
    """
    try:
        import obstore  # noqa: PLC0415 - an optional extra
        import obstore.exceptions  # noqa: PLC0415 - an optional extra
        import obstore.store  # noqa: PLC0415 - an optional extra
    except ImportError as exc:
        raise UsageError("upload: needs obstore; pip install 'pexrtc_py[upload]'") from exc
    if "://" not in to:
        directory = Path(to).expanduser().absolute()
        if not directory.is_dir():
            # Not made here: a mount that is missing must not become a folder on the wrong disk.
            raise UsageError(f"upload: {directory} is no directory")
        return ObjectStore(obstore, obstore.store.LocalStore(prefix=directory), directory, str(directory))
    parts = urlsplit(to)
    if parts.scheme != "s3" or not parts.netloc or "@" in parts.netloc or parts.query or parts.fragment:
        raise UsageError("upload: say s3://bucket/folder or a directory; credentials go into the environment")
    try:
        backend = obstore.store.from_url(
            to,
            # An endpoint of one's own may be plain HTTP, when the environment says so.
            client_options={"allow_http": os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")},
        )
    except (obstore.exceptions.BaseError, ValueError) as exc:
        raise UsageError(f"upload: {to} cannot be used: {str(exc).splitlines()[0][:200]}") from exc
    return ObjectStore(obstore, backend, None, to)
