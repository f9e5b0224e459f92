"""Panoramas of sets of pictures, of `parastitch stitch` and of other stitchers: what they use, cost, and look like.

    python benchmarks/many_pictures.py SETS -o OUT [--methods NAME NAME] [--openstitching-python PYTHON] [--least 3]

SETS holds a folder of pictures for each set. Each method runs once on each set, in a process of its own with one
thread, and leaves its panorama and its log in OUT/SET/. Columns: pictures that the method says it used, CPU seconds,
peak memory of its largest process, size of the panorama, and `rim`, the mean step of brightness in grey levels where a
picture ends inside the panorama (docs/evaluate.md), over all pairs of pictures that are found in it; "-" where none can
be measured. A process may take 8 GiB of address space: some build endless panoramas. Linux.
"""

import argparse
import json
import os
import re
import resource
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from environment import describe_environment
from numpy.typing import NDArray

from apps.evaluation.measures.feature_view import FeatureView, make_view
from apps.evaluation.measures.panorama import SIDE
from apps.evaluation.measures.registration import Registration, register
from apps.evaluation.measures.rim import measure_rims
from apps.evaluation.timed_process import ProcessCost, run_timed
from apps.pair_folders import SUFFIXES

TIMEOUT = 900.0  # s
MAX_MEMORY = 8 << 30  # bytes, of a process
THREADS = dict.fromkeys(("OPENCV_FOR_THREADS_NUM", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
OPENSTITCHING = """
import sys, cv2, stitching
stitcher = getattr(stitching, sys.argv[1])(crop=False)
panorama = stitcher.stitch(sys.argv[2:-1])
print("pictures used:", len(stitcher.images.names))
cv2.imwrite(sys.argv[-1], panorama)
"""

Command = Callable[[list[str], str], list[str]]  # pictures and the panorama's file -> program and arguments


@dataclass(frozen=True)
class Row:
    """What a method did with a set. `used` None: there is no panorama, or the method does not say it."""

    used: int | None
    cost: ProcessCost
    panorama: NDArray[np.uint8] | None
    error: str


def main() -> None:
    """Measure and print; see the top of this file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("sets", type=Path, help="folder of folders of pictures")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for panoramas and logs")
    parser.add_argument("--methods", nargs="+", default=["parastitch", "opencv-pano", "opencv-scans"], help="which")
    parser.add_argument("--openstitching-python", help="of an environment with the package `stitching`")
    parser.add_argument("--least", type=int, default=3, help="pictures that a set must have")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))  # of this process and those that it starts
    commands = commands_of(options.openstitching_python)
    print(describe_environment("onnxruntime"))
    print(f"{'set':22} {'pictures':>8} {'method':20} {'used':>4} {'CPU s':>7} {'MiB':>6} {'panorama':>13} {'rim':>6}")
    for folder in sorted(path for path in options.sets.iterdir() if path.is_dir()):
        pictures = pictures_in(folder)
        for name in options.methods if len(pictures) >= options.least else ():
            row = run(commands[name], pictures, options.output / folder.name, name)
            print(in_words(folder.name, pictures, name, row), flush=True)


def commands_of(openstitching_python: str | None) -> dict[str, Command]:
    """All methods by name."""

    def own(pictures: list[str], panorama: str) -> list[str]:
        program = [sys.executable, "-m", "apps.cli", "stitch", "--no-config"]
        return [*program, *pictures, "-o", panorama, "--json", "--quiet"]

    def opencv(mode: str) -> Command:
        program = [sys.executable, "-m", "apps.evaluation.programs.opencv", mode]
        return lambda pictures, panorama: [*program, *pictures, panorama]

    def openstitching(kind: str) -> Command:
        program = [openstitching_python or "python", "-I", "-u", "-c", OPENSTITCHING, kind]
        return lambda pictures, panorama: [*program, *pictures, panorama]

    return {
        "parastitch": own, "opencv-pano": opencv("panorama"), "opencv-scans": opencv("scans"),
        "openstitching": openstitching("Stitcher"), "openstitching-affine": openstitching("AffineStitcher"),
    }  # fmt: skip


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a set, in the order of their names."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)


def run(command: Command, pictures: list[Path], folder: Path, name: str) -> Row:
    """Stitch a set with one method."""
    folder.mkdir(parents=True, exist_ok=True)
    output, log = folder.resolve() / f"{name}.png", folder / f"{name}.txt"
    output.unlink(missing_ok=True)
    words = command([str(picture.resolve()) for picture in pictures], str(output))
    cost = run_timed(words, log, TIMEOUT, os.environ | THREADS)
    said = log.read_text(errors="replace")
    panorama = cv2.imread(str(output)) if cost.exit_code == 0 else None
    if panorama is None:
        last = (said.strip().splitlines() or [f"exit code {cost.exit_code}"])[-1]
        return Row(None, cost, None, "took too long" if cost.timed_out else last[:100])
    return Row(pictures_used(said), cost, np.asarray(panorama, np.uint8), "")


def pictures_used(said: str) -> int | None:
    """How many pictures the panorama shows, from what a program printed: our summary as JSON, or a line of its own."""
    if found := re.search(r"pictures used: (\d+)", said):
        return int(found[1])
    start, end = said.find("{"), said.rfind("}")
    return len(json.loads(said[start : end + 1])["pictures"]) if 0 <= start < end else None


def in_words(set_name: str, pictures: list[Path], name: str, row: Row) -> str:
    """A line of the table."""
    line = f"{set_name:22.22} {len(pictures):8} {name:20} {'-' if row.used is None else row.used:>4}"
    line += f" {row.cost.cpu_seconds:7.1f} {row.cost.peak_mb:6.0f}"
    if row.panorama is None:
        return f"{line} {'failed':>13} {'-':>6} {row.error}"
    height, width = row.panorama.shape[:2]
    rim = rim_of(row.panorama, pictures)
    return f"{line} {f'{width} x {height}':>13} {'-' if rim is None else f'{rim:.2f}':>6}"


def rim_of(panorama: NDArray[np.uint8], pictures: list[Path]) -> float | None:
    """Mean step where one picture ends and another one goes on; None where that is nowhere measured."""
    read = [np.asarray(cv2.imread(str(picture)), np.uint8) for picture in pictures]
    scale = SIDE / max(read[0].shape[:2])
    sources = [make_view(resized(picture, scale)) for picture in read]
    view = make_view(resized(panorama, scale), resized((panorama.max(axis=2) > 0).astype(np.uint8), scale))
    diagonal = float(np.hypot(*sources[0].pixels.shape[:2]))
    found = [(source, place) for source in sources if (place := register(view, source, diagonal))]
    steps = [rim for i, one in enumerate(found) for other in found[:i] if (rim := rim_between(view, one, other))]
    return fmean(steps) if steps else None


def rim_between(
    view: FeatureView, one: tuple[FeatureView, Registration], other: tuple[FeatureView, Registration]
) -> float | None:
    """The mean step where one of two pictures ends and the other one goes on."""
    return measure_rims(view, (one[0], other[0]), (one[1], other[1]))["rim"]


def resized(picture: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    """A picture, made smaller."""
    return np.asarray(cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA), np.uint8)


if __name__ == "__main__":
    main()
