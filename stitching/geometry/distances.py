"""Distances of pixels to a mask."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask


def distance_to(mask: Mask) -> NDArray[np.float32]:
    """(h, w) px: how far the nearest True pixel of a mask (h, w) is; h + w, more than any distance, if there is none.

    Right to 2 % (Borgefors 1986, "Distance transformations in digital images", with a 5 x 5 neighbourhood).
    """
    distance = np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)
    return np.minimum(distance, np.float32(sum(mask.shape)))  # of an empty mask OpenCV says 3e38
