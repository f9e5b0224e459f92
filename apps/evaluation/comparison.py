"""Run and measure methods on pairs of photographs, and write what was measured."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache, partial
from pathlib import Path

from apps.evaluation.measures.panorama import SourcePair
from apps.evaluation.method_run import Limits, check_run_folder, run_method
from apps.evaluation.methods import StitchMethod
from apps.evaluation.output.folder import RESULTS, RESULTS_JSON
from apps.evaluation.scoring import COLUMNS, Row, bad_input, measure_difficulty, measured_row, prepare_pair
from apps.pair_folders import PairFiles
from apps.tables import write_csv
from stitching.errors import printable
from stitching.io.files import atomic_write


def compare_methods(
    pairs: Sequence[PairFiles], methods: Sequence[StitchMethod], output: Path, limits: Limits, again: bool
) -> list[Row]:
    """Run and measure what is not finished, pair by pair; results.csv and .json in `output` are written after each run.

    Args:
        pairs, methods: each method runs on each pair, in `output`/PAIR/METHOD.
        output: folder for the results.
        limits: of every run.
        again: run again what is finished.

    Returns:
        A row per pair and method, as `scoring.measured_row` and `measure_difficulty`. A pair with a picture or
        a ground truth that cannot be read has one row without a method: nothing ran on it.

    Raises:
        InputError: a file of a method cannot be read, or a folder in `output` holds something else than a run.
        JobError: the outputs cannot be stored.
    """
    for folder in (output / files.name / method.folder for files in pairs for method in methods):
        check_run_folder(folder)  # before any work
    rows: list[Row] = []
    for number, files in enumerate(pairs, start=1):
        if reason := bad_input(files):
            _log(f"[{number}/{len(pairs)}] {files.name}", f"bad pair, left out: {reason}")
            rows.append(dict.fromkeys(COLUMNS) | {"pair": files.name, "ok": False, "reason": f"bad pair: {reason}"})
            _write(rows, output)
            continue
        pair, difficulty = _prepared_once(files), measure_difficulty(files)
        for method in methods:
            folder = output / files.name / method.folder
            label = f"[{number}/{len(pairs)}] {files.name} {method.name}"
            status = run_method(method, files, folder, limits, again, partial(_log, label))
            rows.append(measured_row(files, method, folder, status, pair) | difficulty)
            _write(rows, output)
    return rows


def _write(rows: Sequence[Row], output: Path) -> None:
    write_csv(output / RESULTS, rows)
    with atomic_write(output / RESULTS_JSON) as path:
        path.write_text(json.dumps(rows, indent=1))


def _log(label: str, what: str) -> None:
    print(printable(f"{label}: {what}"), file=sys.stderr)


def _prepared_once(files: PairFiles) -> Callable[[], SourcePair]:
    return cache(lambda: prepare_pair(files))
