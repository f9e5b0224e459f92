"""Methods on generated pairs against their exact truth: every warp, and every blend of it."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np

from apps.evaluation.measures.generated_stitch import measure_generated_stitch
from apps.evaluation.measures.generated_warp import GeneratedWarpErrors, measure_generated_warp
from apps.evaluation.measures.shown_twice import ShownTarget, shown_twice
from apps.evaluation.output.folder import TRUTH
from apps.evaluation.scoring import Row
from apps.evaluation.true_places import TrueMap
from apps.evaluation.warp_methods import find_method
from apps.tables import write_csv
from datasets.examples.example import truth_of
from datasets.examples.windows import Window, WindowTruth, coarse_alignment, draw_pair, plane_window, truth_on_window
from datasets.sample import Visibility
from datasets.storage.reading import read_samples
from datasets.storage.samples import StoredSample
from stitching.blending.blend import Generator
from stitching.blending.compose import compose
from stitching.blending.panorama_pictures import PanoramaPictures
from stitching.blending.registry import find_generator
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import OUTSIDE_ALL, pixel_grid
from stitching.io.picture import as_picture
from stitching.warping.base_warp import parallax
from stitching.warping.canvas_pictures import draw_aligned_pair
from stitching.warping.estimators.classical import classical
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.placement import place_target
from stitching.warping.relax import relax_map
from stitching.warping.warp import CanvasPair, Estimator, Warp, forward_backward_consistent


@dataclass(frozen=True, eq=False)
class PreparedSample:
    """A generated pair, ready for every method."""

    sample: StoredSample
    window: Window
    pair: CanvasPair  # on the window
    truth: WindowTruth
    classical: Warp
    seconds: float  # that it took


def evaluate_truth(
    folder: Path, output: Path, warps: Sequence[str], blends: Sequence[str], limit: int | None = None
) -> list[Row]:
    """Run every warp and every blend on the samples of a data set; writes `output`/truth.csv, a row for each.

    Args:
        folder: what `parastitch generate` wrote.
        output: folder for the results.
        warps: as `warp_methods.find_method`.
        blends: as `stitching.blending.registry.find_generator`; () = the warps are measured alone.
        limit: only the first so many samples.

    Raises:
        InputError: the data set, a method or its weights cannot be used.
    """
    estimators = {name: find_method(name) for name in warps}
    generators = {name: find_generator(name) for name in blends}
    rows: list[Row] = []
    for sample in islice(read_samples(folder), limit):
        rows += _rows(_prepared(sample), estimators, generators)
        write_csv(output / TRUTH, rows)
    if not rows:
        raise InputError(f"{folder} holds no sample; expected a data set that `parastitch generate` wrote")
    return rows


def _prepared(sample: StoredSample) -> PreparedSample:
    reference, target = sample.arrays.reference.picture, sample.arrays.target.picture
    alignment, matches = coarse_alignment(reference, target)
    window = plane_window(alignment, target.shape[1::-1], reference.shape[1::-1])
    pair = draw_pair(reference, target, window, matches)
    truth = truth_on_window(truth_of(sample), window, pair.target_valid)
    start = time.perf_counter()
    warp = classical(pair)
    return PreparedSample(sample, window, pair, truth, warp, time.perf_counter() - start)


def _rows(prepared: PreparedSample, warps: Mapping[str, Estimator], blends: Mapping[str, Generator]) -> Iterator[Row]:
    """A row for every warp and blend; the classical warp is not estimated again."""
    truth = truth_of(prepared.sample)
    trusted = forward_backward_consistent(prepared.classical, prepared.pair)

    def measured(warp: Warp) -> GeneratedWarpErrors:
        return measure_generated_warp(warp, prepared.pair, prepared.window, truth, trusted)

    difficulty = measured(find_estimator("homography")(prepared.pair)).ov
    for name, estimator in warps.items():
        warp, seconds = prepared.classical, prepared.seconds
        if name != "classical":
            start = time.perf_counter()
            warp = estimator(prepared.pair)
            seconds = time.perf_counter() - start
        row: Row = {"sample": prepared.sample.record.name, "warp": name, "homography error": difficulty}
        row |= {"seconds": seconds} | asdict(measured(warp))
        for blend, generator in blends.items():
            yield row | {"blend": blend} | _measured_stitch(prepared, warp, generator)
        if not blends:
            yield row


def _measured_stitch(prepared: PreparedSample, warp: Warp, generator: Generator) -> Row:
    """`GeneratedStitchScores` and `twice` of the panorama on the window."""
    pictures, window = prepared.sample.arrays, prepared.window
    reference, target = (as_picture(view.picture, "sample") for view in (pictures.reference, pictures.target))
    centre = (reference.size[0] - 1) / 2, (reference.size[1] - 1) / 2
    origin = int(-window.reference_to_window[0, 2]), int(-window.reference_to_window[1, 2])
    canvas = Canvas(Surface(None, centre), origin, window.size)  # the window is the canvas
    map_xy = project(np.linalg.inv(window.target_to_window), pixel_grid(*window.size[::-1]).astype(np.float64))
    coarse = np.nan_to_num(map_xy, nan=OUTSIDE_ALL).astype(np.float32)
    placement = place_target(warp, prepared.pair, coarse, target.size, 1.0)
    aligned = draw_aligned_pair(reference, target, canvas, placement)
    aligned = replace(aligned, parallax=parallax(placement, coarse))
    blend = generator(aligned, "gain")
    shown_map = relax_map(placement, aligned, blend.weight, coarse)
    panorama, alpha = compose(PanoramaPictures(reference, target, canvas, 1.0, shown_map, 1.0), blend)
    scores = measure_generated_stitch(panorama.astype(np.uint8), alpha > 0, prepared.truth)
    true_map = TrueMap(pictures.target.warp, pictures.target.mask == Visibility.VISIBLE)
    shown = ShownTarget(shown_map, blend.weight, canvas, 1.0)
    return asdict(scores) | {"twice": shown_twice(shown, true_map, reference.size[0])}
