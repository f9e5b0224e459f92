"""Methods on generated pairs against their exact truth: every warp, and every blend of it."""

import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice, pairwise
from pathlib import Path

import numpy as np

from apps.evaluation.truth_measures import WarpTruth, measure_stitch_truth, measure_warp_truth
from apps.evaluation.truth_methods import find_method
from datasets.examples.example import truth_of
from datasets.examples.windows import Window, WindowTruth, coarse_alignment, draw_pair, plane_window, truth_on_window
from datasets.sample import Pixels
from datasets.storage.folder import StoredSample
from datasets.storage.reading import read_samples
from stitching.blending.blend import Generator
from stitching.blending.compose import compose
from stitching.blending.generators import find_generator
from stitching.blending.layers import Layers
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import OUTSIDE_ALL, Mask, pixel_grid
from stitching.io.files import replacing
from stitching.io.picture import Picture, as_picture
from stitching.warping.classical import classical
from stitching.warping.drawing import draw_aligned_pair
from stitching.warping.estimators import ESTIMATORS
from stitching.warping.placement import Placement, place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import CanvasPair, Estimator, Warp, forward_backward_consistent

BINS = (0.0, 3.0, 8.0, 15.0, np.inf)  # px of a homography's mean error on OV: how hard a pair is

Row = dict[str, str | float | None]


@dataclass(frozen=True, eq=False)
class Prepared:
    """A generated pair, ready for every method."""

    sample: StoredSample
    window: Window
    pair: CanvasPair
    truth: WindowTruth
    start: Warp  # the classical one
    seconds: float  # that it took


def evaluate_truth(
    folder: Path, output: Path, warps: Sequence[str], blends: Sequence[str], limit: int | None = None
) -> list[Row]:
    """Run every warp and every blend on the samples of a data set; writes `output`/truth.csv, a row for each.

    Args:
        folder: what `parastitch generate` wrote.
        output: folder for the results.
        warps: as `truth_methods.find_method`.
        blends: as `stitching.blending.generators.find_generator`.
        limit: only the first so many samples.

    Raises:
        InputError: the data set, a method or its weights cannot be used.
    """
    estimators = {name: find_method(name) for name in warps}
    generators = {name: find_blend(name) for name in blends}
    rows: list[Row] = []
    for sample in islice(read_samples(folder), limit):
        rows += _rows(_prepared(sample), estimators, generators)
        _write(rows, output / "truth.csv")
    if not rows:
        raise InputError(f"{folder} holds no sample; expected a data set that `parastitch generate` wrote")
    return rows


Blender = Callable[[Prepared, Warp], tuple[Pixels, Mask]]  # panorama (h, w, 3) BGR and what it shows, on the window


def find_blend(name: str) -> Blender:
    """A way to blend by its name, as `parastitch stitch` does it."""
    return partial(_blended, find_generator(name))


def _blended(generator: Generator, prepared: Prepared, warp: Warp) -> tuple[Pixels, Mask]:
    placed = _placed(prepared, warp)
    placement = placed.placement
    blend = generator(draw_aligned_pair(placed.reference, placed.target, placed.canvas, placement), "gain")
    relaxed = relax_map(placement, blend.weight)
    panorama, alpha = compose(Layers(placed.reference, placed.target, placed.canvas, 1.0, relaxed, 1.0), blend)
    return panorama.astype(np.uint8), alpha > 0


@dataclass(frozen=True, eq=False)
class _Placed:
    """The pictures and where the target goes on the window, which is the canvas."""

    reference: Picture
    target: Picture
    canvas: Canvas
    placement: Placement


def _placed(prepared: Prepared, warp: Warp) -> _Placed:
    pictures = prepared.sample.arrays
    reference, target = (as_picture(view.picture, "sample") for view in (pictures.reference, pictures.target))
    window = prepared.window
    map_xy = project(np.linalg.inv(window.homography), pixel_grid(*window.size[::-1]).astype(np.float64))
    coarse = np.nan_to_num(map_xy, nan=OUTSIDE_ALL).astype(np.float32)
    origin = int(-window.plane[0, 2]), int(-window.plane[1, 2])
    centre = (reference.size[0] - 1) / 2, (reference.size[1] - 1) / 2
    canvas = Canvas(Surface(None, centre), origin, window.size)
    return _Placed(reference, target, canvas, place_target(warp, prepared.pair, coarse, target.size, 1.0))


def _prepared(sample: StoredSample) -> Prepared:
    reference, target = sample.arrays.reference.picture, sample.arrays.target.picture
    homography, *matches = coarse_alignment(reference, target)
    window = plane_window(homography, target.shape[1::-1], reference.shape[1::-1])
    pair = draw_pair(reference, target, window, (matches[0], matches[1]))
    truth = truth_on_window(truth_of(sample), window, pair.target_valid)
    begun = time.perf_counter()
    start = classical(pair)
    return Prepared(sample, window, pair, truth, start, time.perf_counter() - begun)


def _rows(prepared: Prepared, warps: Mapping[str, Estimator], blends: Mapping[str, Blender]) -> Iterator[Row]:
    """A row for every warp and blend; the classical warp is not estimated again."""
    truth = truth_of(prepared.sample)
    trusted = forward_backward_consistent(prepared.start, prepared.pair)

    def measured(warp: Warp) -> WarpTruth:
        return measure_warp_truth(warp, prepared.pair, prepared.window, truth, trusted)

    difficulty = measured(ESTIMATORS["homography"](prepared.pair)).ov
    for name, estimator in warps.items():
        begun = time.perf_counter()
        warp = prepared.start if name == "classical" else estimator(prepared.pair)
        seconds = prepared.seconds if name == "classical" else time.perf_counter() - begun
        row: Row = {"sample": prepared.sample.record.name, "warp": name, "homography error": difficulty}
        row |= {"seconds": seconds} | asdict(measured(warp))
        for blend, blender in blends.items():
            stitched = measure_stitch_truth(*blender(prepared, warp), prepared.truth)
            yield row | {"blend": blend} | asdict(stitched)
        if not blends:
            yield row


def _write(rows: Sequence[Row], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


_SHOWN = {  # column of the printed table: column of the rows, decimals
    "OV": ("ov", 2), "OV med": ("ov_median", 2), "> 3 px": ("over_3", 3), "occl": ("occluded", 2), "NOV": ("nov", 2),
    "sure": ("consistent", 2), "epi": ("epipolar", 2), "line": ("line", 2), "tears": ("tears", 4),
    "folds": ("folds", 4),
    "PSNR": ("psnr", 2), "SSIM": ("ssim", 3), "overlap": ("psnr_overlap", 2), "P NOV": ("psnr_nov", 2),
    "P occl": ("psnr_occlusions", 2), "holes": ("psnr_holes", 2), "sharp": ("gradient", 2), "s": ("seconds", 2),
}  # fmt: skip


def tables(rows: Sequence[Row]) -> dict[str, list[list[str]]]:
    """Means over the pairs, all of them and by how far the homography is off on OV; title -> lines of cells."""
    found = {"all pairs": list(rows)}
    for low, high in pairwise(BINS):
        reach = f"{low:.0f} to {high:.0f}" if np.isfinite(high) else f"more than {low:.0f}"
        found[f"homography off by {reach} px"] = [row for row in rows if low <= _number(row["homography error"]) < high]
    return {title: _table(some) for title, some in found.items() if some}


def _table(rows: Sequence[Row]) -> list[list[str]]:
    columns = {heading: column for heading, column in _SHOWN.items() if column[0] in rows[0]}
    lines = [["warp", "blend", "pairs", *columns]]
    for warp, blend in dict.fromkeys((row["warp"], row.get("blend")) for row in rows):
        mine = [row for row in rows if (row["warp"], row.get("blend")) == (warp, blend)]
        cells = []
        for name, map_xy in columns.values():
            values = [_number(row[name]) for row in mine if row[name] is not None]
            cells.append(f"{np.mean(values):.{map_xy}f}" if values else "-")
        lines.append([_short(warp), _short(blend), str(len(mine)), *cells])
    return lines


def _number(value: str | float | None) -> float:
    return np.inf if value is None else float(value)


def _short(name: str | float | None) -> str:
    """A method without the folders of its file."""
    kind, colon, path = str(name or "-").partition(":")
    return kind + colon + "/".join(Path(path).parts[-2:]) if colon else kind
