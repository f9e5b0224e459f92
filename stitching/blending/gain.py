"""Gain matching: what the target's colours are multiplied with to look like the reference's."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask, resize_field
from stitching.warping.warp import AlignedPair

COMPENSATORS = ("field", "gain", "none")
LARGEST_GAIN = 4.0
CELL = 1 / 24  # of the longer side: grid of the gain field
SMOOTHNESS = 2.0  # cells, sigma
LARGEST_DEVIATION = 1.15  # of the gain field from the overall gain
DARKEST, BRIGHTEST = 8, 247  # grey levels outside of which a ratio says little
PRIOR = 0.1  # weight of the overall gain against a cell full of usable pixels


def match_gain(pair: AlignedPair, compensator: str) -> NDArray[np.float32]:
    """Gain of the target, (h, w, 3).

    Args:
        pair: the aligned pair.
        compensator: "none" (ones), "gain" (one factor a channel), or "field" (a factor that also varies
            smoothly over the overlap - vignetting, a cloud - and fades to the global one outside of it).
    """
    h, w = pair.trusted.shape
    if compensator == "none":
        return np.ones((h, w, 3), np.float32)
    usable = pair.reference_valid & pair.target_valid & pair.trusted & _well_exposed(pair)
    if usable.sum() < 100:
        return np.ones((h, w, 3), np.float32)
    overall = _overall(pair, usable)
    if compensator == "gain":
        return np.broadcast_to(overall, (h, w, 3)).astype(np.float32)
    return _field(pair, usable, overall)


def _well_exposed(pair: AlignedPair) -> Mask:
    low, high = np.full(3, DARKEST + 1.0), np.full(3, BRIGHTEST - 1.0)
    reference, target = (cv2.inRange(picture, low, high) for picture in (pair.reference, pair.target))
    return np.asarray(cv2.min(reference, target) > 0)


def _overall(pair: AlignedPair, usable: Mask) -> NDArray[np.float32]:
    """(3,) median of the pixels' ratios: things that stand in one picture only do not move it."""
    where = np.flatnonzero(usable)
    references, targets = (
        [channel.ravel()[where] for channel in cv2.split(picture)] for picture in (pair.reference, pair.target)
    )
    ratios = [np.median(r / t.astype(np.float32)) for r, t in zip(references, targets, strict=True)]
    return np.clip(ratios, 1 / LARGEST_GAIN, LARGEST_GAIN).astype(np.float32)


def _field(pair: AlignedPair, usable: Mask, overall: NDArray[np.float32]) -> NDArray[np.float32]:
    """Ratio of local means; where there is little to compare, and far from the overlap, the overall gain."""
    h, w = usable.shape
    shrink = CELL * max(h, w)
    cells = max(2, round(w / shrink)), max(2, round(h / shrink))

    def local_mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
        coarse = cv2.resize(values, cells, interpolation=cv2.INTER_AREA)
        blurred = cv2.GaussianBlur(coarse, (0, 0), SMOOTHNESS, borderType=cv2.BORDER_CONSTANT)
        return np.asarray(blurred, np.float32)

    share = usable.astype(np.float32)[..., None]
    reference, target = (local_mean(p * share) for p in (pair.reference, pair.target))
    prior = PRIOR * overall.mean() * float(pair.target[usable].mean())
    local = (reference + prior * overall) / (target + prior)
    local = np.clip(local, overall / LARGEST_DEVIATION, overall * LARGEST_DEVIATION)
    return resize_field(local.astype(np.float32), (w, h))
