"""Where a warp maps the target badly: where it tears it apart, and where it folds it over."""

import cv2
import numpy as np

from stitching.geometry.pixel_maps import Field, Mask, pixel_grid

MAX_AREA_STRETCH = 4.0  # times the area of a pixel: what is stretched more counts as torn


def tears_and_folds(displacement: Field, valid: Mask) -> tuple[float, float]:
    """Shares of the pixels at which a warp tears (area over `MAX_AREA_STRETCH`) and folds (area below 0).

    Args:
        displacement: (h, w, 2) px of each pixel; NaN counts as neither.
        valid: (h, w), the pixels that count; those at the border of the mask do not.
    """
    if not valid.any():
        return 0.0, 0.0
    h, w = displacement.shape[:2]
    map_xy = pixel_grid(h, w) + displacement
    dx = cv2.filter2D(map_xy, -1, np.array([[-1.0, 1.0]]))
    dy = cv2.filter2D(map_xy, -1, np.array([[-1.0], [1.0]]))
    area = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    inner = cv2.erode(valid.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    return float((area[inner] > MAX_AREA_STRETCH).mean()), float((area[inner] < 0).mean())
