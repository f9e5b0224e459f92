"""The line with which every benchmark begins: date, hardware, versions. Linux."""

import os
import platform
from datetime import datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import cv2

CORES = len(os.sched_getaffinity(0))  # that this process may use


def describe_environment(*packages: str) -> str:
    """Date, hardware and versions; of `packages`, those that are installed."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = [f"{name} {version(name)}" for name in ("numpy", *packages) if find_spec(name)]
    return (
        f"{datetime.now():%Y-%m-%d}; {processor}, {CORES} cores, {memory:.0f} GiB; {platform.system()}"
        f" {platform.release()}; Python {platform.python_version()}, OpenCV {cv2.__version__}, {', '.join(versions)}"
    )
