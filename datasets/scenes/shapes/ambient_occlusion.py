"""Ambient occlusion: surfaces in corners, under furniture and inside tree crowns receive less ambient light."""

import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Floats
from datasets.scenes.shapes.vectors import cross

_REACH = 2  # half width of the neighbourhood, voxels
_SAMPLES = 8  # points on each triangle
_STRENGTH = 0.85  # one wall through the middle of the neighbourhood leaves exp(-0.85) of the light


def ambient_openness(corners: Floats, normals: Floats, region: Floats, voxel: float) -> Floats:
    """Openness (n, 3) in (0, 1] of the corners (n, 3, 3) with unit normals (n, 3, 3).

    It falls with the area of the surfaces in a cube of 5 voxels a side that stands before the corner.
    Corners outside of `region` (2, 3), its lowest and highest corner in m, count as open.
    """
    counts = np.maximum(np.ceil((region[1] - region[0]) / voxel).astype(int), 1)
    density = _blurred(_surface_area(corners, region[0], counts, voxel))
    # The cube begins one voxel off the surface, so that a plane does not darken itself.
    before = (corners + normals * np.float32((_REACH + 1.5) * voxel) - region[0]) / np.float32(voxel)
    cell, inside = _cells(before.reshape(-1, 3), counts)
    found = np.where(inside, density.reshape(-1)[np.where(inside, cell, 0)], 0.0)
    return np.exp(-_STRENGTH * found).reshape(-1, 3).astype(np.float32)


def _surface_area(corners: Floats, lowest: Floats, counts: NDArray[np.int_], voxel: float) -> NDArray[np.float64]:
    """Surface in each voxel of a grid (counts), in faces of a voxel."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    doubled = np.linalg.norm(cross(first, second), axis=-1)
    # Points of the R2 sequence, folded into the triangle: even, and the same for every triangle.
    steps = np.arange(1, _SAMPLES + 1, dtype=np.float32)[:, None] * np.array([0.7548777, 0.5698403], np.float32) % 1
    steps = np.where(steps.sum(axis=1, keepdims=True) > 1, 1 - steps, steps).astype(np.float32)
    origin = (corners[:, 0] - lowest) / np.float32(voxel)
    points = origin[:, None] + steps @ (np.stack((first, second), axis=1) / np.float32(voxel))
    cell, inside = _cells(points.reshape(-1, 3), counts)
    weight = np.repeat(doubled * (0.5 / _SAMPLES / voxel**2), _SAMPLES)
    grid = np.bincount(cell[inside], weight[inside], minlength=int(counts.prod()))
    return np.asarray(grid.reshape(counts), np.float64)


def _cells(points: NDArray[np.floating], counts: NDArray[np.int_]) -> tuple[NDArray[np.int_], NDArray[np.bool_]]:
    """Flat index of the voxel of each point (n, 3), given in voxels, and whether it is in the grid."""
    index = np.floor(points).astype(int)
    inside = np.all((index >= 0) & (index < counts), axis=1)
    return (index[:, 0] * counts[1] + index[:, 1]) * counts[2] + index[:, 2], inside


def _blurred(grid: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over cubes of 2 * _REACH + 1 voxels a side, relative to one face of the cube."""
    side = 2 * _REACH + 1
    for axis in range(3):
        width = [(0, 0)] * 3
        width[axis] = (_REACH + 1, _REACH)
        total = np.cumsum(np.pad(grid, width), axis=axis)
        behind, ahead = [slice(None)] * 3, [slice(None)] * 3
        behind[axis], ahead[axis] = slice(0, -side), slice(side, None)
        grid = total[tuple(ahead)] - total[tuple(behind)]
    return grid / side**2
