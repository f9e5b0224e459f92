"""Dense inverse search (DIS, Kroeger et al. 2016): flow from sparse starts, and its refinement.

DIS is exact to a fraction of a pixel and fast, but it finds only what lies near its start: a displacement that is large
against the thing that moves is missed. So it is started from several flows, of which
`stitching.warping.flow.candidates` keeps the best one for each pixel.
"""

import cv2
import numpy as np

from stitching.alignment.features import MAX_DISAGREEMENT, agree_with_neighbours
from stitching.geometry.pixel_maps import (
    Field,
    Grey,
    Points,
    compose_flows,
    pixel_grid,
    remap,
)

MIN_MATCHES = 5  # that agree, without which there is no flow of the nearest match


def dense_inverse_search(start: Grey, end: Grey, initial: Field | None = None, finest_level: int = 1) -> Field:
    """Flow of every pixel of `start` into `end`.

    Args:
        start, end: (h, w) uint8.
        initial: (h, w, 2) px, from which the search starts; None = no displacement.
        finest_level: pyramid level at which the search ends; 0 = full size.

    Returns:
        (h, w, 2) px.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(finest_level)
    search.setPatchStride(4)
    search.setGradientDescentIterations(12)
    search.setVariationalRefinementIterations(2 if finest_level else 1)  # most of the time at full size
    # None, not zeros: OpenCV searches otherwise from a flow that it is given, even one of zeros.
    first = None if initial is None else initial.copy()
    return np.asarray(search.calc(start, end, first), np.float32)  # type: ignore[arg-type]


def refine(start: Grey, end: Grey, flow: Field, max_correction: float = 3.0, finest_level: int = 0) -> Field:
    """Add to a flow what dense inverse search still finds after it, where that is at most `max_correction` px.

    Args:
        start, end: (h, w) uint8.
        flow: (h, w, 2) px, start -> end.
        max_correction: px.
        finest_level: see `dense_inverse_search`.
    """
    h, w = start.shape
    warped = remap(end, pixel_grid(h, w) + flow, cv2.INTER_CUBIC)
    correction = dense_inverse_search(start, warped, finest_level=finest_level)
    correction[cv2.magnitude(correction[..., 0], correction[..., 1]) > max_correction] = 0
    return compose_flows(correction, flow)


def nearest_match_flow(start: Points, end: Points, shape: tuple[int, int]) -> Field | None:
    """Flow of the nearest sparse match at each pixel, without matches that move unlike their neighbours.

    Args:
        start, end: (n, 2) px.
        shape: (h, w).

    Returns:
        (h, w, 2) px, or None where fewer than `MIN_MATCHES` are left.
    """
    h, w = shape
    moves = end - start
    cells = np.round(start).astype(int)
    usable = (cells >= 0).all(axis=1) & (cells < (w, h)).all(axis=1) & np.isfinite(moves).all(axis=1)
    kept = np.flatnonzero(usable)
    kept = kept[agree_with_neighbours(start[kept], moves[kept], MAX_DISAGREEMENT * float(np.hypot(h, w)))]
    if len(kept) < MIN_MATCHES:
        return None
    columns, rows = cells[kept].T
    empty = np.ones((h, w), np.uint8)
    empty[rows, columns] = 0
    _, label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    by_label = np.zeros((label.max() + 1, 2), np.float32)
    by_label[label[rows, columns]] = moves[kept]
    return np.asarray(by_label[label])
