"""The overlap of two tiles: their translation to parts of a pixel, and where they look alike after it."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import Matches
from stitching.alignment.translation import parabola_vertex
from stitching.geometry.pixel_maps import Grey

REACH = 6  # px around the translation that is improved
STEP = 12  # px, distance of the matches
BLOCK = 25  # px, side of what is compared around a match
MIN_DEVIATION = 1.0  # grey levels in a block that shows something
MIN_CORRELATION = 0.4  # of two blocks that look alike


def improve_shift(target: Grey, reference: Grey, shift: tuple[int, int]) -> tuple[float, float]:
    """The translation with the largest normalised correlation of the overlap, within `REACH` px of another.

    Args:
        target, reference: (h, w) uint8.
        shift: (x, y), target px -> reference px.
    """
    left, top, right, bottom = _overlap(target, reference, shift)
    template = target[top + REACH : bottom - REACH, left + REACH : right - REACH]
    if not template.size:
        return float(shift[0]), float(shift[1])
    ahead = reference[top + shift[1] : bottom + shift[1], left + shift[0] : right + shift[0]]
    score = cv2.matchTemplate(ahead, template, cv2.TM_CCOEFF_NORMED)  # (2 REACH + 1, 2 REACH + 1)
    row, column = divmod(int(score.argmax()), score.shape[1])
    padded = np.pad(score, 1, mode="edge").astype(np.float64)  # the place (row, column) is at (row + 1, column + 1)
    x = parabola_vertex(*padded[row + 1, column : column + 3].tolist())
    y = parabola_vertex(*padded[row : row + 3, column + 1].tolist())
    return shift[0] + column - REACH + x, shift[1] + row - REACH + y


def matches_of_overlap(target: Grey, reference: Grey, shift: tuple[float, float]) -> Matches:
    """Points of a grid around which two pictures look alike after a translation.

    Args:
        target, reference: (h, w) uint8.
        shift: (x, y), target px -> reference px.
    """
    near = round(shift[0]), round(shift[1])
    left, top, right, bottom = _overlap(target, reference, near)
    there = target[top:bottom, left:right].astype(np.float32)
    here = reference[top + near[1] : bottom + near[1], left + near[0] : right + near[0]].astype(np.float32)
    mean_there, mean_here = _mean(there), _mean(here)
    deviation = (
        np.sqrt(np.maximum(_mean(there**2) - mean_there**2, 0)),
        np.sqrt(np.maximum(_mean(here**2) - mean_here**2, 0)),
    )
    alike = _mean(there * here) - mean_there * mean_here > MIN_CORRELATION * deviation[0] * deviation[1]
    shows = np.minimum(*deviation) > MIN_DEVIATION
    rows, columns = np.nonzero((alike & shows)[STEP // 2 :: STEP, STEP // 2 :: STEP])
    corner = np.array([left + STEP // 2, top + STEP // 2], np.float64)
    points = corner + STEP * np.stack([columns, rows], axis=-1).astype(np.float64)  # (n, 2)
    return Matches(points, points + np.array(shift, np.float64))


def _mean(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(cv2.blur(values, (BLOCK, BLOCK), borderType=cv2.BORDER_REFLECT), np.float32)


def _overlap(target: Grey, reference: Grey, shift: tuple[int, int]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the target that the reference shows, px."""
    (h, w), (height, width), (x, y) = target.shape, reference.shape, shift
    return max(0, -x), max(0, -y), min(w, width - x), min(h, height - y)
