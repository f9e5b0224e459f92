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
class Cost:
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


def run_timed(command: Sequence[str], log: Path, timeout: float, environment: Mapping[str, str]) -> Cost:
    """Run a command to its end, its output going to the file `log`; it ends when we do, however that happens.

    timeout: seconds, after which the command and its children are killed. Linux and macOS only.
    Raises JobError where the small process itself was ended.
    """
    starter = [sys.executable, "-I", "-S", str(Path(__file__).resolve()), str(timeout), str(log), *command]
    with subprocess.Popen(starter, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(environment)) as process:
        assert process.stdout is not None
        output = process.stdout.read()
    if process.returncode != 0:
        from stitching.errors import JobError  # not above: the small process has only the standard library

        raise JobError(f"the process that was to start {command[0]} ended with {process.returncode}")
    return Cost(**json.loads(output))


def _start(timeout: float, log: str, command: Sequence[str]) -> Cost:
    """What the small process does."""
    expired = threading.Event()
    started = time.perf_counter()
    with Path(log).open("wb") as output:
        try:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        except OSError as error:
            output.write(f"cannot start {command[0]}: {error.strerror}\n".encode())
            return Cost(127, 0.0, 0.0, 0.0, False)

    def kill() -> None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # a session of its own: the children too

    def expire() -> None:
        expired.set()
        kill()

    def outlive_nobody() -> None:
        os.read(0, 1)  # returns when whoever runs us closes the pipe or is gone
        kill()

    threading.Thread(target=outlive_nobody, daemon=True).start()
    timer = threading.Timer(timeout, expire)
    timer.start()
    try:
        _, status, usage = os.wait4(process.pid, 0)
    except BaseException:
        kill()
        raise
    finally:
        timer.cancel()
    seconds = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    peak_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    cpu_seconds = usage.ru_utime + usage.ru_stime
    return Cost(process.returncode, seconds, cpu_seconds, peak_bytes / 2**20, expired.is_set())


if __name__ == "__main__":
    try:
        cost = _start(float(sys.argv[1]), sys.argv[2], sys.argv[3:])
        os.write(1, json.dumps(vars(cost)).encode())
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
