"""`parastitch evaluate`: run methods over a folder of pairs and measure what they make of it."""

import csv
import json
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import cv2
import tyro
from rich.console import Console
from rich.table import Table

from apps.evaluation.contact_sheet import write_sheets
from apps.evaluation.method_run import Limits, run_method
from apps.evaluation.peers import OPENSTITCHING_VARIABLE, Method, find_methods
from apps.evaluation.scoring import Row, Value, measured_row, prepare_pair
from apps.pair_folders import PairFiles, find_pairs
from datasets.storage.records import DESCRIPTION
from stitching.errors import InputError
from stitching.io.files import replacing

DEFAULT_METHODS = ("classical", "homography", "opencv-pano", "opencv-scans")
DEFAULT_WARPS = ("homography", "classical")  # on a generated data set

_HEADINGS = {  # column of the printed table: column of the rows, decimals
    "s": ("seconds", 1),
    "cpu s": ("cpu_seconds", 1),
    "MB": ("peak_mb", 0),
    "kept ref": ("kept_reference", 3),
    "kept tgt": ("kept_target", 3),
    "kept new": ("kept_new", 3),
    "ghost": ("ghost", 3),
    "seam": ("seam", 3),
    "stretch": ("stretch_target", 2),
    "overlap": ("overlap", 2),
    "PSNR": ("psnr_fitted", 2),
    "SSIM": ("ssim_fitted", 3),
    "UDIS PSNR": ("udis_psnr", 2),
    "UDIS SSIM": ("udis_ssim", 3),
    "EPE": ("epe", 2),
    "> 3 px": ("epe_over_3", 3),
}


def evaluate(
    pairs: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    methods: tuple[str, ...] = DEFAULT_METHODS,
    limit: int | None = None,
    again: bool = False,
    threads: int = 1,
    timeout: float = 600.0,
    openstitching_python: str | None = None,
    blends: tuple[str, ...] = (),
) -> None:
    """Run stitching methods on a folder of picture pairs, measure and compare them.

    Writes OUTPUT/PAIR/METHOD/, OUTPUT/results.csv and .json with a row per pair and method, contact sheets in
    OUTPUT/sheets/, and prints medians. What is finished is not run again. docs/evaluate.md explains every
    column. On a data set that `parastitch generate` wrote, warps and blends are measured against its exact truth
    instead: OUTPUT/truth.csv.

    Args:
        pairs: folder with NAME/1.jpg and NAME/2.jpg (NAME/gt.npz: ground truth), or with input1/NAME.jpg and
            input2/NAME.jpg as in UDIS-D. 1 is the reference.
        output: folder for the results; made if need be.
        methods: some of auto, classical, network, sigmo, homography, opencv-pano, opencv-scans, hugin, openstitching.
            One that is not installed is skipped. On a generated data set: warps, of homography, classical,
            planar, network[:FILE], pwm[:FILE], ptlflow:MODEL[:FILE]; each also with +dis, a last dense inverse search.
        limit: only the first so many pairs.
        again: run again what is finished.
        threads: that each method may use.
        timeout: seconds after which a run counts as failed.
        openstitching_python: interpreter of the environment that holds the PyPI package "stitching"; default:
            the environment variable PARASTITCH_OPENSTITCHING_PYTHON.
        blends: on a generated data set, of seam and network[:FILE]; each blends every warp.
    """
    _check(limit, threads, timeout)
    if (pairs / DESCRIPTION).exists():
        warps = DEFAULT_WARPS if methods == DEFAULT_METHODS else methods
        _evaluate_truth(pairs, output, warps, blends, limit, threads)
        return
    if blends:
        raise InputError(f"--blends: expected a data set that `parastitch generate` wrote, which {pairs} is not")
    found = find_pairs(pairs, limit)
    installed = _installed(methods, openstitching_python or os.environ.get(OPENSTITCHING_VARIABLE))
    rows: list[Row] = []
    for row in _rows(found, installed, output, Limits(threads, timeout), again):
        rows.append(row)
        _write_results(rows, output)  # after each, so that a look at them need not wait for the last
    write_sheets(found, [method.name for method in installed], rows, output)
    _print_medians(rows, installed)
    print(f"written: {output / 'results.csv'}, {output / 'results.json'}, {output / 'sheets'}")


def _evaluate_truth(
    folder: Path, output: Path, warps: Sequence[str], blends: Sequence[str], limit: int | None, threads: int
) -> None:
    if find_spec("torch") is None:
        raise InputError("a generated data set is read with torch: pip install 'parastitch[generate]'")
    import torch

    from apps.evaluation.truth_evaluation import evaluate_truth, tables

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    for title, lines in tables(evaluate_truth(folder, output, warps, blends, limit)).items():
        print(f"\nMeans, {title}:")
        _print_table(lines)
    print(f"written: {output / 'truth.csv'}")


def _check(limit: int | None, threads: int, timeout: float) -> None:
    if not hasattr(os, "wait4"):
        raise InputError(f"evaluate needs Linux or macOS to measure what a process costs; this is {sys.platform}")
    for name, value in (("--limit", limit), ("--threads", threads), ("--timeout", timeout)):
        if value is not None and value <= 0:
            raise InputError(f"{name} {value}: expected a number above 0")


def _installed(names: Sequence[str], openstitching_python: str | None) -> list[Method]:
    chosen = find_methods(names, openstitching_python)
    for method in chosen:
        if method.missing:
            print(f"{method.name}: skipped, {method.missing}", file=sys.stderr)
    installed = [method for method in chosen if not method.missing]
    if not installed:
        raise InputError("no method to run: name some with --methods, or install what is missing")
    return installed


def _rows(
    pairs: Sequence[PairFiles], methods: Sequence[Method], output: Path, limits: Limits, again: bool
) -> Iterator[Row]:
    """Run and measure what is not finished, pair by pair."""
    for number, files in enumerate(pairs, start=1):
        pair = cache(partial(prepare_pair, files))
        for method in methods:
            print(f"[{number}/{len(pairs)}] {files.name} {method.name}", file=sys.stderr)
            folder = output / files.name / method.name
            status = run_method(method, files, folder, limits, again)
            yield measured_row(files, method, folder, status, pair)


def _write_results(rows: Sequence[Row], output: Path) -> None:
    with replacing(output / "results.csv") as path, path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    with replacing(output / "results.json") as path:
        path.write_text(json.dumps(rows, indent=1))


def _print_medians(rows: Sequence[Row], methods: Sequence[Method]) -> None:
    """Medians over the pairs that a method stitched."""
    table = [["method", "pairs", "failed", "good", *_HEADINGS]]
    for method in methods:
        mine = [row for row in rows if row["method"] == method.name]
        stitched = [row for row in mine if row["ok"]]
        failed = sum(not row["ok"] or bool(row["blown_up"]) for row in mine)
        counts = (len(mine), failed, sum(bool(row["good"]) for row in mine))
        medians = (_median([row[key] for row in stitched], places) for key, places in _HEADINGS.values())
        table.append([method.name, *map(str, counts), *medians])
    print("Medians over the pairs that each method stitched:")
    _print_table(table)


def _print_table(table: Sequence[Sequence[str]]) -> None:
    """A table on a terminal, aligned text elsewhere."""
    if sys.stdout.isatty():
        _print_rich(table)
        return
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (text.rjust(width) for text, width in zip(line[1:], widths[1:], strict=True))
        print("  ".join((line[0].ljust(widths[0]), *cells)))


def _median(values: Sequence[Value], places: int) -> str:
    numbers = [float(value) for value in values if value is not None]
    return f"{statistics.median(numbers):.{places}f}" if numbers else "-"


def _print_rich(table: Sequence[Sequence[str]]) -> None:
    pretty = Table()
    for number, heading in enumerate(table[0]):
        pretty.add_column(heading, justify="right" if number else "left")
    for line in table[1:]:
        pretty.add_row(*line)
    Console().print(pretty)
