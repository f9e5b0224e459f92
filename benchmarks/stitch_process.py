"""What does `parastitch stitch` cost as a whole process, beside OpenCV's Stitcher (mode PANORAMA)?

    python benchmarks/stitch_process.py [--sizes 0.2 0.5 0.8 2 12 50] [--pairs DIR] [--repeat 3]

CPU seconds with one thread, wall seconds and peak memory with all cores, of both programs on the same pictures, the CPU
seconds of `--warp classical`, and the wall seconds until the help is printed. Both programs read the same files and
write a PNG, ours with alpha, OpenCV's without. All take turns, so that a busy machine slows all; the median of the
runs counts. The pairs are synthetic (`dead_leaves.py`), written as JPEG; --pairs adds a folder as `parastitch evaluate`
takes it. Linux.
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
CLASSES = ("up to 1", 0.0, 1.0), ("1 to 8", 1.0, 8.0), ("8 to 20", 8.0, 20.0), ("above 20", 20.0, float("inf"))  # Mpx


@dataclass(frozen=True)
class StitchCost:
    """Of one method on one pair, medians over its runs.

    Attributes:
        cpu: user and system seconds with one thread.
        wall: seconds with all cores; 0 where not measured.
        peak: MiB with all cores; 0 where not measured.
        error: why there is no panorama; empty = there is one.
    """

    cpu: float
    wall: float
    peak: float
    error: str


@dataclass(frozen=True)
class PairCost:
    """Of a pair whose reference has so many megapixels: our default, our classical warp, the peer."""

    megapixels: float
    ours: StitchCost
    classical: StitchCost
    peer: StitchCost


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=float, nargs="*", default=[0.2, 0.5, 0.8, 2, 12, 50], help="Mpx a picture")
    parser.add_argument("--pairs", type=Path, help="folder of real pairs, measured too")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each method on each pair")
    options = parser.parse_args()
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled once, not every time
    print(describe_environment("onnxruntime"))
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        print(_start_up(folder, options.repeat))
        print(f"{'':26} | CPU s, one thread   | wall s, {CORES} cores     | peak MiB            | CPU s, one thread")
        print(f"{'pair':20} {'Mpx':>5} |" + "  ours   peer  ratio |" * 3 + " classical ratio")
        costs = []
        for files in _pairs(options.sizes, options.pairs, folder):
            cost = _measure(files, folder / "runs", options.repeat)
            print(_row(files, cost), flush=True)
            costs.append(cost)
    for name, low, high in CLASSES:
        _print_ratios(name, [cost for cost in costs if low < cost.megapixels <= high])


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
    program = [sys.executable, "-m", "apps.cli", "stitch", "--no-config", "--quiet"]
    return [*program, str(reference), str(target), "-o", str(folder / "pano.png")]


def _classical(reference: Path, target: Path, folder: Path) -> list[str]:
    return [*_parastitch(reference, target, folder), "--warp", "classical"]


def _measure(files: PairFiles, folder: Path, repeat: int) -> PairCost:
    def run(method: StitchMethod, threads: int) -> Status:
        limits = Limits(threads, TIMEOUT)
        return run_method(method, files, folder / method.name, limits, again=True, report=lambda _: None)

    ours, classical = StitchMethod("parastitch", _parastitch), StitchMethod("classical", _classical)
    (peer,) = find_methods(["opencv-pano"], None)
    jobs = [(ours, 1), (classical, 1), (peer, 1), (ours, CORES), (peer, CORES)]
    runs = [(method.name, threads, run(method, threads)) for _ in range(repeat) for method, threads in jobs]

    def cost(name: str) -> StitchCost:
        single, parallel = ([run for n, t, run in runs if (n, t) == (name, threads)] for threads in (1, CORES))
        return StitchCost(
            cpu=median(run.cpu_s for run in single),
            wall=median(run.seconds for run in parallel) if parallel else 0.0,
            peak=median(run.peak_mb for run in parallel) if parallel else 0.0,
            error=next((run.error for run in (*single, *parallel) if run.error), ""),
        )

    width, height = read_picture(files.reference).size
    return PairCost(width * height / 1e6, cost(ours.name), cost(classical.name), cost(peer.name))


def _row(files: PairFiles, cost: PairCost) -> str:
    ours, peer = cost.ours, cost.peer
    row = f"{files.name:20.20} {cost.megapixels:5.1f} |"
    if ours.error or peer.error:
        errors = [f"{name}: {cost.error}" for name, cost in (("ours", ours), ("peer", peer)) if cost.error]
        return f"{row} {ours.cpu:5.2f} {peer.cpu:6.2f}      - | {'; '.join(errors)}"
    for a, b, digits in ((ours.cpu, peer.cpu, 2), (ours.wall, peer.wall, 2), (ours.peak, peer.peak, 0)):
        row += f" {a:5.{digits}f} {b:6.{digits}f} {a / b:6.2f} |"
    return f"{row} {cost.classical.cpu:9.2f} {ours.cpu / cost.classical.cpu:5.2f}"


def _print_ratios(name: str, costs: list[PairCost]) -> None:
    """Median ratios of a class of sizes to the peer, and the worst one to the classical warp."""
    both = [cost for cost in costs if not cost.ours.error and not cost.peer.error]
    if both:
        names = ("cpu", "wall", "peak")
        ratios = (median(getattr(cost.ours, key) / getattr(cost.peer, key) for cost in both) for key in names)
        words = ", ".join(f"{key} {ratio:.2f}" for key, ratio in zip(names, ratios, strict=True))
        print(f"{name} Mpx, median ratio to the peer on the {len(both)} pairs that both stitched: {words}")
    done = [cost for cost in costs if not cost.ours.error and not cost.classical.error]
    if done:
        worst = max(cost.ours.cpu / cost.classical.cpu for cost in done)
        print(f"{name} Mpx, {len(done)} pairs: at most {worst:.2f} times the CPU of --warp classical")


if __name__ == "__main__":
    main()
