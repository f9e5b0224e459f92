"""Homographies: (3, 3) float64 matrices that map points of one plane to another."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, pixel_grid

Matrix = NDArray[np.float64]

LARGEST_AREA_CHANGE = 5.0
_FIT_STEP = 16  # px between the points that a homography is fitted to


def is_plausible(homography: Matrix, target_shape: tuple[int, ...], reference_shape: tuple[int, ...]) -> bool:
    """Whether a homography could come from two photographs of one scene.

    Refused: horizon inside the target, mirrored or folded outline, area changed more than
    `LARGEST_AREA_CHANGE` times where the pictures overlap, no overlap.
    """
    if not np.isfinite(homography).all():
        return False
    h, w = target_shape[:2]
    corners = np.array([[0, 0], [w - 1, 0], [w - 1, h - 1], [0, h - 1]], np.float64)
    depth = homography[2, :2] @ corners.T + homography[2, 2]  # (4,)
    if (depth <= 0.1 * depth.max()).any():
        return False
    outline = project(homography, corners)
    edges = np.roll(outline, -1, axis=0) - outline
    turns = edges[:, 0] * np.roll(edges[:, 1], -1) - edges[:, 1] * np.roll(edges[:, 0], -1)
    if (turns <= 0).any():
        return False
    rh, rw = reference_shape[:2]
    frame = np.array([[0, 0], [rw - 1, 0], [rw - 1, rh - 1], [0, rh - 1]], np.float32)
    shared_area, shared = cv2.intersectConvexConvex(outline.astype(np.float32), frame)
    if shared_area < 0.01 * rw * rh:
        return False
    source = project(np.linalg.inv(homography), np.asarray(shared, np.float64).reshape(-1, 2))  # (k, 2)
    change = shared_area / max(cv2.contourArea(source.astype(np.float32)), 1e-6)
    return bool(1 / LARGEST_AREA_CHANGE < change < LARGEST_AREA_CHANGE)


def project(homography: NDArray[np.floating], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (..., 2) points; those on or behind the horizon become NaN."""
    mapped = points @ homography[:, :2].T + homography[:, 2]  # (..., 3)
    depth = np.where(mapped[..., 2:] > 1e-9, mapped[..., 2:], np.nan)
    result: NDArray[np.float64] = mapped[..., :2] / depth
    return result


def scaling_homography(factor: float) -> Matrix:
    """Enlarges pixel coordinates (centres at integers) by `factor`."""
    shift = (factor - 1) / 2
    return np.array([[factor, 0, shift], [0, factor, shift], [0, 0, 1]], np.float64)


def nearest_homography_map(map_xy: Field, known: Mask) -> Field:
    """The homography nearest to a map where that is known, in least squares, as a map of its own.

    Args:
        map_xy: (h, w, 2) px.
        known: (h, w), where it counts.

    Returns:
        (h, w, 2) px; the identity where fewer than four points are known.
    """
    h, w = known.shape
    grid = pixel_grid(h, w)
    sampled = known[::_FIT_STEP, ::_FIT_STEP]
    start, end = grid[::_FIT_STEP, ::_FIT_STEP][sampled], map_xy[::_FIT_STEP, ::_FIT_STEP][sampled]  # (n, 2) each
    homography = None
    if len(start) >= 4:
        homography, _ = cv2.findHomography(start, end, 0)
    if homography is None:
        return grid
    moved = cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography)  # (h, w, 2) -> (h w, 1, 2)
    return np.asarray(moved, np.float32).reshape(h, w, 2)  # (h w, 1, 2) -> (h, w, 2)
