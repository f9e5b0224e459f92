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


@pytest.mark.skipif(not hasattr(signal, "pthread_sigmask"), reason="no masks of signals here")
def test_even_the_first_process_does_not_see_ctrl_c_and_its_parent_does(tmp_path):
    script = tmp_path / "first_process.py"
    script.write_text(FIRST_PROCESS)
    environment = {"PYTHONPATH": ":".join(sys.path)}
    out = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True, env=environment)
    assert out.stdout == "SIGHUP SIGINT\n\n"
