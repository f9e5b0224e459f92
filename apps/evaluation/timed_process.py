"""Run one command and say what it cost: wall seconds, CPU seconds and peak memory of it and its children.

This file is also the small process that starts the command. Linux counts the memory of the process that
starts a program as that program's first peak, so starting it from here, with 10 MB, keeps the figure honest.
It therefore imports only the standard library.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class ProcessCost:
    """What a command cost.

    Attributes:
        exit_code: 0 = success, negative = ended by that signal, 127 = could not be started.
        seconds: wall clock, from the start of the process to its end.
        cpu_seconds: user and system time on all cores, children included.
        peak_mb: resident memory, MiB, of the largest single process among it and its children.
        timed_out: it took too long and was ended.
    """

    exit_code: int
    seconds: float
    cpu_seconds: float
    peak_mb: float
    timed_out: bool


def run_timed(command: Sequence[str], log: Path, timeout: float, environment: Mapping[str, str]) -> ProcessCost:
    """Run a command to its end, on Linux or macOS; it is killed when this process ends, however that happens.

    Args:
        command: program and arguments.
        log: file for what it prints.
        timeout: seconds after which the command and its children are killed.
        environment: its environment variables.

    Raises:
        JobError: the small process was killed.
    """
    starter = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(timeout), str(log), *command]
    # So that the log has the lines of Python programs in the order in which they were printed.
    variables = {**environment, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(starter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=variables) as process:
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode != 0:
        from stitching.errors import JobError  # not above: the small process has only the standard library

        raise JobError(f"the process that was to start {command[0]} ended with {process.returncode}")
    return ProcessCost(**json.loads(output))


def _start(timeout: float, log: str, command: Sequence[str]) -> ProcessCost:
    """What the small process does: start the command, wait for it, measure it."""
    started = time.perf_counter()
    with Path(log).open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            output.write(f"cannot start {command[0]}: {error.strerror}\n".encode())
            return ProcessCost(127, 0.0, 0.0, 0.0, False)
    for number in (signal.SIGTERM, signal.SIGHUP):  # the process that reads our output gets them, too, and ends us
        signal.signal(number, lambda number, frame: None)
    threading.Thread(target=_kill_with_parent, args=[process.pid], daemon=True).start()
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _kill(process.pid)

    timer = threading.Timer(timeout, expire)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        _kill(process.pid)
        raise
    finally:
        timer.cancel()
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return ProcessCost(process.returncode, seconds, cpu_seconds, peak_bytes / 2**20, expired.is_set())


def _kill(session: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(session, signal.SIGKILL)  # the command and its children


def _kill_with_parent(session: int) -> None:
    os.read(0, 1)  # returns when the process that reads our output closes our standard input or is gone
    _kill(session)


if __name__ == "__main__":
    try:
        cost = _start(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
        os.write(1, json.dumps(vars(cost)).encode())
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
