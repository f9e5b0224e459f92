"""Gain matching: what the target's colours are multiplied with to look like the reference's."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask, resize_field
from stitching.warping.warp import AlignedPair

COMPENSATORS = ("field", "gain", "none")
MAX_GAIN = 4.0  # and 1 / MAX_GAIN is the least
MIN_LEVEL, MAX_LEVEL = 8, 247  # grey levels: outside of them a pixel is too dark or burnt out to compare
MIN_PIXELS = 100  # well exposed, valid in both and trusted; with fewer no gain is measured
CELL = 1 / 24  # of the longer side: cells of the gain field
SIGMA = 2.0  # cells, of the Gaussian that smooths the gain field
MAX_DEVIATION = 1.15  # ratio of the gain field to the overall gain, either way
PRIOR_WEIGHT = 0.1  # of the overall gain, against a cell full of usable pixels


def match_gain(pair: AlignedPair, compensator: str) -> NDArray[np.float32]:
    """Measure the gain of the target where both pictures show the same.

    Args:
        pair: the aligned pair.
        compensator: "none" (ones), "gain" (one factor a channel), or "field" (a factor that also varies
            smoothly over the overlap - vignetting, a cloud - and fades to the overall one outside of it).

    Returns:
        (h, w, 3), factors of the target's BGR values; ones where too little can be compared.
    """
    h, w = pair.trusted.shape
    usable = pair.overlap & pair.trusted & _well_exposed(pair)
    if compensator == "none" or usable.sum() < MIN_PIXELS:
        return np.ones((h, w, 3), np.float32)
    overall = _overall_gain(pair, usable)
    if compensator == "gain":
        return np.broadcast_to(overall, (h, w, 3)).astype(np.float32)
    return _gain_field(pair, usable, overall)


def _well_exposed(pair: AlignedPair) -> Mask:
    low, high = np.full(3, MIN_LEVEL + 1.0), np.full(3, MAX_LEVEL - 1.0)
    reference, target = (cv2.inRange(picture, low, high) for picture in (pair.reference, pair.target))
    return np.asarray(cv2.min(reference, target) > 0)


def _overall_gain(pair: AlignedPair, usable: Mask) -> NDArray[np.float32]:
    """(3,) median of reference / target over the usable pixels: things that one picture alone shows hardly move it."""
    where = np.flatnonzero(usable)
    references, targets = (
        [channel.ravel()[where] for channel in cv2.split(picture)] for picture in (pair.reference, pair.target)
    )
    ratios = [np.median(r / t.astype(np.float32)) for r, t in zip(references, targets, strict=True)]
    return np.clip(ratios, 1 / MAX_GAIN, MAX_GAIN).astype(np.float32)


def _gain_field(pair: AlignedPair, usable: Mask, overall: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w, 3) ratio of local means; where there is little to compare, and far from the overlap, the overall gain."""
    h, w = usable.shape
    shrink = CELL * max(h, w)
    cells = max(2, round(w / shrink)), max(2, round(h / shrink))

    def local_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        coarse = cv2.resize(values, cells, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(coarse, (0, 0), SIGMA, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, np.float32)

    share = usable.astype(np.float32)[..., None]
    reference, target = (local_mean(p * share) for p in (pair.reference, pair.target))
    prior = PRIOR_WEIGHT * overall.mean() * float(pair.target[usable].mean())
    local = (reference + prior * overall) / (target + prior)
    local = np.clip(local, overall / MAX_DEVIATION, overall * MAX_DEVIATION)
    return resize_field(local.astype(np.float32), (w, h))
