"""Dense inverse search (DIS) flow, seeded, fused from several candidates, sharpened to sub-pixel."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Points, compose_flows, forward_backward_error, pixel_grid, remap

Grey = NDArray[np.uint8]  # (h, w)

DISAGREEMENT = 0.015  # share of the diagonal by which a match may differ from its neighbours
NEIGHBOURS = 3  # that must agree
WINDOW = 5  # px, over which candidates are compared
WORST_DIFFERENCE = 40  # grey levels; more says only "different"
WORST_ROUND_TRIP = 8  # px
ROUND_TRIP_WEIGHT = 2.0  # grey levels per px of round-trip error


def dense_inverse_search(start: Grey, end: Grey, initial: Field | None = None, finest: int = 1) -> Field:
    """Flow of every pixel of `start` into `end` (Kroeger et al. 2016).

    Args:
        start, end: (h, w) uint8.
        initial: (h, w, 2) px, tried at every level of the search; None = zero.
        finest: pyramid level at which the search ends; 0 = full size.
    """
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    search.setFinestScale(finest)
    search.setPatchStride(4)
    search.setGradientDescentIterations(12)
    search.setVariationalRefinementIterations(2)
    # None, not zeros: OpenCV searches otherwise from a flow that it is given, even one of zeros.
    first = None if initial is None else initial.copy()
    return np.asarray(search.calc(start, end, first), np.float32)  # type: ignore[arg-type]


def sharpen(start: Grey, end: Grey, flow: Field, longest: float = 3.0) -> Field:
    """Move a flow by what dense inverse search still finds after it, at most `longest` px."""
    h, w = start.shape
    moved = remap(end, pixel_grid(h, w) + flow, cv2.INTER_CUBIC)
    correction = dense_inverse_search(start, moved, finest=0)
    correction[cv2.magnitude(correction[..., 0], correction[..., 1]) > longest] = 0
    return compose_flows(correction, flow)


def nearest_match_flow(start: Points, end: Points, shape: tuple[int, int]) -> Field | None:
    """Flow of the nearest sparse match at each pixel, without lone matches that move unlike their neighbours.

    Args:
        start, end: (n, 2) px.
        shape: (h, w).

    Returns:
        (h, w, 2), or None where fewer than five matches are left.
    """
    h, w = shape
    moves = end - start
    cells = np.round(start).astype(int)
    on_grid = (cells >= 0).all(axis=1) & (cells < (w, h)).all(axis=1) & np.isfinite(moves).all(axis=1)
    keep = np.flatnonzero(on_grid)
    keep = keep[_agree(start[keep], moves[keep], DISAGREEMENT * float(np.hypot(h, w)))]
    if len(keep) < 5:
        return None
    columns, rows = cells[keep].T
    empty = np.ones((h, w), np.uint8)
    empty[rows, columns] = 0
    _, label = cv2.distanceTransformWithLabels(empty, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    by_label = np.zeros((label.max() + 1, 2), np.float32)
    by_label[label[rows, columns]] = moves[keep]
    return np.asarray(by_label[label])


def _agree(points: Points, moves: Points, tolerance: float) -> NDArray[np.bool_]:
    """Which moves are like those of enough of their six nearest neighbours."""
    if len(points) <= NEIGHBOURS:
        return np.zeros(len(points), bool)
    distance = ((points[:, None] - points[None]) ** 2).sum(axis=2)  # (n, n)
    count = min(7, len(points))  # the point itself and six more
    nearest = np.argpartition(distance, count - 1, axis=1)[:, :count]
    difference = np.sort(np.linalg.norm(moves[:, None] - moves[nearest], axis=2), axis=1)  # (n, count)
    result: NDArray[np.bool_] = difference[:, NEIGHBOURS] < tolerance
    return result


def fuse(
    start: NDArray[np.uint8], end: NDArray[np.uint8], flows: Sequence[Field], back_flows: Sequence[Field]
) -> Field:
    """For every pixel the candidate that looks most alike and best finds its way back.

    Args:
        start, end: (h, w, 3) uint8.
        flows: candidates start -> end, each (h, w, 2).
        back_flows: their counterparts end -> start.
    """
    if len(flows) == 1:
        return flows[0]
    costs = [_cost(start, end, flow, back) for flow, back in zip(flows, back_flows, strict=True)]
    best = np.argmin(costs, axis=0)  # (h, w)
    fused = flows[0].copy()
    for index, flow in enumerate(flows[1:], start=1):
        chosen = best == index
        fused[chosen] = flow[chosen]
    return fused


def _cost(start: NDArray[np.uint8], end: NDArray[np.uint8], flow: Field, back: Field) -> NDArray[np.float32]:
    h, w = flow.shape[:2]
    difference = cv2.absdiff(start, remap(end, pixel_grid(h, w) + flow))
    mean = cv2.transform(difference, np.full((1, 3), 1 / 3)).astype(np.float32)
    grey_levels = np.minimum(mean, WORST_DIFFERENCE)
    loop = np.minimum(forward_backward_error(flow, back), WORST_ROUND_TRIP)
    return cv2.blur(grey_levels + ROUND_TRIP_WEIGHT * loop, (WINDOW, WINDOW)).astype(np.float32)
