"""One finished run of one method on one pair, read from its folder and measured."""

import json
from collections.abc import Callable
from dataclasses import asdict, fields
from pathlib import Path

import cv2
import numpy as np

from apps.evaluation.digests import MEASURING, Facts, library_digest
from apps.evaluation.measures.overlap import OverlapMeasures, measure_overlap
from apps.evaluation.measures.panorama import PanoramaMeasures, SourcePair, measure_panorama, prepare
from apps.evaluation.measures.photographed_warp import WarpErrors, measure_warp, parallax_of
from apps.evaluation.measures.shown_twice import ShownTarget, shown_twice
from apps.evaluation.method_run import Status
from apps.evaluation.methods import StitchMethod
from apps.evaluation.true_places import read_places
from apps.pair_folders import PairFiles
from datasets.digests import code_digest, file_digest
from stitching.errors import InputError
from stitching.io.files import atomic_write
from stitching.io.levels import pair_levels
from stitching.io.npz_file import ArrayForm, read_arrays
from stitching.io.picture import Levels, to_8_bit
from stitching.io.picture_reader import read_picture
from stitching.io.warp_file import MAX_BYTES, load_warp

Value = str | int | float | bool | None
Row = dict[str, Value]  # of a table of results, by column

_KINDS = (PanoramaMeasures, OverlapMeasures, WarpErrors)
_MEASURED = ("good", "reason", *(f.name for kind in _KINDS for f in fields(kind) if f.name != "reason"), "twice")
COLUMNS = ("pair", "method", "ok", *_MEASURED[:2], "seconds", "cpu_seconds", "peak_mb", *_MEASURED[2:])


def prepare_pair(files: PairFiles) -> SourcePair:
    """Read a pair and prepare it for measuring. Raises InputError where a picture cannot be read."""
    pictures = [read_picture(path) for path in (files.reference, files.target)]
    reference, target = (to_8_bit(p.pixels, levels) for p, levels in zip(pictures, pair_levels(*pictures), strict=True))
    return prepare(reference, target)


def bad_input(files: PairFiles) -> str:
    """Why a picture of a pair or its ground truth cannot be read; empty = all can. No method is to blame for that."""
    try:
        for path in (files.reference, files.target):
            read_picture(path)
        if files.truth is not None:
            read_places(files.truth)
    except InputError as error:
        return str(error)
    return ""


def measure_difficulty(files: PairFiles) -> Row:
    """How hard a pair is, by its ground truth; None = it has none, or the truth does not say.

    Returns:
        `true_parallax`: 90th percentile of the distances of the true places from the homography that most of them
        follow, px of a reference scaled to `STANDARD_WIDTH`. `true_overlap`: share of the target that the reference
        shows.

    Raises:
        InputError: the ground truth or the reference cannot be read.
    """
    parallax = overlap = None
    if files.truth is not None:
        places = read_places(files.truth)
        width, _ = read_picture(files.reference).size
        parallax, overlap = parallax_of(places, width), places.overlap
    return {"true_parallax": _rounded(parallax), "true_overlap": _rounded(overlap)}


def measured_row(
    files: PairFiles, method: StitchMethod, folder: Path, status: Status, pair: Callable[[], SourcePair]
) -> Row:
    """The row of results.csv for one run, its keys are `COLUMNS`; None = not measured.

    Args:
        files: the pair.
        method: what ran.
        folder: its outputs. What was measured is kept in measures.json there, and read where nothing that decides it
            has changed since.
        status: how it ended.
        pair: gives what `prepare_pair` returns; called only where something is to be measured.
    """
    cost: Row = {"seconds": status.seconds, "cpu_seconds": status.cpu_s, "peak_mb": status.peak_mb}
    measures: Row = {"good": False, "reason": f"run: {status.error}"}
    if status.ok:
        path, facts = folder / "measures.json", _facts(files, method.alpha)
        measures = _read_measures(path, facts)
        if not measures:
            measures = _measure(files, folder, method.alpha, pair)
            with atomic_write(path) as temporary:
                temporary.write_text(json.dumps({"measures": measures, "facts": facts}, indent=1))
    row: Row = {"pair": files.name, "method": method.name, "ok": not measures["reason"]}
    row |= cost | measures
    return {column: row.get(column) for column in COLUMNS}


def _facts(files: PairFiles, alpha: bool) -> Facts:
    """All that decides the measures of a run's outputs."""
    truth = file_digest(files.truth) if files.truth is not None else ""
    inputs = {"pictures": files.digest(), "truth": truth, "alpha": str(alpha)}
    return inputs | {"program": code_digest(MEASURING), "libraries": library_digest()}


def _read_measures(path: Path, facts: Facts) -> Row:
    """Empty where there are none, or others than these."""
    if not path.is_file():  # also a pipe, which may never end
        return {}
    try:
        found = json.loads(path.read_text())
        measures: Row = found["measures"] if found["facts"] == facts else {}
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return {}
    return measures if isinstance(measures, dict) and tuple(measures) == _MEASURED else {}


def _measure(files: PairFiles, folder: Path, alpha: bool, pair: Callable[[], SourcePair]) -> Row:
    try:
        written = read_picture(folder / "pano.png")
        levels = _reference_levels(files) if written.pixels.dtype == np.uint16 else None
        panorama, valid = to_8_bit(written.pixels, levels), written.valid
        if valid is None and alpha:
            valid = np.full(panorama.shape[:2], 255, np.uint8)
        measured = measure_panorama(pair(), panorama, valid)
        row: Row = asdict(measured) | {"good": measured.good}
        row |= asdict(_overlap(folder, levels)) | _against_truth(files, folder)
    except (InputError, cv2.error, np.linalg.LinAlgError) as error:
        row = {"good": False, "reason": f"not measured: {error}".strip()}
    return {key: _rounded(row.get(key)) for key in _MEASURED}


def _reference_levels(files: PairFiles) -> Levels | None:
    """With which a panorama of 16 bits is looked at."""
    return pair_levels(read_picture(files.reference), read_picture(files.target))[0]


def _overlap(folder: Path, levels: Levels | None) -> OverlapMeasures:
    paths = [folder / f"{name}.png" for name in ("warp1", "mask1", "warp2", "mask2")]
    if not all(path.exists() for path in paths):
        return OverlapMeasures()
    warp1, mask1, warp2, mask2 = (cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH) for path in paths)
    if warp1 is None or mask1 is None or warp2 is None or mask2 is None:
        raise InputError(f"{folder}: a warped picture or its mask cannot be read")
    if len({picture.shape for picture in (warp1, mask1, warp2, mask2)}) > 1:
        raise InputError(f"{folder}: warped pictures and masks differ in size")
    reference, target = (to_8_bit(np.asarray(picture), levels) for picture in (warp1, warp2))
    return measure_overlap(reference, mask1[..., 0] > 127, target, mask2[..., 0] > 127)


def _against_truth(files: PairFiles, folder: Path) -> Row:
    """`WarpErrors`, and `twice` where the true map is known and the method says what its panorama shows."""
    if files.truth is None or not (folder / "map.npz").exists():
        return {}
    places, warp = read_places(files.truth), load_warp(folder / "map.npz")
    row: Row = asdict(measure_warp(places, warp))
    if places.whole is not None and (folder / "shown.npz").exists():
        h, w = warp.trusted.shape
        forms = {"map": ArrayForm("f", (h, w, 2)), "weight": ArrayForm("f", (h, w))}
        shown = read_arrays(folder / "shown.npz", forms, MAX_BYTES)
        target = ShownTarget(shown["map"], shown["weight"], warp.canvas, warp.scale)
        row["twice"] = shown_twice(target, places.whole, warp.reference_size[0])
    return row


def _rounded(value: Value) -> Value:
    return round(value, 4) if isinstance(value, float) else value
