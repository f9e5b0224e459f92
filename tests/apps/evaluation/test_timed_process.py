"""What a process costs, and that it ends with the one that started it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from apps.evaluation.timed_process import run_timed


def test_memory_is_that_of_the_command_not_of_this_process(tmp_path: Path) -> None:
    own = np.ones(40_000_000)  # 305 MiB
    small, large = (
        run_timed([sys.executable, "-c", code], tmp_path / "log.txt", 60, {})
        for code in ("pass", "x = b'1' * 120_000_000")
    )
    assert own.nbytes / 2**20 > 300
    assert small.peak_mb < 60
    assert 114 < large.peak_mb < 200


def test_time_of_children_counts(tmp_path: Path) -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'sum(range(10**7))'])"
    alone, child = (run_timed([sys.executable, "-c", text], tmp_path / "log.txt", 60, {}) for text in ("pass", code))
    assert child.cpu_seconds > alone.cpu_seconds + 0.03
    assert run_timed(["/nowhere/tool"], tmp_path / "log.txt", 60, {}).exit_code == 127


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGKILL, False), *product((signal.SIGINT, signal.SIGTERM, signal.SIGHUP), (False, True))],
)
def test_command_ends_with_the_process_that_started_it(
    tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    started = tmp_path / "pid"
    sleeper = f"import os, time; open({str(started)!r}, 'x').write(str(os.getpid()) + '.'); time.sleep(60)"
    log = tmp_path / "log.txt"
    parent = (
        "import pathlib, signal, sys; from apps.evaluation.timed_process import run_timed;"
        "signal.signal(signal.SIGINT, signal.default_int_handler);"
        f"run_timed([sys.executable, '-c', {sleeper!r}], pathlib.Path({str(log)!r}), 60, {{}})"
    )
    command = [sys.executable, "-c", parent]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        _wait(lambda: started.exists() and started.read_text().endswith("."))
        (os.killpg if whole_group else os.kill)(process.pid, number)
    _wait(lambda: not _alive(int(started.read_text()[:-1])))


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _wait(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        time.sleep(0.02)
    pytest.fail("waited 20 s")
