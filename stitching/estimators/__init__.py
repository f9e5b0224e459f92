"""Warp estimators by name. An estimator is a function of a `CanvasPair`; see `stitching.warp.Estimator`."""

import numpy as np

from stitching.estimators.classical import classical
from stitching.warp import CanvasPair, Estimator, Warp


def homography(pair: CanvasPair) -> Warp:
    """The coarse alignment alone: no residual, full trust."""
    h, w = pair.target_seen.shape
    return Warp(np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32))


ESTIMATORS: dict[str, Estimator] = {"classical": classical, "homography": homography}
