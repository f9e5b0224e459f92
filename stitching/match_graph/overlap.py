"""The overlap of two tiles: their translation to parts of a pixel, and where they look alike after it."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import Matches
from stitching.alignment.translation import parabola_vertex
from stitching.geometry.pixel_maps import Grey

STEP = 12  # px, distance of the matches
BLOCK = 25  # px, side of what is compared around a match
NOISE_SIGMA = 1.5  # px: finer differences are noise
MIN_DEVIATION = 1.0  # grey levels in a block that shows something
MIN_CORRELATION = 0.4  # of two blocks that look alike
CLEAR, CLEAR_SHARE = 4.0, 0.25  # grey levels in a block that shows something clearly; at least so many blocks do
MIN_ALIKE = 0.85  # of the clear blocks: one flat original gives 0.93 to 1, chance and parallax up to 0.76


@dataclass(frozen=True)
class Shift:
    """A translation, and how much speaks for it.

    Attributes:
        place: (x, y), target px -> reference px.
        correlation: of the two pictures where they overlap after it, -1..1.
        area: px that were correlated.
    """

    place: tuple[float, float]
    correlation: float
    area: int


def improve_shift(
    target: NDArray[np.generic], reference: NDArray[np.generic], shift: tuple[int, int], reach: int, min_side: int
) -> Shift | None:
    """The translation near another one after which the overlap is most alike, to parts of a pixel.

    Args:
        target, reference: (h, w) real numbers.
        shift: (x, y), target px -> reference px.
        reach: px around it that are looked at, and that are left out at the sides of the overlap.
        min_side: px, least side of what is left.

    Returns:
        None where the overlap is smaller, or where it may be more alike out of reach.
    """
    left, top, right, bottom = _overlap(target, reference, shift)
    if min(right - left, bottom - top) < 2 * reach + min_side:
        return None
    template = target[top + reach : bottom - reach, left + reach : right - reach].astype(np.float32)
    around = reference[top + shift[1] : bottom + shift[1], left + shift[0] : right + shift[0]].astype(np.float32)
    likeness = cv2.matchTemplate(around, template, cv2.TM_CCOEFF_NORMED)  # (2 reach + 1, 2 reach + 1)
    row, column = divmod(int(likeness.argmax()), likeness.shape[1])
    best = float(likeness[row, column])
    # OpenCV's correlation of pictures of one colour is infinite or 1.
    if not (0 < row < 2 * reach and 0 < column < 2 * reach and best < 1.01):
        return None
    x = parabola_vertex(*likeness[row, column - 1 : column + 2].tolist())
    y = parabola_vertex(*likeness[row - 1 : row + 2, column].tolist())
    return Shift((shift[0] + column - reach + x, shift[1] + row - reach + y), best, template.size)


def matches_of_overlap(target: Grey, reference: Grey, shift: tuple[float, float]) -> Matches:
    """Points of a grid around which two pictures look alike after a translation.

    Args:
        target, reference: (h, w) uint8.
        shift: (x, y), target px -> reference px.

    Returns:
        None of them where too much of the overlap differs: there are a few strong edges, as a horizon, that lie on each
        other in pictures of different things, too.
    """
    near = round(shift[0]), round(shift[1])
    left, top, right, bottom = _overlap(target, reference, near)
    there = _without_noise(target)[top:bottom, left:right]
    here = _without_noise(reference)[top + near[1] : bottom + near[1], left + near[0] : right + near[0]]
    mean_there, mean_here = _mean(there), _mean(here)
    deviation = (
        np.sqrt(np.maximum(_mean(there**2) - mean_there**2, 0)),
        np.sqrt(np.maximum(_mean(here**2) - mean_here**2, 0)),
    )
    alike = _mean(there * here) - mean_there * mean_here > MIN_CORRELATION * deviation[0] * deviation[1]
    contrast = np.maximum(*deviation)
    clear = contrast >= min(CLEAR, float(np.quantile(contrast, 1 - CLEAR_SHARE)))
    if alike[clear].mean() < MIN_ALIKE:
        return Matches(np.zeros((0, 2)), np.zeros((0, 2)))
    shows = np.minimum(*deviation) > MIN_DEVIATION
    rows, columns = np.nonzero((alike & shows)[STEP // 2 :: STEP, STEP // 2 :: STEP])
    corner = np.array([left + STEP // 2, top + STEP // 2], np.float64)
    points = corner + STEP * np.stack([columns, rows], axis=-1).astype(np.float64)  # (n, 2)
    return Matches(points, points + np.array(shift, np.float64))


def _without_noise(picture: Grey) -> NDArray[np.float32]:
    return np.asarray(cv2.GaussianBlur(picture.astype(np.float32), (0, 0), NOISE_SIGMA), np.float32)


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(values, (BLOCK, BLOCK), borderType=cv2.BORDER_REFLECT), np.float32)


def _overlap(
    target: NDArray[np.generic], reference: NDArray[np.generic], shift: tuple[int, int]
) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the target that the reference shows, px."""
    (h, w), (height, width), (x, y) = target.shape, reference.shape, shift
    return max(0, -x), max(0, -y), min(w, width - x), min(h, height - y)
