"""Vectors, rotations and boxes in the world frame: x right, y down, z forward."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from datasets.arrays import Floats


def areas(corners: Floats) -> Floats:
    """Areas (n,) of triangles (n, 3, 3), m^2."""
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    return np.asarray(np.linalg.norm(cross(first, second), axis=-1) / 2, np.float32)


def cross(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cross product over the last axis; several times as fast as numpy's."""
    ax, ay, az, bx, by, bz = a[..., 0], a[..., 1], a[..., 2], b[..., 0], b[..., 1], b[..., 2]
    return np.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), axis=-1, dtype=np.float64)


def unit(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
    """Vectors of length 1 over the last axis; those of no length point up."""
    length = np.sqrt((vectors * vectors).sum(axis=-1, keepdims=True))
    up = np.array([0.0, -1.0, 0.0], vectors.dtype)
    return np.asarray(np.where(length > 1e-9, vectors / np.maximum(length, 1e-9), up), np.float64)


def turned(yaw: ArrayLike) -> NDArray[np.float64]:
    """Rotations (..., 3, 3) about the vertical by `yaw` radians (...): column 0 is where x goes."""
    angle = np.asarray(yaw, np.float64)
    c, s, o, i = np.cos(angle), np.sin(angle), np.zeros_like(angle), np.ones_like(angle)
    flat = np.stack((c, o, s, o, i, o, -s, o, c), axis=-1)
    return flat.reshape(*angle.shape, 3, 3)


def leaning(angle: ArrayLike) -> NDArray[np.float64]:
    """Rotations (..., 3, 3) about x by `angle` radians (...): what stands leans backwards, its top to +z."""
    tilt = np.asarray(angle, np.float64)
    c, s, o, i = np.cos(tilt), np.sin(tilt), np.zeros_like(tilt), np.ones_like(tilt)
    flat = np.stack((i, o, o, o, c, s, o, -s, c), axis=-1)
    return flat.reshape(*tilt.shape, 3, 3)


def around(middle: ArrayLike, reach: ArrayLike) -> Floats:
    """(2, 3) lowest and highest corner of a box that reaches `reach` (3,) m from its middle (3,) to each side."""
    position, half = np.asarray(middle, np.float64), np.asarray(reach, np.float64)
    return np.stack((position - half, position + half)).astype(np.float32)
