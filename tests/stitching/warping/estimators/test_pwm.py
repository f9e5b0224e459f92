"""PWM as an estimator; the networks are made up here."""

from collections.abc import Mapping
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from shifting import SHIFT, ShiftingRuntime, shifted_pair

from stitching.network.interface import PWM, Planes
from stitching.warping.estimators.matches import MatchesEstimator
from stitching.warping.estimators.pwm import PwmEstimator
from stitching.warping.warp import forward_backward_consistent


@dataclass(frozen=True)
class Constant:
    """The graph `PWM`: every pixel moves by 7 px and is visible."""

    device: str = "cuda"

    def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
        PWM.check(inputs)
        size = inputs["target"].shape[2:]
        return {"residual": np.full((1, 2, *size), 7, np.float32), "confidence": np.ones((1, 1, *size), np.float32)}


def test_consistent_pixels_keep_their_start_and_the_others_move() -> None:
    pair = shifted_pair()
    start_estimator = MatchesEstimator(lambda: ShiftingRuntime((SHIFT, 0)))
    warp, start = PwmEstimator(Constant(), start_estimator)(pair), start_estimator(pair)
    trusted = forward_backward_consistent(start, pair)
    assert np.array_equal(warp.residual[trusted], start.residual[trusted])
    far = cv2.erode((~trusted).astype(np.uint8), np.ones((11, 11), np.uint8)) > 0
    assert far.sum() > 2000
    assert np.abs(warp.residual[far] - 7).max() < 1e-3
    assert warp.device == "cuda"
