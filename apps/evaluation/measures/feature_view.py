"""A picture with its features, ready to be found in another one."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.io.picture import to_grey

_MAX_FEATURES = 2000
_CONTRAST = 0.03  # SIFT's contrast threshold: below OpenCV's 0.04, for dim pictures


@dataclass(frozen=True)
class FeatureView:
    """A picture at measuring size, with its features.

    Attributes:
        pixels: (h, w, 3) uint8 BGR.
        valid: (h, w) uint8, 1 where there is content.
        points: (n, 2) float32, px.
        descriptors: (n, 128) float32, RootSIFT (Arandjelovic & Zisserman 2012).
    """

    pixels: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    points: NDArray[np.float32]
    descriptors: NDArray[np.float32]

    @property
    def grey(self) -> NDArray[np.float32]:
        """(h, w) float32, 0..255."""
        return to_grey(self.pixels).astype(np.float32)


def make_view(pixels: NDArray[np.uint8], valid: NDArray[np.uint8] | None = None) -> FeatureView:
    """Find the features of a picture.

    Args:
        pixels: (h, w, 3) uint8 BGR.
        valid: (h, w), nonzero = content; None = all of it. Features are found elsewhere, too.
    """
    sift = cv2.SIFT.create(_MAX_FEATURES, contrastThreshold=_CONTRAST)
    keypoints, descriptors = sift.detectAndCompute(to_grey(pixels), None)
    if valid is None:
        valid = np.ones(pixels.shape[:2], np.uint8)
    valid = (valid > 0).astype(np.uint8)
    if descriptors is None:
        return FeatureView(pixels, valid, np.zeros((0, 2), np.float32), np.zeros((0, 128), np.float32))
    points = np.array([keypoint.pt for keypoint in keypoints], np.float32)
    root = np.sqrt(descriptors / np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-6))
    return FeatureView(pixels, valid, points, root.astype(np.float32))
