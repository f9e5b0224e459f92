"""Extending a warp from where it is known to the rest of the canvas, without learning."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import is_plausible, project
from stitching.geometry.pixel_maps import Field, Mask, pixel_grid, push_pull

# Residual (h, w, 2) px; known (h, w) 0..1, where 1 the residual stays as it is; overlap (h, w), outside of which
# nothing is known. Gives the residual everywhere.
Extension = Callable[[Field, NDArray[np.float32], Mask], Field]

DECAY = 0.3  # of the diagonal: distance from the overlap at which the residual has fallen to 1/e
PASSAGE = 0.03  # of the diagonal: distance from the overlap over which its warp passes to the one outside
CROWD = 0.06  # of the diagonal: a known pixel counts outside where most of a window of this side is known
PLANE = 0.0075  # of the diagonal: how far from a plane its pixels may be
PLANE_PIXELS, FEWEST_PIXELS = 2000, 200  # that a plane is fitted to


def fading(residual: Field, known: NDArray[np.float32], overlap: Mask) -> Field:
    """Fill unknown pixels smoothly, and let the residual fade with the distance from the overlap."""
    filled = push_pull(residual, known)
    return np.asarray(filled * _fade(overlap, DECAY)[..., None], np.float32)


def planar(residual: Field, known: NDArray[np.float32], overlap: Mask) -> Field:
    """Fill what is not known: in the overlap as the nearest known pixels move, outside as most of them do.

    What most of them do is one homography, a plane of the scene, and it goes on beyond the overlap better than the
    coarse alignment. What known pixels do beside it goes on smoothly; only those among many others count, as lone
    ones are wrong more often.
    """
    diagonal = float(np.hypot(*overlap.shape))
    side = round(CROWD * diagonal) | 1
    crowded = cv2.blur((known > 0).astype(np.float32), (side, side)) > 0.5
    sure = (known * crowded).astype(np.float32)
    plane = _plane(residual, sure, PLANE * diagonal)
    outside = plane + push_pull(residual - plane, sure)
    step = push_pull(push_pull(residual, known) - outside, overlap.astype(np.float32))
    return np.asarray(outside + step * _fade(overlap, PASSAGE)[..., None], np.float32)


def _plane(residual: Field, sure: NDArray[np.float32], tolerance: float) -> Field:
    """(h, w, 2): how the homography moves the canvas that most sure pixels follow; zeros where there is none."""
    h, w = sure.shape
    pixels = np.flatnonzero(sure > 0.5)
    pixels = pixels[:: max(1, len(pixels) // PLANE_PIXELS)]
    nothing = np.zeros((h, w, 2), np.float32)
    if len(pixels) < FEWEST_PIXELS:
        return nothing
    grid = pixel_grid(h, w)
    start = grid.reshape(-1, 2)[pixels].astype(np.float64)  # (h, w, 2) -> (n, 2)
    end = start + residual.reshape(-1, 2)[pixels]
    homography, _ = cv2.findHomography(start, end, cv2.RANSAC, tolerance, maxIters=2000, confidence=0.999)
    if homography is None:
        return nothing
    matrix = np.asarray(homography, np.float64)
    if not is_plausible(matrix, (h, w), (h, w)):
        return nothing
    return (project(matrix, grid.astype(np.float64)) - grid).astype(np.float32)


def _fade(overlap: Mask, reach: float) -> NDArray[np.float32]:
    """(h, w): 1 in the overlap, 1/e `reach` diagonals beside it."""
    distance = cv2.distanceTransform((~overlap).astype(np.uint8), cv2.DIST_L2, 5)
    ratio = np.minimum(distance / (reach * float(np.hypot(*overlap.shape))), 9)  # without an overlap out of range
    return np.asarray(np.exp(-np.square(ratio)), np.float32)
