"""The file a recording goes to, and the promises about its name.

While it is written it is called `NAME.part.mkv`, with the container's own ending, so that after a SIGKILL one sees what
it is and a player opens it. Closed well it becomes `NAME.mkv`. Neither name is ever taken from an existing file: at the
start that is an error, at the end (somebody took the name meanwhile) the recording becomes `NAME-2.mkv`.

It is locked while it is written (flock(2)), whereby it is told from one that a kill left.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from ...errors import UsageError, WriteError

__all__ = ["Target", "is_being_written", "part_path", "parts_under_way"]

_under_way: set[Path] = set()
_NO_HARD_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.ENOSPC, errno.EDQUOT}
"""Where a second name cannot be given, or there is no room for one: the one there is is changed."""


def part_path(path: Path) -> Path:
    """Return what `path` is called while it is being written."""
    return path.with_name(f"{path.stem}.part{path.suffix}")


def is_being_written(part: Path) -> bool:
    """Tell whether some process has this file under way; so it seems, too, where its disk cannot tell."""
    try:
        fd = os.open(part, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(fd)
    return False


def parts_under_way() -> tuple[Path, ...]:
    """Return the files that this process has begun, and neither completed nor given up."""
    return tuple(_under_way)


class Target:
    """A new file, 0600, in directories made 0700; what PyAV writes to.

    The first error is kept in `error`, and from then on writes are swallowed: libavformat can then close its state
    without harm, and the file stays as it was, which is playable.
    """

    def __init__(self, path: Path, *, part: Path | None = None) -> None:
        """Create the file under its name for the time of writing.

        Args:
            path: what it is called when it is complete.
            part: what it is called until then; None for `part_path(path)`.

        Raises:
            UsageError: it exists already, or cannot be created.
        """
        self.path = path
        self.part = part or part_path(path)
        self.error: WriteError | None = None
        self.written = 0
        self._position = 0
        try:
            _make_private(path.parent)
            for name in (path, self.part):
                if os.path.lexists(name):
                    raise UsageError(f"{name} exists already, and a recording never overwrites")
            self._fd = os.open(self.part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with contextlib.suppress(OSError):  # some network disks have no locks
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as exc:
            raise UsageError(f"{path} cannot be written: {_reason(exc)}") from exc
        _under_way.add(self.part)

    # What PyAV calls, in the writer thread. They do not raise: an error is found in `error` after each call into PyAV.

    def write(self, piece: bytes) -> int:
        """Write all of `piece` at the position."""
        view = memoryview(piece)
        while view and self.error is None:
            try:
                count = os.pwrite(self._fd, view, self._position)
            except OSError as exc:
                self.fail(_reason(exc), exc)
                break
            self._position += count
            self.written += count
            view = view[count:]
        return len(piece)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: os.fstat(self._fd).st_size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def fail(self, reason: str, cause: Exception | None = None) -> None:
        """Keep the first error; nothing is written any more."""
        if self.error is None:
            kept = f"what was written is kept in {self.part}" if self.written else "nothing could be written"
            self.error = WriteError(f"{self.path}: {reason}; {kept}")
            self.error.__cause__ = cause

    @property
    def size(self) -> int:
        """Bytes in the file; those written, where its disk does not tell any more."""
        try:
            return os.fstat(self._fd).st_size
        except OSError as exc:
            self.fail(_reason(exc), exc)
            return self.written

    @property
    def is_deleted(self) -> bool:
        """Whether somebody has removed the file under us."""
        return os.fstat(self._fd).st_nlink == 0

    @property
    def free_bytes(self) -> int:
        """What its disk has left for us."""
        stat = os.fstatvfs(self._fd)
        return stat.f_bavail * stat.f_frsize

    def sync(self) -> None:
        """Have the disk hold what was written, against a power cut."""
        try:
            os.fdatasync(self._fd)
        except OSError as exc:
            self.fail(_reason(exc), exc)

    def close(self) -> Path:
        """Close the file and give it its name, unless an error leaves it the name of an incomplete one.

        It is closed first: a network disk, or one with quotas, may tell only then that it has not what was written.

        Returns:
            Where the recording is; where nothing could be written, there is none.
        """
        _under_way.discard(self.part)
        for step in (self._restore_if_deleted, lambda: os.close(self._fd)):
            try:
                step()
            except OSError as exc:
                self.fail(_reason(exc), exc)
        if self.error is not None:
            if not self.written:
                with contextlib.suppress(OSError):
                    self.part.unlink()
            return self.part
        try:
            return self._take_name()
        except OSError as exc:
            self.fail(_reason(exc), exc)
            return self.part

    def discard(self) -> None:
        """Remove the file, into which nothing was written."""
        _under_way.discard(self.part)
        with contextlib.suppress(OSError):
            self.part.unlink()
        os.close(self._fd)

    def _restore_if_deleted(self) -> None:
        if self.is_deleted:
            self._restore()

    def _restore(self) -> None:
        """Write what the deleted file held to a new one of the same name."""
        try:
            _make_private(self.part.parent)
            copy = os.open(self.part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            try:
                os.lseek(self._fd, 0, os.SEEK_SET)
                while piece := os.read(self._fd, 1 << 20):
                    while piece:
                        piece = piece[os.write(copy, piece) :]
            finally:
                os.close(copy)
        except OSError as exc:
            self.error = WriteError(
                f"{self.path}: deleted during the recording, and not to be restored: {_reason(exc)}"
            )
            self.error.__cause__ = exc

    def _take_name(self) -> Path:
        for name in _names(self.path):
            try:
                os.link(self.part, name)
            except FileExistsError:
                continue
            except OSError as exc:
                if exc.errno not in _NO_HARD_LINKS:
                    raise
                if os.path.lexists(name):
                    continue
                self.part.rename(name)
                return name
            with contextlib.suppress(FileNotFoundError):
                self.part.unlink()
            return name
        raise AssertionError("numbers do not end")


def _make_private(directory: Path) -> None:
    """Make a directory and those above it that are missing, each for its owner only."""
    for missing in reversed([directory, *directory.parents]):
        if not missing.exists():
            missing.mkdir(mode=0o700, exist_ok=True)


def _names(path: Path) -> Iterator[Path]:
    yield path
    number = 2
    while True:
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
        number += 1


def _reason(exc: OSError) -> str:
    return (exc.strerror or str(exc)).lower()
