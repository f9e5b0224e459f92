"""PWM as an estimator: it extrapolates the warp of another estimator on the reference's plane, where it was trained."""

from dataclasses import dataclass

import cv2
import numpy as np

from stitching.geometry.pixel_maps import Field, Mask
from stitching.geometry.rectangles import bounding_rectangle
from stitching.network.interface import Runtime
from stitching.network.runtime.window import MARGIN
from stitching.warping.estimators.matches import window_of
from stitching.warping.flow.flow_warp import OUTSIDE_CONFIDENCE
from stitching.warping.warp import CanvasPair, Estimator, Warp, forward_backward_consistent


@dataclass(frozen=True)
class PwmEstimator:
    """A `stitching.warping.warp.Estimator`.

    Forward-backward consistent pixels of the start keep their residual; the network moves the others, which are
    occluded or outside the reference's view.
    """

    pwm: Runtime  # of `stitching.network.interface.PWM`
    start: Estimator

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""
        start = self.start(pair)
        trusted = forward_backward_consistent(start, pair)
        part = bounding_rectangle(pair.target_valid, MARGIN)
        window = window_of(pair.crop(part))
        found = self.pwm(window.pictures | window.start_planes(start.residual[part.slices], trusted[part.slices]))
        residual, visible = start.residual.copy(), np.zeros(pair.target_valid.shape, np.float32)
        extrapolated = window.displacement_to_canvas(found["residual"])
        residual[part.slices] = keep_trusted(start.residual[part.slices], trusted[part.slices], extrapolated)
        visible[part.slices] = window.to_canvas(found["confidence"])[..., 0]
        confidence = np.where(pair.overlap, np.maximum(visible, trusted), OUTSIDE_CONFIDENCE).astype(np.float32)
        return Warp(residual, confidence, device=self.pwm.device)


def keep_trusted(start: Field, trusted: Mask, residual: Field) -> Field:
    """(h, w, 2): `start` where it is trusted, `residual` elsewhere, with a transition of four pixels between them."""
    weight = trusted.astype(np.float32)
    near = cv2.blur(weight, (9, 9))
    keep = np.maximum(weight, np.minimum(2 * near, 1))[..., None]  # falls to 0 within four pixels: nothing tears
    return np.asarray(keep * start + (1 - keep) * residual, np.float32)
