"""Where a placement would show a part of the target a second time."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, pixel_grid
from stitching.warping.base_warp import target_px_per_working_px

CELL = 2.0  # working px: parts of the target of this size are told apart
MIN_DISTANCE = 0.01  # of the canvas diagonal, between two places of a part
SPECK = np.ones((3, 3), np.uint8)  # working px; narrower parts come from rounding


def shown_elsewhere(map_xy: Field, covered: Mask, trusted: Mask) -> Mask:
    """Where the target has no place of its own, and the map leads to a part of it that is known to lie elsewhere.

    A near thing leaves a hole where the surroundings would put it. The map is filled there, and shows it again.

    Args:
        map_xy: (h, w, 2) canvas -> full-size target px.
        covered, trusted: (h, w), see `stitching.warping.placement.Placement`.

    Returns:
        (h, w), among the covered pixels that are not trusted.
    """
    h, w = covered.shape
    known, doubtful = covered & trusted, covered & ~trusted
    if not known.any() or not doubtful.any():
        return np.zeros((h, w), bool)
    (known_x, known_y), (x, y) = _cells(map_xy, covered, (known, doubtful))
    place = np.full((max(known_y.max(), y.max()) + 1, max(known_x.max(), x.max()) + 1, 2), np.nan, np.float32)
    grid = pixel_grid(h, w)
    place[known_y, known_x] = grid[known]  # on the canvas, of each cell of the target
    distance = np.linalg.norm(place[y, x] - grid[doubtful], axis=1)  # (n,)
    again = np.zeros((h, w), np.uint8)
    again[doubtful] = distance > MIN_DISTANCE * float(np.hypot(h, w))  # false for NaN: a part without another place
    return cv2.morphologyEx(again, cv2.MORPH_OPEN, SPECK) > 0


def _cells(map_xy: Field, covered: Mask, parts: tuple[Mask, Mask]) -> list[NDArray[np.intp]]:
    """For each part of the canvas the cells of the target, (2, n) column and row, that its pixels show."""
    inner = cv2.erode(covered.astype(np.uint8), SPECK, borderValue=0) > 0  # whose neighbours are covered, too
    first, last = map_xy[covered].min(axis=0), map_xy[covered].max(axis=0)
    usual = CELL * target_px_per_working_px(map_xy, inner)
    # A map in steps has no usual size: there are never more cells than pixels, whatever it is.
    side = max(usual, float(np.sqrt(np.prod(last - first + 1, dtype=np.float64) / covered.size)))
    return [np.floor((map_xy[part] - first) / side).astype(np.intp).T for part in parts]
