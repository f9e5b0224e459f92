"""One training example: a pair on its window, the classical warp that the network starts from, the truth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats, Pixels
from datasets.examples.windows import (
    PairTruth,
    WindowTruth,
    choose_window,
    coarse_alignment,
    draw_pair,
    jittered,
    truth_on_window,
)
from datasets.sample import Sample
from datasets.storage.records import Record
from datasets.storage.samples import StoredSample
from stitching.geometry.pixel_maps import Size
from stitching.warping.estimators.classical import classical
from stitching.warping.flow.extrapolate import extrapolate_on_plane
from stitching.warping.warp import forward_backward_consistent

JITTERED_SHARE = 0.15  # of the examples have their coarse alignment made worse
MAX_JITTER = 0.06  # of the target's width and height, by which its corners are moved then


@dataclass(frozen=True, eq=False)
class Example:
    """A pair on its window, without a truth where it is a photograph."""

    reference: Pixels  # (h, w, 3) BGR, black where not valid
    target: Pixels  # (h, w, 3) the same, coarsely aligned
    reference_valid: NDArray[np.bool_]  # (h, w)
    target_valid: NDArray[np.bool_]  # (h, w)
    start: Floats  # (h, w, 2) the classical residual, px
    trusted: NDArray[np.bool_]  # (h, w) where `start` is forward-backward consistent
    truth: WindowTruth | None


def make_example(
    reference: Pixels, target: Pixels, truth: PairTruth | None, size: Size, rng: np.random.Generator | None = None
) -> Example:
    """Align a pair, draw it on a window, and estimate the classical warp.

    Args:
        reference, target: (h, w, 3) BGR.
        truth: of the pair; None for photographs.
        size: (width, height) of the window, multiples of 8.
        rng: decides whether the coarse alignment is made worse, and how; None: it stays as it is found.
    """
    homography, matches = coarse_alignment(reference, target)
    target_size = target.shape[1], target.shape[0]
    if rng is not None and rng.random() < JITTERED_SHARE:
        homography = jittered(homography, target_size, MAX_JITTER, rng)
    window = choose_window(homography, target_size, size)
    pair = draw_pair(reference, target, window, matches)
    start = classical(pair, extrapolate_on_plane)
    return Example(
        pair.reference, pair.target, pair.reference_valid, pair.target_valid, start.residual,
        forward_backward_consistent(start, pair),
        None if truth is None else truth_on_window(truth, window, pair.target_valid),
    )  # fmt: skip


def example_of(sample: Sample | StoredSample, size: Size) -> Example:
    """The example of a generated sample, with the alignment that features find; size: as for `make_example`."""
    views = sample.arrays if isinstance(sample, StoredSample) else sample
    return make_example(views.reference.picture, views.target.picture, truth_of(sample), size)


def truth_of(sample: Sample | StoredSample) -> PairTruth:
    """The ground truth of a generated sample. Raises InputError where a stored one has no fundamental matrix."""
    views, record = (sample.arrays, sample.record) if isinstance(sample, StoredSample) else (sample, sample)
    known = record.fundamental if isinstance(record, Record) else np.asarray(record.facts["fundamental"], np.float64)
    return PairTruth(
        views.target.warp, views.target.mask, views.stitched, views.stitched_mask, record.origin,
        known, record.segments,
    )  # fmt: skip
