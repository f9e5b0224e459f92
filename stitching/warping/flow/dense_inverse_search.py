"""Dense inverse search (DIS, Kroeger et al. 2016): flow from sparse starts, refined, and the best of several flows.

DIS is exact to a fraction of a pixel and fast, but it finds only what lies near its start: a displacement that is large
against the thing that moves is missed. So it is started from several flows, of which `select_best` keeps the best one
for each pixel.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import MAX_DISAGREEMENT, agree_with_neighbours
from stitching.geometry.local_correlation import local_correlation
from stitching.geometry.pixel_maps import (
    Field,
    Grey,
    Mask,
    Points,
    compose_flows,
    forward_backward_error,
    pixel_grid,
    remap,
)
from stitching.io.picture import channel_mean, to_grey

MIN_MATCHES = 5  # that agree, without which there is no flow of the nearest match
WINDOW = 5  # px, side of the windows over which flows are compared
MAX_COLOUR_COST = 40  # grey levels; a larger difference says no more than "different"
MAX_ROUND_TRIP_COST = 8  # px
DETAIL_WINDOW = 7  # px, of the correlation
# What candidates are compared by: px of forward-backward error, grey levels of colour, and 1 - correlation.
ROUND_TRIP_WEIGHT, COLOUR_WEIGHT, DETAIL_WEIGHT = 2.0, 0.25, 20.0


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


def select_best(
    start: NDArray[np.uint8],
    end: NDArray[np.uint8],
    end_valid: Mask,
    flows: Sequence[Field],
    back_flows: Sequence[Field],
) -> Field:
    """Of several flows the best one at each pixel: by difference of colours and forward-backward error.

    Args:
        start, end: (h, w, 3) uint8.
        end_valid: (h, w), where flows may end; what is found elsewhere counts as different.
        flows: start -> end, each (h, w, 2) px.
        back_flows: their counterparts end -> start.

    Returns:
        (h, w, 2) px.
    """
    if len(flows) == 1:
        return flows[0]
    costs = [_matching_cost(start, end, end_valid, flow, back) for flow, back in zip(flows, back_flows, strict=True)]
    best = np.argmin(costs, axis=0)  # (h, w)
    selected = flows[0].copy()
    for index, flow in enumerate(flows[1:], start=1):
        selected[best == index] = flow[best == index]
    return selected


def _matching_cost(
    start: NDArray[np.uint8], end: NDArray[np.uint8], end_valid: Mask, flow: Field, back: Field
) -> NDArray[np.float32]:
    """(h, w) of a window around each pixel: unlike details, whatever their brightness; a path back that is long."""
    h, w = flow.shape[:2]
    places = pixel_grid(h, w) + flow
    there = remap(end, places)
    outside = remap(end_valid.astype(np.uint8), places, cv2.INTER_NEAREST) == 0
    likeness = local_correlation(to_grey(start).astype(np.float32), to_grey(there).astype(np.float32), DETAIL_WINDOW)
    colour = np.minimum(channel_mean(cv2.absdiff(start, there)).astype(np.float32), MAX_COLOUR_COST)
    round_trip = np.minimum(forward_backward_error(flow, back), MAX_ROUND_TRIP_COST)
    likeness[outside], colour[outside] = -1, MAX_COLOUR_COST
    mean = cv2.blur(ROUND_TRIP_WEIGHT * round_trip + COLOUR_WEIGHT * colour, (WINDOW, WINDOW))
    return np.asarray(mean + DETAIL_WEIGHT * (1 - likeness), np.float32)
