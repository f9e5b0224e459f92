"""The largest rectangle without empty pixels."""

import numpy as np
from numpy.typing import NDArray

LONGEST = 400  # px at which the rectangle is sought; the result is exact on that grid, shrunk to be safe


def largest_rectangle(alpha: NDArray[np.uint8]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the largest axis-parallel rectangle that alpha fills.

    Args:
        alpha: (h, w) uint8, 255 where something was seen.
    """
    h, w = alpha.shape
    shrink = max(1, -(-max(h, w) // LONGEST))  # px per cell
    rows, columns = h // shrink, w // shrink
    # A cell counts only if all of its pixels do.
    blocks = alpha[: rows * shrink, : columns * shrink].reshape(rows, shrink, columns, shrink)
    cells = blocks.min(axis=(1, 3)) > 0
    if not cells.any():
        return 0, 0, w, h
    best, found = 0, (0, 0, columns, rows)
    heights = np.zeros(columns + 1, int)  # the last one stays 0 and closes every open rectangle
    for bottom in range(rows):
        heights[:-1] = np.where(cells[bottom], heights[:-1] + 1, 0)
        open_at: list[tuple[int, int]] = []  # (left, height), rising heights
        for column, height in enumerate(heights.tolist()):
            left = column
            while open_at and open_at[-1][1] >= height:
                left, tall = open_at.pop()
                if tall * (column - left) > best:
                    best, found = tall * (column - left), (left, bottom + 1 - tall, column, bottom + 1)
            open_at.append((left, height))
    left, top, right, bottom = (int(edge) * shrink for edge in found)
    return left, top, right, bottom
