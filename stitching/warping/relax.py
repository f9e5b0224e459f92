"""Relaxing the backward map away from the seam: one picture alone is shown there, and should keep its shapes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import nearest_homography_map
from stitching.geometry.pixel_maps import Field, push_pull, resize_field, smoothstep
from stitching.warping.placement import Placement

TRANSITION = 0.03  # of the diagonal: so far from what the reference shows the map is the smooth one alone
SIGMA = 0.04  # of the diagonal, of the Gaussian that makes the map smooth


def relax_map(placement: Placement, weight: NDArray[np.float32]) -> Field:
    """Pass from the dense backward map at the seam to a smooth one where only the target is shown.

    The smooth map is the homography nearest to the dense one, plus the blurred difference of the two; both maps are
    filled from their surroundings where they are not known.

    Args:
        placement: of the target.
        weight: (h, w), share of the reference in the panorama, 0..1.

    Returns:
        (h, w, 2) canvas -> full-size target px, like `placement.map_xy`, defined everywhere.
    """
    h, w = weight.shape
    diagonal = float(np.hypot(h, w))
    base = nearest_homography_map(placement.map_xy, placement.trusted)
    offset = placement.map_xy - base
    dense = push_pull(offset, placement.covered.astype(np.float32))
    trusted = push_pull(offset, placement.trusted.astype(np.float32))
    quarter = cv2.resize(trusted, (max(1, w // 4), max(1, h // 4)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(quarter, (0, 0), SIGMA * diagonal / 4)
    smooth = resize_field(np.asarray(blurred, np.float32), (w, h))
    from_reference = cv2.distanceTransform((weight < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.minimum(from_reference / (TRANSITION * diagonal), 1)
    share = smoothstep(np.asarray(t, np.float32))[..., None]  # 0 at the seam, 1 from TRANSITION on
    return np.asarray(base + dense + share * (smooth - dense), np.float32)
