"""A process of its own for what reads recordings: damaged or hostile files cost it, and never a recording.

`in_child("verify", path)` runs `python -m pexrtc_py.media.child verify PATH`: low priority, no core, processor time and
memory bounded, killed at its deadline, with its result as JSON. It ends when its standard input does, so that none is
left behind by a parent that was killed, and takes with it what it has half made.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

from ..errors import PexrtcError, SourceError
from .integrity import inspect_file
from .joining_files import join_files
from .repair import repair_file, repaired_path
from .thumbnails import make_slides, make_thumbnail
from .transcoding import preset_named, transcode_file
from .writers.target import parts_under_way

__all__ = ["in_child", "main"]

_MEMORY_BYTES = 4 << 30
"""Address space, mostly of libraries; what is used is a fraction."""


def _verify(path: str, decode: str = "") -> object:
    return asdict(inspect_file(Path(path), decode=bool(decode)))


def _repair(path: str, target: str = "") -> object:
    return asdict(repair_file(Path(path), Path(target) if target else repaired_path(Path(path))))


def _thumbnail(path: str, target: str) -> object:
    return asdict(make_thumbnail(Path(path), Path(target)))


def _slides(path: str, folder: str) -> object:
    return [asdict(one) for one in make_slides(Path(path), Path(folder))]


def _join(target: str, *paths: str) -> object:
    return asdict(join_files([Path(path) for path in paths], Path(target)))


def _transcode(path: str, target: str, preset: str) -> object:
    return asdict(transcode_file(Path(path), Path(target), preset_named(preset)))


_JOBS: Mapping[str, Callable[..., object]] = {
    "verify": _verify,
    "repair": _repair,
    "thumbnail": _thumbnail,
    "slides": _slides,
    "join": _join,
    "transcode": _transcode,
}


async def in_child(job: str, *arguments: str | Path, deadline_s: float) -> object:
    """Run a job in a child and return its result as JSON has it.

    Cancelling kills the child.

    Args:
        job: `verify FILE [decode]`, `repair FILE [TARGET]`, `thumbnail FILE TARGET`, `slides FILE FOLDER`,
            `join TARGET FILE...`, `transcode FILE TARGET PRESET`.
        arguments: as the job has them.
        deadline_s: seconds after which it is killed.

    Raises:
        SourceError: it could not do its job, died, or was late.
    """
    theirs, ours = os.pipe()  # nothing is ever written: its end is ours
    try:
        try:
            child = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                __name__,
                job,
                str(deadline_s),
                *(str(argument) for argument in arguments),
                stdin=theirs,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        finally:
            os.close(theirs)
        return await _result_of(child, job, deadline_s)
    finally:
        os.close(ours)


async def _result_of(child: asyncio.subprocess.Process, job: str, deadline_s: float) -> object:
    try:
        async with asyncio.timeout(deadline_s):
            output, errors = await child.communicate()
    except TimeoutError as exc:
        raise SourceError(f"{job}: not done after {deadline_s:g} s") from exc
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    if child.returncode:
        said = errors.decode("utf-8", "replace").strip().splitlines()
        raise SourceError(f"{job}: {said[-1] if said else f'died with status {child.returncode}'}")
    result: object = json.loads(output)
    return result


def _end_with_parent() -> None:
    os.read(0, 1)
    for half in parts_under_way():  # nobody else would; all that it is made of is there
        with suppress(OSError):
            half.unlink()
    os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Do a job: name, deadline, its arguments."""
    job, deadline_s, *rest = arguments
    seconds = max(1, round(float(deadline_s)))
    threading.Thread(target=_end_with_parent, name="pexrtc parent", daemon=True).start()
    os.nice(10)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (2 * seconds, 2 * seconds))
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    try:
        result = _JOBS[job](*rest)
    except PexrtcError as exc:
        sys.stderr.write(f"{exc}\n")
        return 1
    sys.stdout.write(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
