"""Run and measure methods on pairs of photographs, write what was measured, and compare the methods by medians."""

import json
import statistics
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from apps.evaluation.measures.panorama import SourcePair
from apps.evaluation.method_run import Limits, run_method
from apps.evaluation.methods import StitchMethod
from apps.evaluation.scoring import Row, Value, measured_row, prepare_pair
from apps.pair_folders import PairFiles
from apps.tables import MISSING, write_csv
from stitching.io.files import atomic_write

_HEADINGS = {  # column of the printed table: column of the rows, decimals
    "s": ("seconds", 1), "cpu s": ("cpu_seconds", 1), "MB": ("peak_mb", 0), "kept ref": ("kept_reference", 3),
    "kept tgt": ("kept_target", 3), "kept new": ("kept_new", 3), "ghost": ("ghost", 3), "seam": ("seam", 3),
    "stretch": ("stretch_target", 2), "overlap": ("overlap", 2), "PSNR": ("psnr_fitted", 2), "SSIM": ("ssim_fitted", 3),
    "UDIS PSNR": ("udis_psnr", 2), "UDIS SSIM": ("udis_ssim", 3), "EPE": ("epe", 2), "> 3 px": ("epe_over_3", 3),
}  # fmt: skip


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
        A row per pair and method, as `scoring.measured_row`.
    """
    rows: list[Row] = []
    for number, files in enumerate(pairs, start=1):
        pair = _prepared_once(files)
        for method in methods:
            print(f"[{number}/{len(pairs)}] {files.name} {method.name}", file=sys.stderr)
            folder = output / files.name / method.name
            status = run_method(method, files, folder, limits, again)
            rows.append(measured_row(files, method, folder, status, pair))
            write_csv(output / "results.csv", rows)
            with atomic_write(output / "results.json") as path:
                path.write_text(json.dumps(rows, indent=1))
    return rows


def medians(rows: Sequence[Row], methods: Sequence[str]) -> list[list[str]]:
    """A table, headings first: for every method the medians over the pairs that it stitched."""
    table = [["method", "pairs", "failed", "good", *_HEADINGS]]
    for method in methods:
        of_method = [row for row in rows if row["method"] == method]
        stitched = [row for row in of_method if row["ok"]]
        failed = sum(not row["ok"] or bool(row["blown_up"]) for row in of_method)
        counts = (len(of_method), failed, sum(bool(row["good"]) for row in of_method))
        cells = (_median([row[key] for row in stitched], decimals) for key, decimals in _HEADINGS.values())
        table.append([method, *map(str, counts), *cells])
    return table


def _prepared_once(files: PairFiles) -> Callable[[], SourcePair]:
    return cache(lambda: prepare_pair(files))


def _median(values: Sequence[Value], decimals: int) -> str:
    known = [float(value) for value in values if value is not None]
    return f"{statistics.median(known):.{decimals}f}" if known else MISSING
