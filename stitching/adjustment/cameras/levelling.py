"""Levelling: the frame of a turning camera is turned so that the horizon is horizontal (Brown & Lowe 2007, section 5).

People turn and tilt a camera, but hardly lean it: all cameras' horizontal axes lie in the plane of the horizon.
"""

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import Matrix

MIN_SPREAD = 0.12  # root of the mean square of the axes across their mean: a pan of about 25 degrees
LEAN, TILT = 0.03, 0.3  # usual angles of a camera's leaning, and of the reference's looking up or down, radians

_AHEAD, _DOWN = np.array([0.0, 0, 1]), np.array([0.0, 1, 0])


def levelling(rotations: NDArray[np.float64]) -> Matrix:
    """The rotation, directions of the levelled frame -> those of the reference.

    Args:
        rotations: (n, 3, 3), directions (right, down, ahead) of the reference -> those of each camera.

    Returns:
        (3, 3); the identity where the pictures span too little of a pan to tell. The frame looks where the reference
        looks, as seen on a compass; its horizon passes the centre.
    """
    axes = _horizontal_axes(rotations)
    if np.sqrt(max(0.0, np.linalg.eigvalsh(axes.T @ axes / len(axes))[1])) < MIN_SPREAD:
        return np.eye(3)
    # Without a wide pan the tilt of the reference is uncertain: it is more likely small.
    costs = axes.T @ axes / LEAN**2 + (np.eye(3) - np.outer(_DOWN, _DOWN)) / TILT**2
    down = np.linalg.eigh(costs)[1][:, 0]
    down = down * np.sign(down @ _DOWN)
    ahead = _AHEAD - (down @ _AHEAD) * down
    ahead /= np.linalg.norm(ahead)
    return np.column_stack([np.cross(down, ahead), down, ahead])


def _horizontal_axes(rotations: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3): of each camera its axis along rows or, for one held on its side, along columns; reference directions."""
    rows, columns = rotations[:, 0], rotations[:, 1]
    on_its_side = np.abs(rows @ _DOWN) > np.abs(columns @ _DOWN)
    return np.where(on_its_side[:, None], columns, rows)
