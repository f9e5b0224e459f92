"""`parastitch evaluate`: run methods over a folder of pairs and measure what they make of it."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import cv2
import tyro

from apps.evaluation.comparison import compare_methods
from apps.evaluation.method_run import Limits
from apps.evaluation.methods import OPENSTITCHING_VARIABLE, StitchMethod, find_methods
from apps.evaluation.output.contact_sheet import write_sheets
from apps.evaluation.output.folder import RESULTS, RESULTS_JSON, SHEETS, TABLES, TRUTH, check_output_folder
from apps.evaluation.output.photograph_tables import photograph_tables
from apps.evaluation.output.result_tables import ResultTable
from apps.evaluation.output.truth_tables import truth_tables
from apps.evaluation.scoring import Row
from apps.pair_folders import find_pairs
from apps.tables import markdown, print_table
from datasets.storage.description import DESCRIPTION
from stitching.errors import InputError, printable, require
from stitching.io.files import atomic_write

DEFAULT_METHODS = ("classical", "homography", "opencv-pano", "opencv-scans")
DEFAULT_WARPS = ("homography", "classical")  # on a generated data set


def evaluate_command(
    pairs: tyro.conf.Positional[Path],
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])],
    methods: tuple[str, ...] = (),
    limit: int | None = None,
    again: bool = False,
    threads: int = 1,
    timeout: float = 600.0,
    openstitching_python: str | None = None,
    blends: tuple[str, ...] = (),
    long: bool = False,
) -> None:
    """Run stitching methods on a folder of picture pairs, measure and compare them.

    Writes OUTPUT/PAIR/METHOD/, OUTPUT/results.csv and .json with a row per pair and method, contact sheets in
    OUTPUT/sheets/, and tables in OUTPUT/tables.md, and prints short tables. What would end in the same way as before is
    not run again.
    docs/evaluate.md explains every column. On a data set that `parastitch generate` wrote, warps and blends are
    measured against its exact truth instead: OUTPUT/truth.csv.

    Args:
        pairs: folder with NAME/1.jpg and NAME/2.jpg (NAME/gt.npz or NAME/matches.npz: ground truth), or with
            input1/NAME.jpg and input2/NAME.jpg as in UDIS-D. 1 is the reference.
        output: folder for the results; created where it is missing.
        methods: warps, of classical, homography, planar, matches[:WEIGHTS], pwm[:WEIGHTS], ptlflow:MODEL[:FILE], each
            also with +dis, a last dense inverse search. On photographs also auto, sigmo[:WEIGHTS], opencv-pano,
            opencv-scans, hugin, openstitching; one that is not installed is skipped. Default: classical, homography,
            and on photographs opencv-pano and opencv-scans.
        limit: only the first so many pairs.
        again: run again what is finished.
        threads: that each method may use.
        timeout: seconds after which a run counts as failed.
        openstitching_python: interpreter of the environment that holds the PyPI package "stitching"; default:
            the environment variable PARASTITCH_OPENSTITCHING_PYTHON.
        blends: on a generated data set, of seam and network[:WEIGHTS]; each blends every warp.
        long: print the long tables, which OUTPUT/tables.md holds in any case.
    """
    _check(limit, threads, timeout)
    check_output_folder(output, pairs, (*methods, *blends))
    if (pairs / DESCRIPTION).exists():
        rows = _evaluate_truth(pairs, output, methods or DEFAULT_WARPS, blends, limit, threads)
        _report(truth_tables(rows, long=long), truth_tables(rows, long=True), output)
        _tell_written(output, (TRUTH, TABLES))
        return
    if blends:
        raise InputError(f"--blends: expected a data set that `parastitch generate` wrote, which {pairs} is not")
    found = find_pairs(pairs, limit)
    python = openstitching_python or os.environ.get(OPENSTITCHING_VARIABLE)
    installed = _installed(methods or DEFAULT_METHODS, python)
    rows = compare_methods(found, installed, output, Limits(threads, timeout), again)
    measured = [row for row in rows if row["method"]]
    if not measured:
        raise InputError(f"{pairs}: no pair can be read; {rows[0]['reason']}")
    names = {row["pair"] for row in measured}
    write_sheets([files for files in found if files.name in names], installed, measured, output)
    _report(photograph_tables(measured, long=long), photograph_tables(measured, long=True), output)
    if len(names) < len(found):
        count = f"{len(found) - len(names)} of {len(found)} pairs"
        print(f"left out: {count}, whose pictures or ground truth cannot be read, see {RESULTS}")
    _tell_written(output, (RESULTS, RESULTS_JSON, TABLES, SHEETS))


def _evaluate_truth(
    folder: Path, output: Path, warps: Sequence[str], blends: Sequence[str], limit: int | None, threads: int
) -> list[Row]:
    if find_spec("torch") is None:
        raise InputError("a generated data set is read with torch: pip install 'parastitch[generate]'")
    import torch

    from apps.evaluation.truth_evaluation import evaluate_truth

    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    return evaluate_truth(folder, output, warps, blends, limit)


def _report(tables: Mapping[str, ResultTable], long_tables: Mapping[str, ResultTable], output: Path) -> None:
    """Print the tables, and write the long ones as Markdown."""
    for title, table in tables.items():
        print(f"\n{title}:")
        print_table(table.rows, table.best)
    parts = [f"{title}:\n\n{markdown(table.rows, table.best)}\n" for title, table in long_tables.items()]
    with atomic_write(output / TABLES) as path:
        path.write_text("\n".join(parts))


def _tell_written(output: Path, names: Sequence[str]) -> None:
    print(printable("written: " + ", ".join(str(output / name) for name in names)))


def _check(limit: int | None, threads: int, timeout: float) -> None:
    if not hasattr(os, "wait4"):
        raise InputError(f"evaluate needs Linux or macOS to measure what a process costs; this is {sys.platform}")
    for name, value in (("--limit", limit), ("--threads", threads), ("--timeout", timeout)):
        require(value is None or value > 0, f"{name} {value}", "a number above 0")


def _installed(names: Sequence[str], openstitching_python: str | None) -> list[StitchMethod]:
    methods = find_methods(names, openstitching_python)
    for method in methods:
        if method.missing:
            print(printable(f"{method.name}: skipped, {method.missing}"), file=sys.stderr)
    installed = [method for method in methods if not method.missing]
    if not installed:
        raise InputError("no method to run: name some with --methods, or install what is missing")
    return installed
