"""What does `parastitch stitch` cost as a whole process, beside OpenCV's Stitcher (mode PANORAMA)?

    python benchmarks/stitch_process.py [--sizes 0.5 2 12 50] [--pairs DIR] [--repeat 3]

CPU seconds with one thread, wall seconds and peak memory with all cores, of both programs on the same pictures, and the
wall seconds until the help is printed. Both programs read the same files and write a PNG, ours with alpha, OpenCV's
without. They take turns, so that a busy machine slows both; the median of the runs counts. The pairs are synthetic
(`dead_leaves.py`), written as JPEG; --pairs adds a folder as `parastitch evaluate` takes it. Linux.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from dead_leaves import write_pair
from environment import CORES, describe_environment

from apps.evaluation.method_run import Limits, Status, run_method
from apps.evaluation.methods import StitchMethod, find_methods
from apps.evaluation.timed_process import run_timed
from apps.pair_folders import PairFiles, find_pairs
from stitching.io.picture_reader import read_picture

TIMEOUT = 600.0  # s


@dataclass(frozen=True)
class StitchCost:
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
    print(describe_environment("onnxruntime"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(_start_up(folder, options.repeat))
        print(f"{'':26} | CPU s, one thread   | wall s, {CORES} cores     | peak MiB")
        print(f"{'pair':20} {'Mpx':>5} |" + "  ours   peer  ratio |" * 3)
        ratios = []
        for files in _pairs(options.sizes, options.pairs, folder):
            ours, peer = _measure(files, folder / "runs", options.repeat)
            print(_row(files, ours, peer), flush=True)
            if not ours.error and not peer.error:
                ratios.append((ours.cpu / peer.cpu, ours.wall / peer.wall, ours.peak / peer.peak))
    medians = [f"{median(column):.2f}" for column in zip(*ratios, strict=True)]
    print(f"median ratio of the {len(ratios)} pairs that both stitched: CPU, wall, peak = {', '.join(medians)}")


def _start_up(folder: Path, repeat: int) -> str:
    """Wall seconds until the help is printed."""
    texts = []
    for arguments in (["--help"], ["stitch", "--help"]):
        command = [sys.executable, "-m", "apps.cli", *arguments]
        costs = [run_timed(command, folder / "log.txt", TIMEOUT, os.environ) for _ in range(repeat)]
        texts.append(f"parastitch {' '.join(arguments)}: {median(cost.seconds for cost in costs):.2f} s")
    return ", ".join(texts)


def _pairs(sizes: list[float], folder: Path | None, scratch: Path) -> Iterator[PairFiles]:
    for megapixels in sizes:
        yield write_pair(scratch / "pair", megapixels)
    if folder is not None:
        yield from find_pairs(folder)


def _parastitch(reference: Path, target: Path, folder: Path) -> list[str]:
    # Not the method of `parastitch evaluate`, which also writes warped pictures and the map.
    program = [sys.executable, "-m", "apps.cli", "stitch", "--quiet"]
    return [*program, str(reference), str(target), "-o", str(folder / "pano.png")]


def _measure(files: PairFiles, folder: Path, repeat: int) -> tuple[StitchCost, StitchCost]:
    """Of ours and of the peer."""

    def run(method: StitchMethod, threads: int) -> Status:
        limits = Limits(threads, TIMEOUT)
        return run_method(method, files, folder / method.name, limits, again=True, report=lambda _: None)

    methods = StitchMethod("parastitch", _parastitch), *find_methods(["opencv-pano"], None)
    runs = [
        (method.name, threads, run(method, threads))
        for _ in range(repeat)
        for threads in {1, CORES}
        for method in methods
    ]

    def cost(name: str) -> StitchCost:
        single, parallel = ([run for n, t, run in runs if (n, t) == (name, threads)] for threads in (1, CORES))
        return StitchCost(
            cpu=median(run.cpu_s for run in single),
            wall=median(run.seconds for run in parallel),
            peak=median(run.peak_mb for run in parallel),
            error=next((run.error for run in (*single, *parallel) if run.error), ""),
        )

    ours, peer = (cost(method.name) for method in methods)
    return ours, peer


def _row(files: PairFiles, ours: StitchCost, peer: StitchCost) -> str:
    width, height = read_picture(files.reference).size
    row = f"{files.name:20.20} {width * height / 1e6:5.1f} |"
    if ours.error or peer.error:
        errors = [f"{name}: {cost.error}" for name, cost in (("ours", ours), ("peer", peer)) if cost.error]
        return f"{row} {ours.cpu:5.2f} {peer.cpu:6.2f}      - | {'; '.join(errors)}"
    for a, b, digits in ((ours.cpu, peer.cpu, 2), (ours.wall, peer.wall, 2), (ours.peak, peer.peak, 0)):
        row += f" {a:5.{digits}f} {b:6.{digits}f} {a / b:6.2f} |"
    return row


if __name__ == "__main__":
    main()
