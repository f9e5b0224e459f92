from dataclasses import replace

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending.gain import MAX_GAIN, match_gain
from stitching.warping.warp import AlignedPair

H, W = 200, 300
TRUE = np.array([1.25, 0.9, 1.1])  # what the target was divided by, BGR
NONE = np.zeros((H, W), bool)
WEIGHT = np.repeat((np.arange(W) < 150)[None], H, axis=0).astype(np.float32)  # the seam is in the middle


def pair_of(divisor=TRUE, different=0.0):
    """The reference sees the left two thirds, the target the right two thirds, `divisor` times darker."""
    scene = cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (W, H), interpolation=cv2.INTER_AREA)
    scene = np.clip(scene, 30, 200)
    reference_valid, target_valid = NONE.copy(), NONE.copy()
    reference_valid[:, :200], target_valid[:, 100:] = True, True
    target = (scene / divisor).round().astype(np.uint8)
    rows = np.arange(H) < different * H  # something else stands there
    target[rows] = np.random.default_rng(0).integers(20, 230, (rows.sum(), W, 3))
    return AlignedPair(
        np.where(reference_valid[..., None], scene, 0).astype(np.uint8),
        np.where(target_valid[..., None], target, 0).astype(np.uint8),
        reference_valid, target_valid, reference_valid & target_valid, NONE,
    )  # fmt: skip


@pytest.mark.parametrize("compensator", ["gain", "field"])
def test_a_known_gain_is_found_to_two_percent(compensator):
    gain = match_gain(pair_of(), compensator, WEIGHT)
    assert gain.shape == (H, W, 3)
    assert gain.dtype == np.float32
    assert np.abs(gain / TRUE - 1).max() < 0.02


def test_without_a_compensator_the_gain_is_one():
    assert (match_gain(pair_of(), "none", WEIGHT) == 1).all()


def test_the_overall_gain_is_the_same_everywhere():
    gain = match_gain(pair_of(), "gain", WEIGHT)
    assert (gain == gain[0, 0]).all()


@pytest.mark.parametrize("compensator", ["gain", "field"])
def test_a_fifth_of_other_content_hardly_moves_the_gain(compensator):
    gain = match_gain(pair_of(different=0.2), compensator, WEIGHT)
    assert np.abs(np.median(gain, axis=(0, 1)) / TRUE - 1).max() < 0.07


def test_a_field_follows_brightness_that_changes_over_the_overlap():
    columns = np.linspace(1.0, 1.2, W)[None, :, None]
    gain = match_gain(pair_of(divisor=columns), "field", WEIGHT)
    wanted = np.broadcast_to(columns, gain.shape)
    assert np.abs(gain / wanted - 1)[:, 110:190].max() < 0.04


def test_dark_and_burnt_out_pixels_are_left_out():
    """The sky is white in both, the ground black in both."""
    pair = pair_of()
    for picture in (pair.reference, pair.target):
        picture[:60] = 255
        picture[140:] = 0
    assert np.abs(match_gain(pair, "gain", WEIGHT) / TRUE - 1).max() < 0.02


def test_the_gain_is_bounded():
    assert match_gain(pair_of(divisor=np.array([15.0, 1, 1])), "gain", WEIGHT).max() <= MAX_GAIN


@pytest.mark.parametrize("compensator", ["gain", "field"])
def test_without_trusted_pixels_the_gain_is_one(compensator):
    pair = pair_of()
    pair.trusted[:] = False
    assert (match_gain(pair, compensator, WEIGHT) == 1).all()


@pytest.mark.parametrize("compensator", ["gain", "field"])
@pytest.mark.parametrize("grey", ["reference", "target"])
def test_a_grey_picture_beside_a_coloured_one_takes_no_colour_out(compensator: str, grey: str) -> None:
    pair = pair_of()
    plain = np.repeat(getattr(pair, grey).mean(axis=2, keepdims=True), 3, axis=2).astype(np.uint8)

    gain = match_gain(replace(pair, **{grey: plain}), compensator, WEIGHT)

    assert np.ptp(gain, axis=2).max() < 1e-6
