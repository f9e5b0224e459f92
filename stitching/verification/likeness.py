"""Where the two pictures of an overlap look alike, in any exposure."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.local_correlation import local_correlation, local_moments
from stitching.geometry.pixel_maps import Mask
from stitching.io.picture import channel_mean
from stitching.warping.warp import AlignedPair

WINDOW = 15  # px over which pictures are compared
NOISE_SIGMA = 1.5  # px of the Gaussian mean whose deviation counts: noise is no texture
MIN_DEVIATION = 6.0  # grey levels in the window, below which a correlation says nothing


@dataclass(frozen=True, eq=False)
class Likeness:
    """How alike the two pictures of an aligned pair are.

    Attributes:
        correlation: (h, w) float32, -1..1, of both in the window around each pixel.
        textured: (h, w), where one of them has the texture that this needs.
    """

    correlation: NDArray[np.float32]
    textured: Mask


def measure_likeness(pair: AlignedPair) -> Likeness:
    """Compare the pictures of an aligned pair in windows of `WINDOW` px; it says nothing where one has no pixels."""
    reference, target = (channel_mean(picture.astype(np.float32)) for picture in (pair.reference, pair.target))
    variance = np.maximum(_variance_without_noise(reference), _variance_without_noise(target))
    return Likeness(local_correlation(reference, target, WINDOW), variance > MIN_DEVIATION**2)


def whole_windows(mask: Mask) -> Mask:
    """(h, w): pixels around which all of the window is in the mask."""
    return np.asarray(cv2.erode(mask.astype(np.uint8), np.ones((WINDOW, WINDOW), np.uint8), borderValue=0) > 0)


def _variance_without_noise(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w): in the window around each pixel of a picture (h, w)."""
    return local_moments(np.asarray(cv2.GaussianBlur(picture, (0, 0), NOISE_SIGMA), np.float32), WINDOW)[1]
