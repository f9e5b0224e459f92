"""Tiles of one flat original, registered again by all that they share, to a fraction of a pixel.

Features are few where tiles overlap little or show little, and each is off by a pixel. So what two tiles share is
correlated near the place that the joint adjustment found, and the places are solved again, for all tiles together.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.arrangement import Arrangement
from stitching.geometry.pixel_maps import Points
from stitching.io.picture import to_8_bit, to_grey
from stitching.io.picture_source import PictureSource

REACH = 0.015  # of the diagonal of a tile's copy: how far from its place a tile is looked for
MIN_SHARED = 16  # px of a side of what two copies share, beside the reach
NOISE_SIGMA, LIGHT_SIGMA = 1.0, 8.0  # px: finer differences are noise, coarser ones come from uneven light
MIN_CORRELATION = 0.3  # with less, the two show too little
PLACE_WEIGHT = 1e-4  # of the place found before, against two equal tiles that lie on each other
WHOLE = 0.2  # px: where all places are as near to whole pixels, as of screenshots, they are these: nothing is resampled
TOLERANCES, ROUNDS = (8.0, 0.5), 12  # px of a misfit with which an offset counts a quarter, in the first and last round


def register_tiles(sources: Sequence[PictureSource], arrangement: Arrangement) -> Arrangement:
    """Improve the places of pictures that differ by translations.

    Args:
        sources: all pictures of the set.
        arrangement: whose motion is "translation".

    Returns:
        The arrangement with the places that correlations of all overlapping pairs agree on best; its residual is the
        median that they leave. Unchanged where no pair can be correlated.
    """
    numbers = sorted(arrangement.to_picture)
    places = np.array([-arrangement.to_picture[number][:2, 2] for number in numbers])  # (n, 2) frame px
    offsets = list(_measure(sources, numbers, places))
    if not offsets:
        return arrangement
    root = numbers.index(arrangement.reference)
    places = _whole(_solve(places, offsets, root))
    matrices = {number: _translation(-place) for number, place in zip(numbers, places, strict=True)}
    errors = [np.linalg.norm(places[one.second] - places[one.first] - one.offset) for one in offsets]
    return replace(arrangement, to_picture=matrices, residual=float(np.median(errors)))


@dataclass(frozen=True)
class _Offset:
    """Place of the second tile minus that of the first, (2,) px, and how much that counts, about 0..1."""

    first: int
    second: int
    offset: NDArray[np.float64]
    weight: float


def _measure(sources: Sequence[PictureSource], numbers: Sequence[int], places: Points) -> Iterator[_Offset]:
    """The offsets of all pairs of tiles that share enough."""
    details = [_detail(sources[number]) for number in numbers]
    scales = [np.asarray(sources[number].copy.scale) for number in numbers]
    for first, second in combinations(range(len(numbers)), 2):
        found = _correlate(
            details[first], details[second], scales[first], scales[second], places[second] - places[first]
        )
        if found is not None:
            yield _Offset(first, second, *found)


def _detail(source: PictureSource) -> NDArray[np.float32]:
    """(h, w) the copy of a tile without what is coarse, 0 on average."""
    grey = to_grey(to_8_bit(source.copy.pixels, source.copy.levels)).astype(np.float32)
    fine, coarse = (cv2.GaussianBlur(grey, (0, 0), sigma) for sigma in (NOISE_SIGMA, LIGHT_SIGMA))
    return np.asarray(fine - coarse, np.float32)


def _correlate(
    first: NDArray[np.float32],
    second: NDArray[np.float32],
    first_scale: NDArray[np.float64],
    second_scale: NDArray[np.float64],
    offset: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float] | None:
    """The offset (2,) full-size px near the given one at which two tiles are most alike.

    Args:
        first, second: (h, w) detail of the copies.
        first_scale, second_scale: (2,) px of the copies per full-size px.
        offset: (2,) full-size px.

    Returns:
        The offset, and its weight: the correlation there times the share of the first tile that was correlated; None
        where they share too little.
    """
    h, w = first.shape
    reach = max(2, round(REACH * float(np.hypot(h, w))))
    ratio = first_scale / second_scale
    start = (offset + 0.5) * first_scale - 0.5 * ratio + 0.5 * (ratio - 1)  # of the second tile's pixel 0, copy px
    size = np.array(second.shape[::-1]) * ratio
    left, top = np.maximum(np.ceil(start), 0).astype(int) + reach
    right, bottom = np.minimum(np.floor(start + size), (w, h)).astype(int) - reach
    if min(right - left, bottom - top) < MIN_SHARED:
        return None
    to_second = np.array(
        [[1 / ratio[0], 0, (left - start[0]) / ratio[0]], [0, 1 / ratio[1], (top - start[1]) / ratio[1]]]
    )
    template = cv2.warpAffine(
        second, to_second, (int(right - left), int(bottom - top)), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    around = first[top - reach : bottom + reach, left - reach : right + reach]
    likeness = np.asarray(cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED), np.float32)  # 2 reach + 1 a side
    _, best, _, (x, y) = cv2.minMaxLoc(likeness)
    if not MIN_CORRELATION <= best < 1.01 or min(x, y) == 0 or max(x, y) == 2 * reach:
        return None
    moved = np.array([x + _peak(likeness[y, x - 1 : x + 2]), y + _peak(likeness[y - 1 : y + 2, x])]) - reach
    return offset + moved / first_scale, float(best) * template.size / first.size


def _peak(values: NDArray[np.float32]) -> float:
    """Where a parabola through three values is highest, -0.5 .. 0.5 from the middle one."""
    before, middle, after = (float(value) for value in values)
    curvature = before - 2 * middle + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0


def _solve(places: Points, offsets: Sequence[_Offset], root: int) -> Points:
    """Places (n, 2) that fit the offsets best; robust, as a repeating pattern gives wrong ones."""
    count, found = len(places), places
    rows = np.zeros((len(offsets), count))
    for row, one in zip(rows, offsets, strict=True):
        row[one.first], row[one.second] = -1, 1
    wanted = np.array([one.offset for one in offsets])
    certain = np.array([one.weight for one in offsets])
    for tolerance in np.geomspace(*TOLERANCES, ROUNDS):
        misfit = np.linalg.norm(rows @ found - wanted, axis=1)
        weight = certain / np.square(1 + np.square(misfit / tolerance))  # Geman & McClure 1985
        normal = rows.T @ (weight[:, None] * rows) + PLACE_WEIGHT * np.eye(count)
        found = np.linalg.solve(normal, rows.T @ (weight[:, None] * wanted) + PLACE_WEIGHT * places)
    return np.asarray(found - found[root] + places[root])


def _whole(places: Points) -> Points:
    """Whole px where all places are near to them."""
    whole = np.round(places)
    return whole if np.abs(places - whole).max() < WHOLE else places


def _translation(offset: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.array([[1, 0, offset[0]], [0, 1, offset[1]], [0, 0, 1]], np.float64)
