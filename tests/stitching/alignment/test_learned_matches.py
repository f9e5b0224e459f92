"""Matches of whole pictures by a network; the network is made up here."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray
from shifting import ShiftingRuntime

from stitching.alignment.learned_matches import match_pictures
from stitching.io.picture import Picture
from stitching.network.interface import MULTIPLE, Planes


def picture(w: int, h: int) -> Picture:
    return Picture(np.full((h, w, 3), 128, np.uint8))


def test_matches_are_px_of_the_pictures() -> None:
    found = match_pictures(picture(320, 240), picture(320, 240), ShiftingRuntime((48, -16)))
    assert np.allclose(found.reference - found.target, (48, -16))
    assert len(found.target) == (320 - 48) * (240 - 16) // MULTIPLE**2  # those that end in the reference
    assert len(np.unique(found.target, axis=0)) == len(found.target)


@pytest.mark.parametrize(("reference", "target"), [((320, 240), (240, 320)), ((160, 120), (320, 240))])
def test_only_what_both_pictures_show_is_matched(reference: tuple[int, int], target: tuple[int, int]) -> None:
    found = match_pictures(picture(*reference), picture(*target), ShiftingRuntime((16, 8)))
    assert len(found.target) > 100
    for points, size in ((found.target, target), (found.reference, reference)):
        assert ((points >= -1) & (points <= size)).all()


def test_masked_pixels_are_not_matched() -> None:
    valid = np.full((240, 320), 255, np.uint8)
    valid[:, :160] = 0
    masked = Picture(picture(320, 240).pixels, valid)
    assert match_pictures(picture(320, 240), masked, ShiftingRuntime((0, 0))).target[:, 0].min() > 159
    assert match_pictures(masked, picture(320, 240), ShiftingRuntime((0, 0))).reference[:, 0].min() > 159


def test_a_match_that_does_not_lead_back_is_none() -> None:
    class OneWay(ShiftingRuntime):
        def __call__(self, inputs: Mapping[str, NDArray[np.float32]]) -> Planes:
            found = super().__call__(inputs)
            return found | {"backward_matches": found["forward_matches"]}

    assert len(match_pictures(picture(320, 240), picture(320, 240), OneWay((16, 0))).target) == 0
    assert len(match_pictures(picture(320, 240), picture(320, 240), OneWay((2, 0))).target) > 0
