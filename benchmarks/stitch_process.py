"""What `parastitch stitch` costs as a whole process, beside OpenCV's Stitcher (mode PANORAMA) on the same pictures.

    python benchmarks/stitch_process.py [--sizes 0.5 2 12 50] [--pairs DIR] [--repeat 3]

Both read the same files and write a PNG, ours with alpha, OpenCV's without. They take turns, so that a busy
machine is as unfair to the one as to the other; the median of the runs counts. The pairs are made here
(`scene.py`) and written as JPEG, or lie in a folder as `parastitch evaluate` takes them. Linux.
"""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

import cv2
from scene import write_pair

from apps.evaluation.method_run import Limits, run_method
from apps.evaluation.methods import StitchMethod, find_methods
from apps.evaluation.timed_process import run_timed
from apps.pair_folders import PairFiles, find_pairs
from stitching.io.picture_reader import read_picture

TIMEOUT = 600.0  # s


def _stitch(reference: Path, target: Path, folder: Path) -> list[str]:
    program = [sys.executable, "-m", "apps.cli", "stitch", "--quiet"]
    return [*program, str(reference), str(target), "-o", str(folder / "pano.png")]


METHODS = (StitchMethod("parastitch", _stitch), *find_methods(["opencv-pano"], None))


@dataclass(frozen=True)
class Cost:
    """Of one method on one pair, medians over its runs.

    Attributes:
        cpu: user and system seconds with one thread.
        wall: seconds with all cores.
        peak: MiB with all cores.
        error: why there is no panorama; empty = there is one.
    """

    cpu: float
    wall: float
    peak: float
    error: str


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.5, 2, 12, 50], help="Mpx a picture")
    parser.add_argument("--pairs", type=Path, help="folder of real pairs, measured too")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each method on each pair")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled once, not every time
    cores = len(os.sched_getaffinity(0))
    print(describe_machine(cores))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(_start_up(folder, options.repeat))
        print(f"{'':26} | CPU s, one thread   | wall s, {cores} cores     | peak MiB")
        print(f"{'pair':20} {'Mpx':>5} |" + "  ours   peer  ratio |" * 3)
        rows = []
        for files in _pairs(options.sizes, options.pairs, folder):
            ours, peer = _measure(files, folder / "runs", options.repeat, cores)
            print(_row(files, ours, peer), flush=True)
            if not ours.error and not peer.error:
                rows.append((ours.cpu / peer.cpu, ours.wall / peer.wall, ours.peak / peer.peak))
    medians = [f"{median(column):.2f}" for column in zip(*rows, strict=True)]
    print(f"median ratio of the {len(rows)} pairs that both stitched: CPU, wall, peak = {', '.join(medians)}")


def describe_machine(cores: int) -> str:
    """Date, hardware and versions, one line."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    processor = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{datetime.now():%Y-%m-%d}; {processor}, {cores} cores, {memory:.0f} GiB; {platform.system()}"
        f" {platform.release()}; Python {platform.python_version()}, OpenCV {cv2.__version__},"
        f" numpy {version('numpy')}"
    )


def _start_up(folder: Path, repeat: int) -> str:
    """Wall seconds until the help is printed."""
    commands = {"parastitch --help": ["--help"], "parastitch stitch --help": ["stitch", "--help"]}
    texts = []
    for name, arguments in commands.items():
        command = [sys.executable, "-m", "apps.cli", *arguments]
        costs = [run_timed(command, folder / "log.txt", TIMEOUT, os.environ) for _ in range(repeat)]
        texts.append(f"{name}: {median(cost.seconds for cost in costs):.2f} s")
    return ", ".join(texts)


def _pairs(sizes: list[float], folder: Path | None, scratch: Path) -> Iterator[PairFiles]:
    for megapixels in sizes:
        yield write_pair(scratch / "pair", megapixels)
    if folder is not None:
        yield from find_pairs(folder)


def _measure(files: PairFiles, folder: Path, repeat: int, cores: int) -> tuple[Cost, Cost]:
    runs = [
        (method.name, threads, run_method(method, files, folder / method.name, Limits(threads, TIMEOUT), again=True))
        for _ in range(repeat)
        for threads in {1, cores}
        for method in METHODS
    ]

    def middle(name: str, threads: int, value: str) -> float:
        return median(float(getattr(status, value)) for n, t, status in runs if (n, t) == (name, threads))

    ours, peer = (
        Cost(
            middle(method.name, 1, "cpu_s"),
            middle(method.name, cores, "seconds"),
            middle(method.name, cores, "peak_mb"),
            next((status.error for n, _, status in runs if n == method.name and status.error), ""),
        )
        for method in METHODS
    )
    return ours, peer


def _row(files: PairFiles, ours: Cost, peer: Cost) -> str:
    width, height = read_picture(files.reference).size
    row = f"{files.name:20.20} {width * height / 1e6:5.1f} |"
    if ours.error or peer.error:
        return (
            f"{row} {ours.cpu:5.2f} {peer.cpu:6.2f}      - | "
            + (ours.error and f"ours: {ours.error}")
            + (peer.error and f"peer: {peer.error}")
        )
    for a, b, digits in ((ours.cpu, peer.cpu, 2), (ours.wall, peer.wall, 2), (ours.peak, peer.peak, 0)):
        row += f" {a:5.{digits}f} {b:6.{digits}f} {a / b:6.2f} |"
    return row


if __name__ == "__main__":
    main()
