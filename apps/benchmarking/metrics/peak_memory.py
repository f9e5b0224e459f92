"""The peak memory of a training."""

from contextlib import suppress
from pathlib import Path

import torch

_STATUS, _RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def reset_peak(device: torch.device) -> None:
    """Measure from here on, where the system allows it; else from the start of the process."""
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return
    with suppress(OSError):
        _RESET.write_text("5")  # Linux: resets the peak of the resident memory


def read_peak(device: torch.device) -> float:
    """MiB: what torch allocated on the GPU, or the resident memory of this process, at its peak."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    with suppress(OSError):  # not ru_maxrss, which starts at the peak of the parent process
        (line,) = (line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM"))
        return float(line.split()[1]) / 2**10
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes
