"""A worker process: `python -m pexrtc_py.fleet.worker NUMBER`, commands on stdin, reports on stdout, logs on stderr.

It carries out runs until it is told to drain, gets SIGTERM, or its stdin ends because the fleet died; in all three
cases it finishes every run first: files closed, tokens given back.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
import sys
from contextlib import suppress
from pathlib import Path

import msgspec

from ..event_loop import loop_factory
from ..tasks import TaskOwner, task_owner
from .active_run import ActiveRun
from .messages import LINE_LIMIT, Beat, Drain, Finished, Report, Run, Start, Stop, parse_command, serialize
from .runs import carry_out

__all__ = ["main"]

logger = logging.getLogger(__name__)

_BEAT_S = 1.0
_BACKLOG = 1 << 20
"""Bytes that wait for a fleet that does not read; beyond it beats are left out."""


class _Worker:
    def __init__(self, number: int, writer: asyncio.WriteTransport) -> None:
        self._number = number
        self._writer = writer
        self._runs: dict[str, ActiveRun] = {}
        self._ended: list[ActiveRun] = []
        """Runs of whose files something is still made."""
        self._draining = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()

    async def work(self, commands: asyncio.StreamReader) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._drain)
        async with task_owner() as beats, task_owner() as tasks:
            beats.start(self._beat(), name="pexrtc beat")
            reading = tasks.start(self._read(commands, tasks), name="pexrtc commands")
            await self._draining.wait()
            reading.cancel()
            await self._empty.wait()

    async def _read(self, commands: asyncio.StreamReader, tasks: TaskOwner) -> None:
        while line := await commands.readline():
            try:
                command = parse_command(line)
            except msgspec.MsgspecError as exc:
                logger.error("! no command: %s", exc)
                continue
            match command:
                case Start(run=run):
                    self._start(run, tasks)
                case Stop(job_id=job_id, within_s=within_s):
                    if active := self._runs.get(job_id):
                        active.stop(within_s)
                case Drain():
                    break
        self._drain()

    def _start(self, run: Run, tasks: TaskOwner) -> None:
        active = ActiveRun(run=run, tell=self._tell)
        self._runs[run.job.id] = active
        self._empty.clear()
        tasks.start(self._carry_out(active), name=f"pexrtc run {run.job.id}")

    async def _carry_out(self, active: ActiveRun) -> None:
        ended = await carry_out(active)
        del self._runs[active.run.job.id]
        self._ended.append(active)
        self._tell(ended)
        if active.afterwards is not None:
            try:
                await active.afterwards()
            except Exception:
                logger.exception("! bug after %s", active.run.job.id)
            self._tell(Finished(job_id=ended.job_id, number=ended.number))
        self._ended.remove(active)
        if not self._runs and not self._ended:
            self._empty.set()

    def _drain(self) -> None:
        for active in self._runs.values():
            active.stopping.set()
        self._draining.set()

    async def _beat(self) -> None:
        while True:
            if self._writer.get_write_buffer_size() < _BACKLOG:
                usage = resource.getrusage(resource.RUSAGE_SELF)
                self._tell(
                    Beat(
                        worker=self._number,
                        cpu_s=round(usage.ru_utime + usage.ru_stime, 3),
                        rss_bytes=_resident(),
                        progress={job: run.progress() for job, run in self._runs.items() if run.progress is not None},
                    )
                )
            await asyncio.sleep(_BEAT_S)

    def _tell(self, report: Report) -> None:
        # A fleet that died reads no more; its runs finish all the same. uvloop raises where asyncio only warns.
        if not self._writer.is_closing():
            with suppress(RuntimeError):
                self._writer.write(serialize(report))


def _resident() -> int:
    """Return the bytes of memory this process holds (proc(5), /proc/pid/statm); 0 where that is not known."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


async def _serve(number: int, out: int) -> None:
    loop = asyncio.get_running_loop()
    commands = asyncio.StreamReader(limit=LINE_LIMIT)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(commands), sys.stdin)
    writer, _ = await loop.connect_write_pipe(asyncio.BaseProtocol, os.fdopen(out, "wb", buffering=0))
    try:
        await _Worker(number, writer).work(commands)
    finally:
        await _flushed(writer)


async def _flushed(writer: asyncio.WriteTransport) -> None:
    """Wait, for a little while, until what was said last is on its way."""
    for _ in range(100):
        if not writer.get_write_buffer_size():
            break
        await asyncio.sleep(0.01)
    writer.close()


def main(number: int) -> None:
    """Serve until drained."""
    for signal_number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2):
        # They are meant for the fleet or for `pexrtc record`, and by name (`pkill -HUP -f pexrtc`) come to all.
        signal.signal(signal_number, signal.SIG_IGN)
    logging.basicConfig(stream=sys.stderr, format=f"%(asctime)s %(levelname).1s worker {number} %(name)s %(message)s")
    logging.getLogger("pexrtc_py").setLevel(os.environ.get("PEXRTC_LOG", "WARNING"))
    for name in ("aiortc", "aioice", "libav"):
        logging.getLogger(name).setLevel(logging.ERROR)
    # Reports have a descriptor of their own: what any library prints must not end up between them.
    out = os.dup(1)
    os.dup2(2, 1)
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_serve(number, out))


if __name__ == "__main__":
    main(int(sys.argv[1]))
