"""Extrapolating a residual from where it is known to the whole canvas, without learning."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.distances import distance_to
from stitching.geometry.homographies import is_plausible, project
from stitching.geometry.pixel_maps import Field, Mask, pixel_grid, push_pull

# Residual (h, w, 2) px; known (h, w) 0..1, where 1 the residual stays as it is; overlap (h, w), outside of which
# nothing is known. Gives the residual everywhere.
Extrapolation = Callable[[Field, NDArray[np.float32], Mask], Field]

FADING_DISTANCE = 0.3  # of the diagonal: distance from the overlap at which the residual has fallen to 1/e
TRANSITION = 0.03  # of the diagonal: the same for the overlap's deviation from the extrapolated plane
SUPPORT_WINDOW = 0.06  # of the diagonal, side: outside, a known pixel counts if most of a window around it is known
PLANE_TOLERANCE = 0.0075  # of the diagonal: how far from a plane its pixels may be
MIN_PLANE_PIXELS, MAX_PLANE_PIXELS = 200, 2000  # that a plane is fitted to


def extrapolate_fading(residual: Field, known: NDArray[np.float32], overlap: Mask) -> Field:
    """Fill unknown pixels smoothly, and let the residual fade to zero with the distance from the overlap.

    Far from the overlap the coarse alignment alone is left, which neither tears nor folds.
    """
    filled = push_pull(residual, known)
    return np.asarray(filled * _fade(overlap, FADING_DISTANCE)[..., None], np.float32)


def extrapolate_on_plane(residual: Field, known: NDArray[np.float32], overlap: Mask) -> Field:
    """Fill the overlap as the nearest known pixels move, and what lies outside as most known pixels do.

    What most of them do is one homography, that of a plane of the scene. Outside, it is truer than the coarse
    alignment. Known pixels that move otherwise are added smoothly, if most of their surroundings are known: lone ones
    are wrong more often.
    """
    diagonal = float(np.hypot(*overlap.shape))
    side = round(SUPPORT_WINDOW * diagonal) | 1
    supported = cv2.blur((known > 0).astype(np.float32), (side, side)) > 0.5
    reliable = (known * supported).astype(np.float32)
    plane = _dominant_plane(residual, reliable, PLANE_TOLERANCE * diagonal)
    outside = plane + push_pull(residual - plane, reliable)
    step = push_pull(push_pull(residual, known) - outside, overlap.astype(np.float32))
    return np.asarray(outside + step * _fade(overlap, TRANSITION)[..., None], np.float32)


def _dominant_plane(residual: Field, reliable: NDArray[np.float32], tolerance: float) -> Field:
    """(h, w, 2): how the homography that most reliable pixels follow moves the canvas; zeros where there is none."""
    h, w = reliable.shape
    pixels = np.flatnonzero(reliable > 0.5)
    pixels = pixels[:: max(1, len(pixels) // MAX_PLANE_PIXELS)]
    unmoved = np.zeros((h, w, 2), np.float32)
    if len(pixels) < MIN_PLANE_PIXELS:
        return unmoved
    grid = pixel_grid(h, w)
    start = grid.reshape(-1, 2)[pixels].astype(np.float64)  # (h, w, 2) -> (n, 2)
    end = start + residual.reshape(-1, 2)[pixels]  # (h, w, 2) -> (n, 2)
    homography, _ = cv2.findHomography(start, end, cv2.RANSAC, tolerance, maxIters=2000, confidence=0.999)
    if homography is None:
        return unmoved
    matrix = np.asarray(homography, np.float64)
    if not is_plausible(matrix, (h, w), (h, w)):
        return unmoved
    return (project(matrix, grid.astype(np.float64)) - grid).astype(np.float32)


def _fade(overlap: Mask, distance: float) -> NDArray[np.float32]:
    """(h, w): 1 in the overlap, 1/e at a distance from it (a share of the diagonal), a Gaussian in between."""
    ratio = distance_to(overlap) / (distance * float(np.hypot(*overlap.shape)))
    return np.asarray(np.exp(-np.square(ratio)), np.float32)
