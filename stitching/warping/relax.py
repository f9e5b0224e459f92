"""Away from the seam a warp may be calm: one picture alone is shown there, its shapes should be natural."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, push_pull, resize_field
from stitching.warping.occlusion import nearest_homography

FAR = 0.03  # of the diagonal: at the seam the warp is dense, this far from it it is calm
SMOOTHNESS = 0.04  # of the diagonal, sigma of the calm warp


def relax_map(map_xy: Field, covered: Mask, trusted: Mask, weight: NDArray[np.float32]) -> Field:
    """Pass from the dense backward map at the seam to a smooth one where only the target is shown.

    Args:
        places: (h, w, 2) canvas -> target px.
        covered: (h, w), where that is known at all.
        trusted: (h, w), where it is known well.
        weight: (h, w), share of the reference in the panorama.

    Returns:
        (h, w, 2) like `map_xy`, defined everywhere.
    """
    h, w = covered.shape
    base = nearest_homography(map_xy, trusted)
    dense = push_pull(map_xy - base, covered.astype(np.float32))
    sure = push_pull(map_xy - base, trusted.astype(np.float32))
    diagonal = float(np.hypot(h, w))
    quarter = cv2.resize(sure, (max(1, w // 4), max(1, h // 4)), interpolation=cv2.INTER_AREA)
    blurred = cv2.GaussianBlur(quarter, (0, 0), SMOOTHNESS * diagonal / 4)
    smooth = resize_field(np.asarray(blurred, np.float32), (w, h))
    from_reference = cv2.distanceTransform((weight < 0.5).astype(np.uint8), cv2.DIST_L2, 5)
    t = np.minimum(from_reference / (FAR * diagonal), 1)
    share = (t * t * (3 - 2 * t))[..., None].astype(np.float32)
    return np.asarray(base + dense + share * (smooth - dense), np.float32)
