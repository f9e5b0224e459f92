"""The error of a warp against the ground truth of a real pair, `gt.npz`; see docs/evaluate.md."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import rescale

_MAX_ERROR = 50.0  # px, what an end-point error counts at most
_HOLE = 1e6  # px; stands for NaN in an interpolation, whose result is then beyond _MAX_ERROR
_BORDER = -9.0  # px; positions outside the map, of pixels that are not measured


@dataclass(frozen=True)
class WarpErrors:
    """End-point error of a warp, full-size target px, each at most 50; None = could not be measured.

    Attributes:
        epe, epe_median: mean and median.
        epe_over_3: share over 3 px, 0..1.
    """

    epe: float | None = None
    epe_median: float | None = None
    epe_over_3: float | None = None


def measure_warp(
    truth: NDArray[np.floating],
    visible: NDArray[np.bool_],
    backward: NDArray[np.floating],
    origin: NDArray[np.floating],
    scale: float,
) -> WarpErrors:
    """End-point error of a backward map against ground truth.

    Args:
        truth: (H, W, 2), target px -> reference px.
        visible: (H, W) bool, the truth is known and the reference sees the pixel.
        backward: (h, w, 2), map px -> target px, NaN where not covered.
        origin: (2,), canvas (0, 0) in reference px.
        scale: map px per canvas px.
    """
    if not visible.any():
        return WarpErrors()
    rows, columns = np.nonzero(visible)
    map_xy = np.full((*visible.shape, 2), _BORDER, np.float32)
    map_xy[visible] = rescale(truth[visible] - origin, scale)
    filled = np.ascontiguousarray(np.nan_to_num(backward.astype(np.float32), nan=_HOLE))
    found = cv2.remap(filled, map_xy[..., 0], map_xy[..., 1], cv2.INTER_LINEAR, borderValue=(_HOLE, _HOLE))[visible]
    error = np.linalg.norm(found - np.column_stack([columns, rows]), axis=1).clip(max=_MAX_ERROR)
    return WarpErrors(float(error.mean()), float(np.median(error)), float((error > 3).mean()))
