"""What a panorama is cut to: its pixels, or the largest rectangle of it without empty ones."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.rectangles import Rectangle

GRID_SIDE = 400  # cells on the longer side of the grid on which the rectangle is sought


def shown_rectangle(alpha: NDArray[np.uint8]) -> Rectangle:
    """The smallest rectangle that holds all that a panorama shows: none of its outermost rows and columns is empty.

    All of `alpha` where it shows nothing.

    Args:
        alpha: (h, w) uint8, 255 where the panorama has a pixel, else 0.
    """
    h, w = alpha.shape
    left, top, width, height = cv2.boundingRect(alpha)
    return Rectangle(left, top, left + width, top + height) if width else Rectangle(0, 0, w, h)


def largest_rectangle(alpha: NDArray[np.uint8]) -> Rectangle:
    """The largest axis-parallel rectangle that alpha fills.

    It is the largest that consists of cells of a grid; all of `alpha` where no cell is full.

    Args:
        alpha: (h, w) uint8, 255 where the panorama has a pixel, else 0.
    """
    h, w = alpha.shape
    step = max(1, -(-max(h, w) // GRID_SIDE))  # px a cell
    rows, columns = h // step, w // step
    blocks = alpha[: rows * step, : columns * step].reshape(rows, step, columns, step)  # (h', w') -> cells' pixels
    full = blocks.min(axis=(1, 3)) > 0  # (rows, columns)
    if not full.any():
        return Rectangle(0, 0, w, h)
    best = max(_maximal_rectangles(full), key=lambda r: (r[2] - r[0]) * (r[3] - r[1]))
    return Rectangle(*(edge * step for edge in best))


def _maximal_rectangles(full: NDArray[np.bool_]) -> Iterator[tuple[int, int, int, int]]:
    """Full rectangles that cannot be made wider or taller upwards: in each row those under the histogram above it."""
    heights = np.zeros(full.shape[1], int)  # full cells above and in the row
    for row, cells in enumerate(full):
        heights = np.where(cells, heights + 1, 0)
        for left, right, height in _under_histogram(heights.tolist()):
            yield left, row + 1 - height, right, row + 1


def _under_histogram(heights: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """(left, right, height) of the widest rectangle of each height that fits under a histogram."""
    growing: list[tuple[int, int]] = []  # (left, height) of rectangles that go on to the right, rising heights
    for column, height in enumerate([*heights, 0]):  # the last one ends all
        left = column
        while growing and growing[-1][1] >= height:
            left, ended = growing.pop()
            if ended:
                yield left, column, ended
        growing.append((left, height))
