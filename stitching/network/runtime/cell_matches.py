"""Mutual matches of a network: from a cell of the target to the reference, and from there back again."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Points, pixel_grid
from stitching.network.interface import Planes, Runtime
from stitching.network.runtime.window import NetworkWindow

MAX_ROUND_TRIP = 1.5  # cells between where a match begins and where it comes back to


@dataclass(frozen=True, eq=False)
class CellMatches:
    """Matches of the centres of the target's cells.

    Attributes:
        target, reference: (n, 2) float64, px of the pictures that were matched.
        cell: px of the pictures, side of a cell.
    """

    target: Points
    reference: Points
    cell: float


def match_cells(matching: Runtime, window: NetworkWindow) -> CellMatches:
    """All mutual matches of a network (`stitching.network.interface.MATCHING`), px of the window's part."""
    found = matching(window.pictures)
    move = found["forward_matches"][0].reshape(2, -1).T  # (1, 2, rows, columns) -> (n, 2)
    start = _centres(found, _cell(window, found))
    valid = _shown(window.pictures["target_valid"], start) & _shown(window.pictures["reference_valid"], start + move)
    mutual = mutual_cells(window, found, "forward").ravel() & valid
    target, reference = (window.points_to_canvas(points[mutual]) for points in (start, start + move))
    return CellMatches(target, reference, _cell(window, found) / float(window.scale.min()))


def mutual_cells(window: NetworkWindow, found: Planes, side: str) -> NDArray[np.bool_]:
    """(rows, columns): which cells are matched to one that leads back to within `MAX_ROUND_TRIP` cells.

    Args:
        window: what was matched.
        found: the network's outputs.
        side: "forward" for cells of the target, "backward" for those of the reference.
    """
    cell = _cell(window, found)
    there, back = (found[f"{way}_matches"][0] for way in (side, "backward" if side == "forward" else "forward"))
    rows, columns = there.shape[1:]
    move = there.reshape(2, -1).T  # (2, rows, columns) -> (n, 2)
    ends = np.floor((_centres(found, cell) + move + 0.5) / cell).astype(np.intp)  # (n, 2) cells
    nearest = np.clip(ends, 0, (columns - 1, rows - 1))
    x, y = nearest.T
    returns = np.linalg.norm(move + back[:, y, x].T, axis=1) < MAX_ROUND_TRIP * cell
    return np.asarray(returns & (ends == nearest).all(axis=1)).reshape(rows, columns)  # (n,) -> (rows, columns)


def _cell(window: NetworkWindow, found: Planes) -> float:
    """Px of the window, side of a cell."""
    return float(window.pictures["target"].shape[3] / found["forward_matches"].shape[3])


def _centres(found: Planes, cell: float) -> Points:
    """(n, 2) centres of the cells, row by row, px of the window."""
    rows, columns = found["forward_matches"].shape[2:]
    return (pixel_grid(rows, columns).reshape(-1, 2).astype(np.float64) + 0.5) * cell - 0.5


def _shown(valid: NDArray[np.float32], points: Points) -> NDArray[np.bool_]:
    """(n,): which points (n, 2) of the window lie on valid (1, 1, h, w) pixels."""
    h, w = valid.shape[2:]
    x, y = np.round(points).astype(np.intp).T
    inside = (x >= 0) & (y >= 0) & (x < w) & (y < h)
    return np.asarray(inside & (valid[0, 0, np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)] > 0))
