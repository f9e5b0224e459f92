"""The gain that varies: what it does at the seam, and far from it."""

import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending.blend import Blend
from stitching.blending.gain import match_gain
from stitching.blending.seam import seam
from stitching.warping.warp import AlignedPair

H, W = 300, 480
LEFT, RIGHT = 150, 330  # the target begins, the reference ends
SKY = slice(0, 110)


def smooth_scene():
    """The photograph without detail, so that what is left at the seam is a step of brightness; 40 to 190."""
    scene = cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (W, H), interpolation=cv2.INTER_AREA)
    return 40 + 0.6 * cv2.GaussianBlur(scene, (0, 0), 6).astype(np.float32)


def pair_of(reference, target, trusted=None):
    reference_valid, target_valid = np.zeros((2, H, W), bool)
    reference_valid[:, :RIGHT], target_valid[:, LEFT:] = True, True
    return AlignedPair(
        np.clip(np.where(reference_valid[..., None], reference, 0), 0, 255).round().astype(np.uint8),
        np.clip(np.where(target_valid[..., None], target, 0), 0, 255).round().astype(np.uint8),
        reference_valid, target_valid, target_valid if trusted is None else trusted & target_valid,
        np.zeros((H, W), bool),
    )  # fmt: skip


def vignette(centre):
    """(H, W, 1) brightness of a lens: the corners get 40 % less than the centre at column `centre`."""
    y, x = np.mgrid[:H, :W]
    return (1 - 0.4 * ((x - centre) ** 2 + (y - H / 2) ** 2) / (165**2 + 150**2))[..., None]


def step_at_seam(pair, blend: Blend):
    """(n,) mean difference of the pictures around each pixel of the seam, grey levels."""
    kernel = np.ones((3, 3), np.uint8)
    on_seam = (cv2.dilate(blend.weight, kernel) > cv2.erode(blend.weight, kernel)) & pair.overlap
    difference = cv2.blur(pair.reference.astype(np.float32) - pair.target * blend.gain, (15, 15))
    on_seam[:8], on_seam[-8:] = False, False
    return np.abs(difference[on_seam]).mean(axis=1)


def test_the_step_between_vignetted_pictures_is_less_than_a_grey_level():
    scene = smooth_scene()
    pair = pair_of(scene * vignette(RIGHT / 2), 0.8 * scene * np.linspace(0.8, 1.2, H)[:, None, None])
    steps = {name: step_at_seam(pair, seam(pair, name)) for name in ("gain", "field")}
    assert steps["gain"].max() > 6
    assert steps["field"].mean() < 0.5
    assert np.percentile(steps["field"], 95) < 1


def test_a_sky_that_one_picture_has_burnt_out_joins_and_the_ground_keeps_its_gain():
    scene = smooth_scene()
    scene[SKY] = 215
    bright = scene * 1.25
    pair = pair_of(np.minimum(bright, 250), scene)
    pair.target[SKY, LEFT:] = 255  # burnt out there, too
    pair.reference[SKY, :RIGHT] = 235
    blend = seam(pair, "field")
    assert np.percentile(step_at_seam(pair, seam(pair, "gain")), 90) > 40
    assert np.percentile(step_at_seam(pair, blend), 90) < 4
    assert np.abs(blend.gain[SKY.stop + 40 :, LEFT:] / 1.25 - 1).max() < 0.05


def test_a_sky_that_both_have_burnt_out_stays_white_beyond_the_overlap():
    """The warp is trusted nowhere in a blank sky, and the target's ground is too bright."""
    scene = smooth_scene()
    reference, target, trusted = 0.8 * scene, scene.copy(), np.ones((H, W), bool)
    reference[SKY], target[SKY], trusted[SKY] = 255, 255, False
    gain = seam(pair_of(reference, target, trusted), "field").gain
    assert gain[: SKY.stop - 40, RIGHT:].min() > 0.96
    assert np.abs(gain[SKY.stop + 40 :, LEFT:] / 0.8 - 1).max() < 0.02


def test_a_small_window_that_is_burnt_out_does_not_glow():
    scene = smooth_scene()
    reference, target, trusted = 0.8 * scene, scene.copy(), np.ones((H, W), bool)
    for picture in (reference, target):
        picture[100:125, RIGHT - 20 : RIGHT + 20] = 255
    trusted[100:125] = False
    gain = seam(pair_of(reference, target, trusted), "field").gain
    assert np.abs(gain[:, RIGHT:] / 0.8 - 1).max() < 0.08


def test_where_the_target_alone_is_burnt_out_it_is_not_brighter_than_the_reference():
    scene = smooth_scene()
    reference, target, trusted = 0.8 * scene, scene.copy(), np.ones((H, W), bool)
    reference[SKY], target[SKY], trusted[SKY] = 215, 255, False
    gain = seam(pair_of(reference, target, trusted), "field").gain
    assert np.abs(255 * gain[: SKY.stop - 40, RIGHT:] - 215).max() < 3


def test_far_from_the_seam_the_gain_does_not_drift():
    """A cloud darkens the sky of the reference's right part only."""
    scene = smooth_scene()
    shade = 1 - 0.2 * np.exp(-(((np.arange(W) - 240) / 40) ** 2))[None, :, None]
    pair = pair_of(scene * shade, scene)
    overall = match_gain(pair, "gain", seam(pair, "gain").weight)
    field = seam(pair, "field").gain
    assert np.abs(field / overall - 1)[:, -10:].max() < 0.12
    slopes = np.abs(np.diff(np.log(field), axis=1))[:, RIGHT:]
    assert slopes.max() < 0.002  # of the brightness, each px: nobody sees it


def test_things_that_differ_do_not_pull_the_gain():
    """Behind the seam stands something else, and the warp is not trusted there."""
    scene = smooth_scene()
    other = scene.copy()
    other[120:220, LEFT:] = np.random.default_rng(0).integers(0, 255, (100, W - LEFT, 3))
    trusted = np.ones((H, W), bool)
    trusted[110:230] = False
    gain = seam(pair_of(scene * 1.2, other, trusted), "field").gain
    assert np.abs(gain[:90] / 1.2 - 1).max() < 0.05
    assert np.abs(gain / 1.2 - 1).max() < 0.3


@pytest.mark.parametrize("right", [LEFT + 8, LEFT + 24])
def test_a_narrow_overlap_joins_without_a_step_too(right):
    scene = smooth_scene()
    pair = pair_of(scene, scene * vignette(LEFT))
    pair.reference_valid[:, right:], pair.reference[:, right:] = False, 0
    pair.target[:, LEFT:] = np.clip(pair.target[:, LEFT:] * 0.8, 0, 255)
    blend = seam(pair, "field")
    on_seam = pair.overlap
    difference = np.abs(pair.reference.astype(np.float32) - pair.target * blend.gain)[on_seam].mean()
    assert difference < 1
