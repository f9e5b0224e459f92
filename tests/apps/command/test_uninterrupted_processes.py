import signal
import subprocess
import sys

import pytest

# In a process of its own, as only the first process that multiprocessing starts was in danger.
FIRST_PROCESS = """
import signal
from multiprocessing import get_context

from apps.command.uninterrupted_processes import without_interruptions


def print_blocked_signals():
    print(*sorted(number.name for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())), flush=True)


if __name__ == "__main__":
    process = get_context("spawn").Process(target=print_blocked_signals)
    with without_interruptions():
        process.start()
    process.join()
    print_blocked_signals()
"""


# Prints when its child is ready, and waits for input; the child would run for an hour.
PARENT = """
import time
from multiprocessing import get_context

from apps.command.uninterrupted_processes import end_with_parent


def run():
    end_with_parent()
    print("ready", flush=True)
    time.sleep(3600)


if __name__ == "__main__":
    get_context("spawn").Process(target=run).start()
    time.sleep(3600)
"""


def test_a_process_ends_with_its_parent_even_if_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True, env=environment) as parent:
        assert parent.stdout.readline() == "ready\n"
        parent.kill()
        assert parent.stdout.read() == ""  # comes when the child, too, has closed it


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals here")
def test_even_the_first_process_does_not_see_ctrl_c_and_its_parent_does(tmp_path):
    script = tmp_path / "first_process.py"
    script.write_text(FIRST_PROCESS)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
    assert out.stdout == "SIGHUP SIGINT\n\n"
