import cv2
import numpy as np
import pytest
from skimage.data import coffee

from stitching.blending.seam import seam
from stitching.warping.warp import AlignedPair

H, W = 240, 360


def pair_of(blob=None, hidden=None, holes=None, near=None):
    """The reference sees columns ..240, the target 120..; `blob` (rows, columns) differs, `near` has parallax."""
    scene = cv2.resize(np.ascontiguousarray(coffee()[..., ::-1]), (W, H), interpolation=cv2.INTER_AREA)
    reference_valid, target_valid = np.zeros((2, H, W), bool)
    reference_valid[:, :240], target_valid[:, 120:] = True, True
    target = scene.copy()
    if blob is not None:
        target[blob] = 255 - target[blob]
    trusted, occluded = np.ones((H, W), bool), np.zeros((H, W), bool)
    if hidden is not None:
        occluded[hidden], trusted[hidden] = True, False
    parallax = np.zeros((H, W), np.float32)
    if near is not None:
        parallax[near] = 8
    if holes is not None:
        reference_valid[holes], target_valid[holes] = False, False
    return AlignedPair(
        np.where(reference_valid[..., None], scene, 0), np.where(target_valid[..., None], target, 0),
        reference_valid, target_valid, trusted & target_valid, occluded, parallax,
    )  # fmt: skip


def on_seam(weight):
    kernel = np.ones((3, 3), np.uint8)
    return cv2.dilate(weight, kernel) > cv2.erode(weight, kernel)


def test_where_one_picture_is_alone_it_is_shown():
    pair = pair_of()
    weight = seam(pair, "none").weight
    assert (weight[pair.reference_valid & ~pair.target_valid] == 1).all()
    assert (weight[pair.target_valid & ~pair.reference_valid] == 0).all()
    assert weight.min() >= 0
    assert weight.max() <= 1


def test_the_overlap_is_cut_in_two():
    weight = seam(pair_of(), "none").weight
    assert ((weight < 0.01) | (weight > 0.99)).mean() > 0.95
    count, _ = cv2.connectedComponents((weight > 0.5).astype(np.uint8))
    assert count == 2  # background and one piece
    count, _ = cv2.connectedComponents((weight < 0.5).astype(np.uint8))
    assert count == 2


@pytest.mark.parametrize("columns", [slice(150, 195), slice(165, 210)])
@pytest.mark.parametrize("rows", [slice(0, 100), slice(70, 170), slice(140, 240)])
def test_the_seam_goes_round_what_does_not_match(rows, columns):
    weight = seam(pair_of(blob=(rows, columns)), "none").weight
    inner = slice(rows.start + 6, rows.stop - 6), slice(columns.start + 6, columns.stop - 6)
    assert on_seam(weight)[:, 115:245].any(axis=1).all()  # it runs through every row
    assert not on_seam(weight)[inner].any()


def test_the_seam_goes_round_near_things():
    near = slice(70, 170), slice(150, 195)
    weight = seam(pair_of(near=near), "none").weight
    assert on_seam(weight)[:, 115:245].any(axis=1).all()  # it runs through every row
    assert not on_seam(weight)[76:164, 156:189].any()


def test_what_is_hidden_from_the_target_is_shown_by_the_reference():
    hidden = slice(80, 160), slice(150, 220)  # not beside the reference's rim
    weight = seam(pair_of(hidden=hidden), "none").weight
    assert (weight[84:156, 154:216] > 0.99).all()


def test_a_hole_in_both_pictures_does_not_disturb_the_cut():
    pair = pair_of(holes=(slice(100, 140), slice(160, 200)))
    weight = seam(pair, "none").weight
    assert np.isfinite(weight).all()
    assert (weight[pair.reference_valid & ~pair.target_valid] == 1).all()
    assert (weight[pair.target_valid & ~pair.reference_valid] == 0).all()


def test_a_target_within_the_reference_changes_nothing():
    pair = pair_of()
    pair.reference_valid[:] = True
    assert (seam(pair, "none").weight == 1).all()


def test_without_an_overlap_both_are_shown():
    pair = pair_of()
    pair.target_valid[:, :260] = False
    weight = seam(pair, "none").weight
    assert np.array_equal(weight > 0, pair.reference_valid)


def test_the_same_pair_is_cut_the_same_way():
    first, second = (seam(pair_of(blob=(slice(70, 170), slice(150, 195))), "gain") for _ in range(2))
    assert np.array_equal(first.weight, second.weight)
    assert np.array_equal(first.gain, second.gain)
