"""Away from the seam a warp may be calm: only one picture is shown there, and its shapes should stay natural."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.fields import Field, Mask, pixel_grid, push_pull

NEAR, FAR = 0.02, 0.1  # of the diagonal: up to here the warp stays dense, from here on it is calm
SMOOTHNESS = 0.04  # of the diagonal, sigma of the calm warp
SAMPLE = 16  # px between the places that the base homography is fitted to


def calm_places(places: Field, covered: Mask, trusted: Mask, weight: NDArray[np.float32]) -> Field:
    """Pass from the dense backward map at the seam to a smooth one where only the target is shown.

    Args:
        places: (h, w, 2) canvas -> target px.
        covered: (h, w), where that is known at all.
        trusted: (h, w), where it is known well.
        weight: (h, w), share of the reference in the panorama.

    Returns:
        (h, w, 2) like `places`, defined everywhere.
    """
    h, w = covered.shape
    base = _base(places, trusted)
    dense = push_pull(places - base, covered.astype(np.float32))
    sure = push_pull(places - base, trusted.astype(np.float32))
    diagonal = float(np.hypot(h, w))
    smooth = cv2.GaussianBlur(sure, (0, 0), SMOOTHNESS * diagonal)
    from_reference = cv2.distanceTransform((weight < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.clip((from_reference / diagonal - NEAR) / (FAR - NEAR), 0, 1)
    share = (t * t * (3 - 2 * t))[..., None].astype(np.float32)
    return base + dense + share * (smooth - dense)


def _base(places: Field, trusted: Mask) -> Field:
    """The homography nearest to the map: what is left after it can be smoothed without bending straight lines."""
    h, w = trusted.shape
    grid = pixel_grid(h, w)
    sampled = trusted[::SAMPLE, ::SAMPLE]
    points, targets = grid[::SAMPLE, ::SAMPLE][sampled], places[::SAMPLE, ::SAMPLE][sampled]  # (n, 2) each
    homography = None
    if len(points) >= 4:
        homography, _ = cv2.findHomography(points, targets, 0)
    if homography is None:
        return grid
    return cv2.perspectiveTransform(grid.reshape(-1, 1, 2), homography).reshape(h, w, 2)  # (h*w, 1, 2) and back
