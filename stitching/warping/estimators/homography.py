"""The coarse alignment alone as a warp: what every stitcher does that assumes that the camera only turned."""

import numpy as np

from stitching.warping.warp import CanvasPair, Warp


def homography(pair: CanvasPair) -> Warp:
    """No residual (h, w, 2), and full confidence (h, w): nothing is estimated, and so nothing is checked."""
    h, w = pair.target_valid.shape
    return Warp(np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32))
