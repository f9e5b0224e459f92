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
from stitching.adjustment.links import link_pictures
from stitching.adjustment.match_distance import match_distance
from stitching.geometry.homographies import scaling_homography
from stitching.geometry.pixel_maps import Points
from stitching.io.picture import to_8_bit, to_grey
from stitching.io.picture_source import PictureSource
from stitching.match_graph.match_graph import MatchGraph
from stitching.match_graph.overlap import improve_shift

REACH = 0.015  # of the diagonal of a tile's copy: how far from its place a tile is looked for
MIN_SIDE = 16  # px of what two copies share, beside the reach
NOISE_SIGMA, LIGHT_SIGMA = 1.0, 8.0  # px: finer differences are noise, coarser ones come from uneven light
MIN_CORRELATION = 0.3  # with less, the two show too little
PLACE_WEIGHT = 1e-4  # of the place found before, against two equal tiles that lie on each other
WHOLE = 0.2  # px: where all places are as near to whole pixels, as of screenshots, they are these: nothing is resampled
TOLERANCES, ROUNDS = (8.0, 0.5), 12  # px of a misfit with which an offset counts a quarter, in the first and last round


def register_tiles(sources: Sequence[PictureSource], graph: MatchGraph, arrangement: Arrangement) -> Arrangement:
    """Improve the places of pictures that differ by translations.

    Args:
        sources: all pictures of the set.
        graph: their matches, which tell the residual.
        arrangement: whose motion is "translation".

    Returns:
        The arrangement with the places that correlations of all overlapping pairs agree on best. Unchanged where no
        pair can be correlated.
    """
    numbers = sorted(arrangement.to_picture)
    places = np.array([-arrangement.to_picture[number][:2, 2] for number in numbers])  # (n, 2) frame px
    offsets = list(_measure(sources, numbers, places))
    if not offsets:
        return arrangement
    root = numbers.index(arrangement.reference)
    places = _whole(_solve(places, offsets, root))
    matrices = {number: _translation(-place) for number, place in zip(numbers, places, strict=True)}
    pictures = link_pictures(graph, {number: sources[number].size for number in numbers}, arrangement.reference)
    return replace(arrangement, to_picture=matrices, residual=match_distance(pictures, matrices))


@dataclass(frozen=True)
class _Offset:
    """Place of the second tile minus that of the first, (2,) px, and how much that counts, about 0..1."""

    first: int
    second: int
    offset: NDArray[np.float64]
    weight: float


def _measure(sources: Sequence[PictureSource], numbers: Sequence[int], places: Points) -> Iterator[_Offset]:
    """The offsets of all pairs of tiles that share enough."""
    scale = np.min([sources[number].copy.scale for number in numbers], axis=0)  # (2,) that all copies are brought to
    details = [_detail(sources[number], scale) for number in numbers]
    reach = max(2, round(REACH * max(float(np.hypot(*detail.shape)) for detail in details)))
    corners = np.round(places * scale).astype(int).tolist()
    for first, second in combinations(range(len(numbers)), 2):
        shift = corners[second][0] - corners[first][0], corners[second][1] - corners[first][1]
        found = improve_shift(details[second], details[first], shift, reach, MIN_SIDE)
        if found is not None and found.correlation > MIN_CORRELATION:
            weight = found.correlation * found.area / details[first].size
            yield _Offset(first, second, np.array(found.place) / scale, weight)


def _detail(source: PictureSource, scale: NDArray[np.float64]) -> NDArray[np.float16]:
    """(h, w) a tile at `scale` (2,) px per full-size px, without what is coarse; 0 on average, half the memory."""
    grey = to_grey(to_8_bit(source.copy.pixels, source.copy.levels))
    change = scale / source.copy.scale
    w, h = np.floor(change * source.copy.size + 1e-6).astype(int).tolist()
    scaled = cv2.warpAffine(grey.astype(np.float32), scaling_homography(*change)[:2], (w, h))
    fine, coarse = (cv2.GaussianBlur(scaled, (0, 0), sigma) for sigma in (NOISE_SIGMA, LIGHT_SIGMA))
    return np.asarray(fine - coarse, np.float16)


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
