"""How visible a seam would be at each pixel: what the graph cut minimizes, and what `auto` compares stitches by."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Mask
from stitching.io.picture import channel_mean

GRADIENT_WEIGHT = 2.0  # of a difference of gradients against one of colours
UNTRUSTED_COST = 60.0  # grey levels added where the warp is not trusted


def seam_cost(reference: NDArray[np.float32], target: NDArray[np.float32], trusted: Mask) -> NDArray[np.float32]:
    """Difference of colours and of gradients, mean of 3 x 3 px (after Agarwala et al. 2004, digital photomontage).

    Args:
        reference, target: (h, w, 3) BGR, 0..255.
        trusted: (h, w), where the warp of the target is trusted.

    Returns:
        (h, w) grey levels.
    """
    colours = channel_mean(cv2.absdiff(reference, target))
    grey = [channel_mean(picture) for picture in (reference, target)]
    slopes = [cv2.spatialGradient(np.clip(p, 0, 255).astype(np.uint8)) for p in grey]
    gradients = sum(np.abs(a.astype(np.float32) - b) for a, b in zip(*slopes, strict=True)) / 8
    cost = cv2.blur(colours + GRADIENT_WEIGHT * gradients, (3, 3))
    return np.asarray(np.where(trusted, cost, cost + UNTRUSTED_COST), np.float32)
