"""The error of a warp at the true places of a real pair, and the parallax of these places; see docs/evaluate.md."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.true_places import TruePlaces
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Points, rescale
from stitching.io.warp_file import WarpField

STANDARD_WIDTH = 512  # px, of the target; pairs of different sizes are compared at it

_MAX_ERROR = 50.0  # px, what an end-point error counts at most
_HOLE = 1e6  # px; stands for NaN in an interpolation, whose result is then beyond _MAX_ERROR
_MAX_FITTED = 2000  # places that a homography is fitted to
_ROW = 1024  # places; OpenCV samples no more than 32767 in a row


@dataclass(frozen=True)
class WarpErrors:
    """End-point error of a warp in the target, each at most 50 px; None = could not be measured.

    Attributes:
        within_1, within_3, within_5: share of the places with an error below 1, 3, 5 px, of a target scaled to a width
            of `STANDARD_WIDTH`.
        error: mean, the same px.
        epe, epe_median, epe_over_3: mean, median, and share over 3 px, of the target at its full size.
    """

    within_1: float | None = None
    within_3: float | None = None
    within_5: float | None = None
    error: float | None = None
    epe: float | None = None
    epe_median: float | None = None
    epe_over_3: float | None = None


def measure_warp(places: TruePlaces, warp: WarpField) -> WarpErrors:
    """Compare where a warp takes the places of the reference with those of the target; a hole is the worst error."""
    found = _sampled(warp.map, rescale(warp.canvas.from_reference(places.reference), warp.scale))
    full = np.linalg.norm(found - places.target, axis=1)
    scaled = np.minimum(full * STANDARD_WIDTH / warp.target_size[0], _MAX_ERROR)
    full = np.minimum(full, _MAX_ERROR)
    within_1, within_3, within_5 = (float((scaled < limit).mean()) for limit in (1, 3, 5))
    mean, median, over_3 = float(full.mean()), float(np.median(full)), float((full > 3).mean())
    return WarpErrors(within_1, within_3, within_5, float(scaled.mean()), mean, median, over_3)


def parallax_of(places: TruePlaces, reference_width: int) -> float | None:
    """90th percentile of the distances from the homography that most places follow; None where there is none.

    Px of a reference scaled to `STANDARD_WIDTH`; so is the distance at which a place still follows the homography,
    3 px.
    """
    places = places.spread(_MAX_FITTED)
    scale = STANDARD_WIDTH / reference_width
    homography = places.main_homography(3 / scale)
    if homography is None:
        return None
    distances = np.linalg.norm(project(homography, places.target) - places.reference, axis=1)
    return float(np.nanpercentile(distances, 90) * scale)


def _sampled(backward: NDArray[np.float32], points: Points) -> Points:
    """(n, 2) values of a map (h, w, 2) at points (n, 2) px; `_HOLE` where it is NaN, and outside of it."""
    filled = np.ascontiguousarray(np.nan_to_num(backward, nan=_HOLE))
    rows = -(-len(points) // _ROW)
    table = np.resize(points.astype(np.float32), (rows, _ROW, 2))  # (n, 2) -> (rows, _ROW, 2), the last one repeated
    found = cv2.remap(filled, table[..., 0], table[..., 1], cv2.INTER_LINEAR, borderValue=(_HOLE, _HOLE))
    return found.reshape(-1, 2)[: len(points)].astype(np.float64)  # (rows, _ROW, 2) -> (n, 2)
