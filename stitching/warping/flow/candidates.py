"""The best of several flows at each pixel, and of the flows of its neighbours."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.local_correlation import local_correlation
from stitching.geometry.pixel_maps import Field, Mask, forward_backward_error, pixel_grid, remap
from stitching.io.picture import channel_mean, to_grey

WINDOW = 5  # px, side of the windows over which flows are compared
MAX_COLOUR_COST = 40  # grey levels; a larger difference says no more than "different"
MAX_ROUND_TRIP_COST = 8  # px
DETAIL_WINDOW = 7  # px, of the correlation
MIN_LIKENESS = 0.7  # with less, a neighbour's flow fits by chance: what has no match must stay inconsistent
# What candidates are compared by: px of forward-backward error, grey levels of colour, and 1 - correlation.
ROUND_TRIP_WEIGHT, COLOUR_WEIGHT, DETAIL_WEIGHT = 2.0, 0.25, 20.0


@dataclass(frozen=True, eq=False)
class Chosen:
    """The best of several flows.

    Attributes:
        flow: (h, w, 2) px.
        cost: (h, w), what it was chosen by.
    """

    flow: Field
    cost: NDArray[np.float32]


def select_best(
    start: NDArray[np.uint8],
    end: NDArray[np.uint8],
    end_valid: Mask,
    flows: Sequence[Field],
    back_flows: Sequence[Field],
    before: Chosen | None = None,
) -> Chosen:
    """Of several flows the best one at each pixel: by correlation, difference of colours and forward-backward error.

    Args:
        start, end: (h, w, 3) uint8.
        end_valid: (h, w), where flows may end; what is found elsewhere counts as different.
        flows: start -> end, each (h, w, 2) px.
        back_flows: their counterparts end -> start.
        before: what was chosen of earlier flows, which compete with these.
    """
    return _cheapest(start, end, end_valid, zip(flows, back_flows, strict=True), before)


def propagate(
    start: NDArray[np.uint8], end: NDArray[np.uint8], end_valid: Mask, flow: Field, back: Field, consistent: Mask
) -> Field:
    """Where a flow is not consistent, that of a neighbour, if it fits better, and the pictures are alike after it.

    Neighbours are the next consistent pixels to the left, to the right, above and below (as PatchMatch propagates,
    Barnes et al. 2009).

    Args:
        start, end, end_valid: as for `select_best`.
        flow, back: (h, w, 2) px, start -> end and end -> start.
        consistent: (h, w), where `flow` is right; there it does not change.

    Returns:
        (h, w, 2) px.
    """
    flows = chain([flow], _of_neighbours(flow, consistent))
    found = _cheapest(start, end, end_valid, ((candidate, back) for candidate in flows)).flow
    places = pixel_grid(*consistent.shape) + found
    alike = _likeness(start, remap(end, places)) > MIN_LIKENESS
    shown = remap(end_valid.astype(np.uint8), places, cv2.INTER_NEAREST) > 0
    return np.where((alike & shown & ~consistent)[..., None], found, flow)


def _of_neighbours(flow: Field, consistent: Mask) -> Iterator[Field]:
    """The flow of the next consistent pixel in each of four directions; a pixel's own where there is none."""
    for axis in (0, 1):
        own = np.broadcast_to(np.expand_dims(np.arange(consistent.shape[axis]), 1 - axis), consistent.shape)
        before = np.maximum.accumulate(np.where(consistent, own, -1), axis=axis)
        beyond = consistent.shape[axis]
        after = np.flip(np.minimum.accumulate(np.flip(np.where(consistent, own, beyond), axis), axis=axis), axis)
        for index, none in ((before, -1), (after, beyond)):
            next_one = np.where(index == none, own, index)[..., None]
            yield np.take_along_axis(flow, next_one, axis)


def _likeness(start: NDArray[np.uint8], there: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w): correlation of two pictures around each pixel, whatever their brightness."""
    return local_correlation(to_grey(start).astype(np.float32), to_grey(there).astype(np.float32), DETAIL_WINDOW)


def _cheapest(
    start: NDArray[np.uint8],
    end: NDArray[np.uint8],
    end_valid: Mask,
    candidates: Iterable[tuple[Field, Field]],
    before: Chosen | None = None,
) -> Chosen:
    """The flow of the least cost at each pixel, of flows there and back; one at a time is in memory."""
    remaining = iter(candidates)
    if before is None:
        flow, back = next(remaining)
        before = Chosen(flow, _matching_cost(start, end, end_valid, flow, back))
    best, least = before.flow.copy(), before.cost.copy()
    for flow, back in remaining:
        cost = _matching_cost(start, end, end_valid, flow, back)
        better = cost < least
        best[better], least[better] = flow[better], cost[better]
    return Chosen(best, least)


def _matching_cost(
    start: NDArray[np.uint8], end: NDArray[np.uint8], end_valid: Mask, flow: Field, back: Field
) -> NDArray[np.float32]:
    """(h, w): how badly a flow fits around each pixel: differing details and colours, and forward-backward error."""
    h, w = flow.shape[:2]
    places = pixel_grid(h, w) + flow
    there = remap(end, places)
    outside = remap(end_valid.astype(np.uint8), places, cv2.INTER_NEAREST) == 0
    likeness = _likeness(start, there)
    colour = np.minimum(channel_mean(cv2.absdiff(start, there)).astype(np.float32), MAX_COLOUR_COST)
    round_trip = np.minimum(forward_backward_error(flow, back), MAX_ROUND_TRIP_COST)
    likeness[outside], colour[outside] = -1, MAX_COLOUR_COST
    mean = cv2.blur(ROUND_TRIP_WEIGHT * round_trip + COLOUR_WEIGHT * colour, (WINDOW, WINDOW))
    return np.asarray(mean + DETAIL_WEIGHT * (1 - likeness), np.float32)
