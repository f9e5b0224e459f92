"""Where a placement would show a part of the target a second time."""

import cv2
import numpy as np

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
    inner = cv2.erode(covered.astype(np.uint8), SPECK, borderValue=0) > 0  # whose neighbours are covered, too
    cells = np.floor(map_xy / (CELL * target_px_per_working_px(map_xy, inner))).astype(np.intp)
    doubtful = covered & ~trusted
    if not (trusted & covered).any() or not doubtful.any():
        return np.zeros((h, w), bool)
    cells -= cells[covered].min(axis=0)
    columns, rows = cells[covered].max(axis=0) + 1
    place = np.full((rows, columns, 2), np.nan, np.float32)  # on the canvas, of each cell of the target
    grid = pixel_grid(h, w)
    known = trusted & covered
    place[cells[known][:, 1], cells[known][:, 0]] = grid[known]
    distance = np.linalg.norm(place[cells[doubtful][:, 1], cells[doubtful][:, 0]] - grid[doubtful], axis=1)  # (n,)
    again = np.zeros((h, w), np.uint8)
    again[doubtful] = distance > MIN_DISTANCE * float(np.hypot(h, w))  # false for NaN: a part without another place
    return cv2.morphologyEx(again, cv2.MORPH_OPEN, SPECK) > 0
