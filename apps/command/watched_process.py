"""A command computes in a child process, so that somebody is left to say how it ended.

Where memory runs out, a library or the kernel may end a process without a word. POSIX only; elsewhere the command
computes in this process.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

from apps.command.interruption import ENDING, raise_when_signalled
from apps.command.standard_streams import open_closed_streams, tell

ADVICE = "probably memory ran out; use smaller pictures, for stitch --final-megapix, or fewer --jobs"


def run_watched(run: Callable[[], int]) -> int:
    """Call `run` in a child process; returns its exit code, in the child and in this process.

    Called before any thread is started and any library is loaded. The child gets the signals that end a command, and
    is ended when this process is.
    """
    open_closed_streams()
    os.environ.setdefault("OPENCV_LOG_LEVEL", "FATAL")  # its errors are raised as exceptions anyway
    try:
        alive, alive_end = os.pipe()  # closes when this process ends
        code, code_end = os.pipe()  # takes the exit code as a byte
        watchable = hasattr(os, "fork")
    except OSError:  # no more open files are allowed
        watchable = False
    if not watchable:
        raise_when_signalled()
        return run()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)  # until both processes have their handlers
    watcher = os.getpid()
    try:
        child = os.fork()
    except OSError:  # no more processes are allowed
        return _compute(run, code_end)
    if child == 0:
        os.close(alive_end)
        _end_with(alive, watcher)
        return _compute(run, code_end)
    os.close(code_end)
    return _watch(child, code)


def _end_with(alive: int, watcher: int) -> None:
    """End this process by SIGIO when the other end of a pipe closes; that needs no thread, and no help of Python."""
    import fcntl

    signal.signal(signal.SIGIO, signal.SIG_DFL)
    with suppress(OSError):  # a system whose pipes send no signals
        fcntl.fcntl(alive, fcntl.F_SETOWN, os.getpid())
        fcntl.fcntl(alive, fcntl.F_SETFL, fcntl.fcntl(alive, fcntl.F_GETFL) | os.O_ASYNC)
    if os.getppid() != watcher:  # it ended before that
        sys.exit(1)


def _compute(run: Callable[[], int], code_end: int) -> int:
    raise_when_signalled()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    code = 1  # after a defect, which Python reports
    try:
        code = run()
    finally:
        os.write(code_end, bytes([code]))
    return code


def _watch(child: int, code: int) -> int:
    def forward(number: int, frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):  # it has just ended
            os.kill(child, number)

    for number in ENDING:  # those that were to be ignored, too: the child ignores them still, or saves its work
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    _, status = os.waitpid(child, 0)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)  # its number may be another process's now
    os.set_blocking(code, False)  # processes that it left behind may hold the other end
    with suppress(BlockingIOError):
        if told := os.read(code, 1):
            return told[0]
    return _unexpected_end(status)


def _unexpected_end(status: int) -> int:
    """Tell how a child ended that did not reach its end; returns the exit code."""
    if not os.WIFSIGNALED(status):
        tell(f"the process ended unexpectedly: {ADVICE}")
        return 1
    number = os.WTERMSIG(status)
    name = signal.Signals(number).name
    if number in ENDING:
        tell(f"ended by {name}")
        return 128 + number
    tell(f"the process was ended by {name}: {ADVICE}")
    return 1
