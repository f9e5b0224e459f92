"""Levelling: the frame of a turning camera is turned so that the horizon is horizontal (Brown & Lowe 2007, section 5).

People turn and tilt a camera, but hardly lean it: all cameras' horizontal axes lie in the plane of the horizon.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import Matrix

MIN_SPREAD = 0.12  # root of the mean square of the axes across their mean: a pan of about 25 degrees
SURE_SPREAD, MAX_NARROW_TILT = 0.4, 0.8  # a narrower pan cannot tell that the reference is tilted by more, radians
LEAN, TILT = 0.03, 0.3  # usual angles of a camera's leaning, and of the reference's looking up or down, radians
MAX_TILT = 1.0  # of a reference by which cameras on their sides cannot be told, radians

_AHEAD, _DOWN = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])


def levelling(rotations: NDArray[np.float64]) -> Matrix:
    """The rotation, directions of the levelled frame -> those of the reference.

    Args:
        rotations: (n, 3, 3), directions (right, down, ahead) of the reference -> those of each camera.

    Returns:
        (3, 3); the identity where the pictures span too little of a pan to tell. The frame looks where the reference
        looks, as seen on a compass; its horizon passes the centre.
    """
    # A camera held on its side is told by the reference's upright, which one that looks up or down does not show.
    upright, rows = _level(_horizontal_axes(rotations)), _level(rotations[:, 0])
    chosen = rows if rows.cost < upright.cost and rows.down @ _DOWN > math.cos(MAX_TILT) else upright
    down = chosen.down
    # What seems a narrow pan that looks at the ground is a walk around a thing.
    improbable = chosen.spread < SURE_SPREAD and down @ _DOWN < math.cos(MAX_NARROW_TILT)
    if chosen.spread < MIN_SPREAD or improbable:
        return np.eye(3)
    ahead = _AHEAD - (down @ _AHEAD) * down
    ahead /= np.linalg.norm(ahead)
    return np.column_stack([np.cross(down, ahead), down, ahead])


class _Level(NamedTuple):
    """What points down (3,), by horizontal axes, in the reference; squared usual angles that it costs; their spread."""

    down: NDArray[np.float64]
    cost: float
    spread: float


def _level(axes: NDArray[np.float64]) -> _Level:
    """The level of horizontal axes (n, 3)."""
    spread = math.sqrt(max(0.0, np.linalg.eigvalsh(axes.T @ axes / len(axes))[1]))
    # Without a wide pan the tilt of the reference is uncertain: it is more likely small.
    costs = axes.T @ axes / LEAN**2 + (np.eye(3) - np.outer(_DOWN, _DOWN)) / TILT**2
    values, vectors = np.linalg.eigh(costs)
    down = vectors[:, 0]
    return _Level(down * np.sign(down @ _DOWN), float(values[0]), spread)


def _horizontal_axes(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3): of each camera its axis along rows or, for one held on its side, along columns; reference directions."""
    rows, columns = rotations[:, 0], rotations[:, 1]
    on_its_side = np.abs(rows @ _DOWN) > np.abs(columns @ _DOWN)
    return np.where(on_its_side[:, None], columns, rows)
