"""Arrays that follow each other share their memory."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from apps.command.freed_memory import keep_freed_memory
keep_freed_memory()
for _ in range(3): [np.ones(1_000_000) for _ in range(10)]
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5): [np.ones(1_000_000) for _ in range(10)]
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the allocator of glibc")
def test_an_array_takes_the_memory_of_the_one_before_it():
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 1000  # pages; 5 times 80 MB are 100,000
