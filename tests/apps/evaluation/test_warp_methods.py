"""The warps that are measured against the truth, by name."""

import cv2
import numpy as np
import pytest

from apps.evaluation.warp_methods import find_method
from stitching.errors import InputError
from stitching.warping.warp import CanvasPair


@pytest.mark.parametrize(("shift", "found"), [(2, 2), (8, 0)])
def test_dis_moves_what_is_nearly_right(shift: int, found: float) -> None:
    picture = cv2.resize(np.random.default_rng(2).integers(0, 256, (40, 60, 3), np.uint8), (240, 160))
    valid, reference_valid = np.ones((160, 240), bool), np.ones((160, 240), bool)
    reference_valid[:, 180:] = False
    none = np.zeros((0, 2))
    pair = CanvasPair(np.roll(picture, shift, axis=1), picture, reference_valid, valid, none, none)
    residual = find_method("homography+dis")(pair).residual
    assert np.median(residual[20:140, 20:160], axis=(0, 1)) == pytest.approx([found, 0], abs=0.1)
    assert not residual[:, 180:].any()  # nothing to match there


@pytest.mark.parametrize("name", ["optical-flow", "classical+sharp", "wrong+dis", "matches:", "pwm:no/such.file"])
def test_unknown_warps_are_refused(name: str) -> None:
    with pytest.raises(InputError):
        find_method(name)
