"""Runs one command line in a process of its own, watched: time, memory, a signal, what it printed. Linux."""

import os
import resource
import signal
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from attacks.case import Command

MAX_SECONDS = 60.0
MAX_MIB = 2560.0
_STOP_MIB = 1.25 * MAX_MIB  # of memory: then the process is killed
_TICK = 0.005  # s between two looks at the process
_LOOK = 0.05  # s between two looks at all processes that it started
_STREAMS = ("r", -1), ("w", -1), ("w", 1)  # mode and buffering of standard input, output, error
_GRACE = 15.0  # s after which all processes that a command started must be gone; a busy machine needs some


@dataclass(frozen=True)
class Run:
    """How a command ended.

    Attributes:
        code: exit code; negative = died by that signal.
        peak: MiB resident, of the largest process among it and its children.
        hung: it ran longer than MAX_SECONDS, without the time in which it waited for a core.
        left: processes that it started still ran.
        stdout, stderr: what it printed.
    """

    code: int
    seconds: float
    cpu_seconds: float
    peak: float
    hung: bool
    left: bool
    stdout: str
    stderr: str


def run(command: Command, folder: Path) -> Run:
    """Run a command in `folder`/work; its streams and temporary files go beside it."""
    (folder / "tmp").mkdir(exist_ok=True)
    for name in ("stdout", "stderr"):  # the process may be killed before it opens them
        (folder / name).touch()
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        _become(command, folder)
    status, usage, peak, hung = _watch(pid, command, started)
    seconds = time.perf_counter() - started
    left = not hung and _remains(pid)
    _kill(pid)
    streams = [(folder / name).read_text(errors="replace") for name in ("stdout", "stderr")]
    cpu = usage.ru_utime + usage.ru_stime
    return Run(os.waitstatus_to_exitcode(status), seconds, cpu, peak, hung, left, *streams)


def _watch(pid: int, command: Command, started: float) -> tuple[int, resource.struct_rusage, float, bool]:
    """Wait for the process: its status, what it used, the largest memory seen, and whether it hung."""
    peak, hung, pending, looked = 0.0, False, command.signal, started
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            return status, usage, max(peak, usage.ru_maxrss / 1024), hung
        elapsed = time.perf_counter() - started
        if pending is not None and elapsed >= command.after:
            pending = None if _send(pid, pending, command.to_child) else pending
        if started + elapsed - looked > _LOOK:
            looked, alive = started + elapsed, _processes(pid)
            peak = max([peak, *map(_resident, alive)])
            hung = elapsed - max(map(_queued, alive), default=0.0) > MAX_SECONDS
            if hung or peak > _STOP_MIB:
                _kill(pid)
        time.sleep(_TICK)


def _become(command: Command, folder: Path) -> None:
    """What the forked process does; it never returns."""
    code = 1
    try:
        os.setsid()
        os.chdir(folder / "work")
        os.environ["TMPDIR"] = str(folder / "tmp")
        _redirect(command, folder)
        _limit(command)
        if command.own_process:
            os.execv(sys.executable, [sys.executable, "-m", "apps.cli", *command.arguments])
        code = _call_main(command)
    except SystemExit as stop:
        code = stop.code if isinstance(stop.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _call_main(command: Command) -> int:
    from apps.cli import main

    sys.argv = ["parastitch", *command.arguments]
    return main()


def _redirect(command: Command, folder: Path) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, name in ((1, "stdout"), (2, "stderr")):
        where = getattr(command, name)
        file = os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open("/dev/full", os.O_WRONLY) if where == "full" else file, number)
        if where == "closed":
            os.close(number)
    for number in range(3, 64):  # of the harness
        with suppress(OSError):
            os.close(number)
    if not command.own_process:
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(number, mode, buffering, closefd=False) for number, (mode, buffering) in enumerate(_STREAMS)
        )


def _limit(command: Command) -> None:
    mib = 2**20
    if command.memory is not None:
        resource.setrlimit(resource.RLIMIT_AS, (command.memory * mib, command.memory * mib))
    if command.file_size is not None:
        size = int(command.file_size * mib)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _send(pid: int, number: int, to_child: bool) -> bool:
    """Send a signal as it comes in life: Ctrl-C to all processes of a command, others to one; False: there is none."""
    if to_child:
        children = [other for other in _processes(pid) if other != pid]
        if not children:
            return False
        os.kill(max(children), number)
    elif number == signal.SIGINT:
        os.killpg(pid, number)
    else:
        os.kill(pid, number)
    return True


def _processes(session: int) -> list[int]:
    """The living processes of a session."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError, IndexError):
            state, _, _, owner, *_ = path.read_text().rpartition(")")[2].split()
            if int(owner) == session and state not in "ZX":
                found.append(int(path.parent.name))
    return found


def _resident(pid: int) -> float:
    """MiB that the process holds now; 0 where it is gone."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize() / 2**20
    return 0.0


def _queued(pid: int) -> float:
    """Seconds in which the process could have run, but other programs had the cores."""
    with suppress(OSError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0


def _remains(session: int) -> bool:
    """Whether a process of the session runs _GRACE seconds from now."""
    end = time.perf_counter() + _GRACE
    while _processes(session):
        if time.perf_counter() > end:
            return True
        time.sleep(0.05)
    return False


def _kill(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)
