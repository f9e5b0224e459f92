"""The folder that an evaluation writes to: nothing in it may be an input, or of anything but an evaluation."""

import os
from collections.abc import Iterable
from pathlib import Path

from apps.evaluation.warp_methods import DIS
from stitching.errors import InputError
from stitching.io.file_conflicts import check_links, check_outputs, named_weights
from stitching.io.files import check_folder, check_writable

RESULTS, RESULTS_JSON = "results.csv", "results.json"  # of photographs
TRUTH = "truth.csv"  # of a generated data set
TABLES = "tables.md"
SHEETS = "sheets"

_BEGINNINGS = {RESULTS: b"pair,method,", TRUTH: b"sample,warp,"}  # of the first files that an evaluation writes


def check_output_folder(output: Path, pairs: Path, methods: Iterable[str]) -> None:
    """Raise InputError where an evaluation would overwrite its pairs, its weights or files of none, or cannot write.

    methods: names of warps and blends, with the weights that they hold.
    """
    given = ("PAIRS", pairs)
    check_outputs([("OUTPUT", output)], [given])
    check_folder(output)
    sheets = [f"{SHEETS}/{path.name}" for path in (output / SHEETS).glob("[0-9][0-9][0-9].jpg")]
    files = [RESULTS, TRUTH, RESULTS_JSON, TABLES, *sheets]
    check_links(("OUTPUT", output), [SHEETS, *files], [given])
    weights = [path for name in methods for path in named_weights(name, name.removesuffix(DIS))]
    check_outputs([("OUTPUT", output / name) for name in files], weights)
    found = [name for name in files if os.path.lexists(output / name)]
    own = [name for name in found if name in _BEGINNINGS and _begins(output / name, _BEGINNINGS[name])]
    foreign = [name for name in found if name not in own and (name in _BEGINNINGS or not own)]
    if foreign:
        raise InputError(f"{output / foreign[0]} is of no evaluation: choose another output folder, or move it away")
    check_folder(output / SHEETS)
    for name in found:
        check_writable(output / name)


def _begins(path: Path, beginning: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(beginning)) == beginning
