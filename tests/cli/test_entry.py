"""How a command begins and ends as a process: Ctrl-C at any moment, and what it reads from standard input."""

from __future__ import annotations

import asyncio
import os
import pty
import signal
import sys
import termios
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from pexrtc_py.cli.app import main
from pexrtc_py.cli.exits import ExitCode
from pexrtc_py.node.config import NodeConfig
from pexrtc_py.node.server import Node
from pexrtc_py.protocol.events import MessageReceived
from pexrtc_py.protocol.room_settings import RoomSettings
from pexrtc_py.signalling import SessionConfig, open_session

from ..support.silent_media import SilentMediaMaker

PROGRAM = ("-c", "from pexrtc_py.cli import main; main()")
BY_MODULE = ("-m", "pexrtc_py")
LOOPS = ("asyncio", "uvloop")


@pytest.fixture
async def node() -> AsyncIterator[Node]:
    """A node with one conference that is open, and one that has a PIN."""
    settings = {"meet.open": RoomSettings(), "meet.pin": RoomSettings(pin="1234", allow_guests=False)}
    async with Node(NodeConfig(conferences=settings), media=SilentMediaMaker()) as node:
        yield node


async def start(*words: str, stdin: int = PIPE, loop: str = "asyncio", program: tuple[str, ...] = PROGRAM) -> Process:
    """Start a command whose standard input is held open."""
    environment = {**os.environ, "COLUMNS": "200", "PEXRTC_LOOP": loop}
    return await asyncio.create_subprocess_exec(
        sys.executable, *program, *words, stdin=stdin, stdout=PIPE, stderr=PIPE, env=environment
    )


async def end_of(process: Process) -> tuple[int, str, str]:
    """Wait for the end of a command while its standard input stays open; return code and texts."""
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.timeout(10):
        out, err = await asyncio.gather(process.stdout.read(), process.stderr.read())
        return await process.wait(), out.decode(), err.decode()


async def said(process: Process, text: str) -> None:
    """Wait until a command has said so on stderr."""
    assert process.stderr is not None
    heard = ""
    async with asyncio.timeout(20):
        while text not in heard:
            piece = await process.stderr.readline()
            assert piece, f"it ended before it said {text!r}: {heard}"
            heard += piece.decode()


@pytest.mark.parametrize("module", ["typing", "msgspec", "numpy", "httpx", "aiortc"])
async def test_ctrl_c_while_it_is_loaded(module: str) -> None:
    """It ends at once with 130 and not a word, whatever was being imported."""
    process = await start("record", "meet.open", program=("-X", "importtime", *PROGRAM))
    await said(process, f" {module}\n")
    process.send_signal(signal.SIGINT)
    code, out, err = await end_of(process)
    assert code == ExitCode.INTERRUPTED
    assert [line for line in err.splitlines() if not line.startswith("import time:")] == []
    assert out == ""


@pytest.mark.slow
@pytest.mark.parametrize("program", [PROGRAM, BY_MODULE], ids=["script", "module"])
async def test_ctrl_c_at_any_moment(node: Node, program: tuple[str, ...]) -> None:
    """One Ctrl-C is one end: while it loads, while it reads its arguments, joins, waits.

    Moments are counted from our first line on: how long Python takes until then is the machine's.
    """
    for moment_ms in (10, 50, 150, 300, 450, 600, 800, 1000, 1300, 1700, 2300):
        words = ("chat", "--node", node.url, "meet.open", "-")
        process = await start(*words, program=("-X", "importtime", *program))
        await said(process, " pexrtc_py.cli.entry\n")
        await asyncio.sleep(moment_ms / 1000)
        process.send_signal(signal.SIGINT)
        code, out, err = await end_of(process)
        assert (code, out) == (ExitCode.INTERRUPTED, ""), f"after {moment_ms} ms: {err}"
        told = [line for line in err.splitlines() if not line.startswith("import time:")]
        assert told in ([], ["finishing; once more to stop now"]), f"after {moment_ms} ms"


@pytest.mark.parametrize("command", ["events", "chat"])
async def test_a_reader_that_goes_ends_what_it_reads(node: Node, command: str) -> None:
    """`pexrtc events ALIAS | head -1` ends with `head`, not with the next thing that happens."""
    ours, theirs = os.pipe()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *PROGRAM, command, "--node", node.url, "meet.open", stdin=DEVNULL, stdout=theirs, stderr=PIPE
    )
    os.close(theirs)
    try:
        await said(process, "joined meet.open")
    finally:
        os.close(ours)
    async with asyncio.timeout(10):
        assert await process.wait() == ExitCode.DONE
    assert node.state.conferences == {}


@pytest.mark.parametrize("loop", LOOPS)
async def test_one_ctrl_c_ends_what_reads_a_pipe(node: Node, loop: str) -> None:
    """A command that waits for standard input waits no longer, though nobody closes it."""
    process = await start("chat", "--node", node.url, "meet.open", "-", "-vv", loop=loop)
    assert process.stdin is not None
    process.stdin.write(b"half a ")
    await said(process, "reading standard input")
    process.send_signal(signal.SIGINT)
    code, _, err = await end_of(process)
    assert code == ExitCode.INTERRUPTED
    assert "Traceback" not in err
    assert node.state.conferences == {}


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
async def test_one_ctrl_c_ends_what_opens_a_pipe(loop: str) -> None:
    """FFmpeg waits in a thread for the first bytes of a source, and nobody else does when it shall end."""
    async with Node(NodeConfig()) as node:
        process = await start("announce", "--node", node.url, "meet.alice", "-", loop=loop)
        await said(process, "joined meet.alice")
        assert process.stdin is not None
        process.stdin.write(b"no media yet")
        await process.stdin.drain()
        process.send_signal(signal.SIGINT)
        code, _, err = await end_of(process)
        assert code == ExitCode.INTERRUPTED
        assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
async def test_one_ctrl_c_at_a_terminal(node: Node, loop: str) -> None:
    """The same where a person types; and the terminal is left as it was."""
    ours, theirs = pty.openpty()
    try:
        before = (termios.tcgetattr(theirs), os.get_blocking(theirs))
        process = await start("chat", "--node", node.url, "meet.open", "-", "-vv", stdin=theirs, loop=loop)
        await said(process, "reading standard input")
        os.write(ours, b"a line\n")
        process.send_signal(signal.SIGINT)
        code, _, err = await end_of(process)
        assert code == ExitCode.INTERRUPTED
        assert "Traceback" not in err
        assert (termios.tcgetattr(theirs), os.get_blocking(theirs)) == before
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
async def test_what_is_read_is_said(node: Node, tmp_path: Path, loop: str) -> None:
    """A pipe in pieces and a file are read to their end; /dev/null has nothing to say."""
    text = tmp_path / "text"
    text.write_text("from a file\n")
    async with open_session(SessionConfig(node_url=node.url, alias="meet.open", display_name="Reader")) as reader:
        events = reader.events()
        process = await start("chat", "--node", node.url, "meet.open", "-", "-vv", loop=loop)
        assert process.stdin is not None
        await said(process, "reading standard input")
        process.stdin.write("über ".encode()[:1])
        await process.stdin.drain()
        process.stdin.write("über ".encode()[1:] + b"a pipe\n")
        process.stdin.close()
        assert (await end_of(process))[0] == ExitCode.DONE
        with text.open() as file:
            process = await start("chat", "--node", node.url, "meet.open", "-", stdin=file.fileno(), loop=loop)
            assert (await end_of(process))[0] == ExitCode.DONE
        heard: list[str] = []
        async with asyncio.timeout(5):
            async for event in events:
                if isinstance(event, MessageReceived):
                    heard.append(event.payload)
                    if len(heard) == 2:
                        break
        assert heard == ["über a pipe", "from a file"]
        process = await start("chat", "--node", node.url, "meet.open", "-", stdin=DEVNULL, loop=loop)
        code, _, err = await end_of(process)
        assert (code, err) == (ExitCode.USAGE, "error: there is nothing to say\n")


@pytest.mark.slow
async def test_what_cannot_be_said() -> None:
    """Bytes that are no text, and more of them than anybody reads, are refused in a line."""
    for content, complaint in (
        (b"ab\xff", "is no UTF-8 (byte 2)"),
        (b"x" * (1 << 20) + b"y", "longer than 1048576 bytes"),
    ):
        process = await start("chat", "--node", "http://127.0.0.1:9", "meet.open", "-")
        assert process.stdin is not None
        process.stdin.write(content)
        process.stdin.close()
        code, _, err = await end_of(process)
        assert code == ExitCode.USAGE
        assert complaint in err
        assert len(err.splitlines()) == 1


@pytest.mark.slow
@pytest.mark.parametrize("loop", LOOPS)
async def test_ctrl_c_at_the_pin_prompt(node: Node, loop: str) -> None:
    """Who asks for a PIN at the terminal, which nothing is shown at, lets go of it at one Ctrl-C."""
    code, shown, echoes = await at_a_terminal(
        "\x03", "roster", "--node", node.url, "meet.pin", "--pin-file", "-", loop=loop
    )
    assert code == ExitCode.INTERRUPTED
    assert "Traceback" not in shown
    assert echoes


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
async def test_streams_that_are_closed(node: Node, closed: str) -> None:
    """Started so, as by some daemons, the loop took a socket for standard output and ended the process by a signal."""
    words = (sys.executable, *PROGRAM, "roster", "--json", "--node", node.url, "meet.open")
    process = await asyncio.create_subprocess_exec(
        *("sh", "-c", f'exec "$@" {closed}', "sh", *words),
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env={**os.environ, "PEXRTC_LOOP": "uvloop"},
    )
    code, out, err = await end_of(process)
    assert (code, err) == (ExitCode.DONE, "")
    assert out.startswith('{"alias":"meet.open"') == ("1>" not in closed)


@pytest.mark.slow
async def test_pin_at_the_terminal(node: Node) -> None:
    """What is typed at the prompt is the PIN, and is shown nowhere; nothing typed is a usage error."""
    words = ("roster", "--node", node.url, "meet.pin", "--pin-file", "-")
    code, shown, _ = await at_a_terminal("1234\n", *words)
    assert code == ExitCode.DONE
    assert "1234" not in shown
    code, shown, echoes = await at_a_terminal("\x04", *words)
    assert code == ExitCode.USAGE
    assert "--pin-file -: no PIN was given" in shown
    assert echoes


async def at_a_terminal(typed: str, *words: str, loop: str = "asyncio") -> tuple[int, str, bool]:
    """Run a command at a terminal of its own, type when it asks; return code, what was shown, and whether it echoes."""
    ours, theirs = pty.openpty()
    script = f"import os, fcntl, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); {PROGRAM[1]}"
    environment = {**os.environ, "COLUMNS": "200", "PEXRTC_LOOP": loop}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, *words, stdin=theirs, stdout=theirs, stderr=theirs, env=environment
    )
    shown, events = b"", asyncio.Queue[bytes](maxsize=1000)
    running = asyncio.get_running_loop()
    running.add_reader(ours, lambda: events.put_nowait(os.read(ours, 4096)))
    try:
        async with asyncio.timeout(20):
            while b"PIN: " not in shown:
                shown += await events.get()
            os.write(ours, typed.encode())
            code = await process.wait()
        while not events.empty():
            shown += events.get_nowait()
        return code, shown.decode(), bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
    finally:
        running.remove_reader(ours)
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (("probe", "--nagios", "--bogus"), "No such option: --bogus"),
        (("probe", "--nagios"), "Missing argument 'ALIAS...'."),
        (("probe", "meet.a", "--count", "a|b\n", "--nagios"), "Invalid value for '--count'"),
    ],
)
def test_nagios_hears_of_bad_arguments(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], what: str
) -> None:
    """What cannot be understood is UNKNOWN with a line on stdout; the 2 of bad usage would be CRITICAL."""
    code, out, err = in_process(monkeypatch, capsys, *words)
    assert code == 3
    [line] = out.splitlines()
    assert line.startswith(f"PEXRTC UNKNOWN - {what}")
    assert "|" not in line
    assert what in err


@pytest.mark.parametrize("words", [("probe", "--bogus"), ("chat", "--nagios", "probe"), ("--nagios",)])
def test_bad_arguments_of_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: tuple[str, ...]
) -> None:
    """Without a monitor that reads it, bad usage is 2, and says nothing on stdout."""
    assert in_process(monkeypatch, capsys, *words)[:2] == (ExitCode.USAGE, "")


def in_process(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> tuple[int, str, str]:
    """Run a command that comes to nothing; return code and texts."""
    monkeypatch.setattr(sys, "argv", ["pexrtc", *words])
    with pytest.raises(SystemExit) as left:
        main()
    assert isinstance(left.value.code, int)
    return left.value.code, *capsys.readouterr()
