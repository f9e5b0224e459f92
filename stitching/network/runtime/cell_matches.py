"""Matches of a network that lead from a cell of the target to the reference and back again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Points
from stitching.network.interface import Runtime
from stitching.network.runtime.window import NetworkWindow

MAX_ROUND_TRIP = 1.5  # cells between where a match begins and where it comes back to


@dataclass(frozen=True, eq=False)
class CellMatches:
    """Matches of the centres of the target's cells.

    Attributes:
        target, reference: (n, 2) float64, px of the pictures that were matched.
        probability: (n,) float32, 0..1, geometric mean of both ways.
        cell: px of the pictures, side of a cell.
    """

    target: Points
    reference: Points
    probability: NDArray[np.float32]
    cell: float

    def __len__(self) -> int:
        return len(self.target)


def match_cells(matching: Runtime, window: NetworkWindow) -> CellMatches:
    """All matches of a network (`stitching.network.interface.MATCHING`) that are mutual, px of the window's part.

    A match is mutual if the reference's cell that it leads to leads back to within `MAX_ROUND_TRIP` cells.
    """
    found = matching(window.pictures)
    forward, backward = found["forward_matches"][0], found["backward_matches"][0]  # (2, rows, columns)
    rows, columns = forward.shape[1:]
    cell = window.pictures["target"].shape[3] / columns
    start = (np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2) + 0.5) * cell - 0.5
    move = forward.reshape(2, -1).T  # (2, rows, columns) -> (n, 2)
    end_cell = np.floor((start + move + 0.5) / cell).astype(np.intp)
    x, y = np.clip(end_cell, 0, (columns - 1, rows - 1)).T
    mutual = np.linalg.norm(move + backward[:, y, x].T, axis=1) < MAX_ROUND_TRIP * cell
    mutual &= _shown(window.pictures["target_valid"], start) & _shown(window.pictures["reference_valid"], start + move)
    both = found["forward_confidence"].ravel() * found["backward_confidence"][0, 0, y, x]
    target, reference = (window.points_to_canvas(points[mutual]) for points in (start, start + move))
    return CellMatches(target, reference, np.sqrt(both[mutual]), cell / float(window.scale.min()))


def _shown(valid: NDArray[np.float32], points: Points) -> NDArray[np.bool_]:
    """(n,): which points (n, 2) of the window lie on valid (1, 1, h, w) pixels."""
    h, w = valid.shape[2:]
    x, y = np.round(points).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < w) & (y < h)
    return np.asarray(inside & (valid[0, 0, np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)] > 0))
