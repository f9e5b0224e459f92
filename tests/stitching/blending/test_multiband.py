import numpy as np
import pytest

from stitching.blending.multiband import SEAM_REACH, blend_bands, blend_pictures


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("shape", [(97, 131), (2, 2), (1, 50), (64, 64)])
def test_blending_a_picture_with_itself_gives_it_back(depth, shape):
    random = np.random.default_rng(0)
    picture = random.integers(0, np.iinfo(depth).max + 1, (*shape, 3)).astype(depth)
    weight = random.random(shape).astype(np.float32)
    blended = blend_bands(picture, picture, weight)
    assert blended.dtype == depth
    assert np.array_equal(blended, picture)


@pytest.mark.parametrize("share", [0, 1])
def test_a_picture_with_all_the_weight_is_shown_as_it_is(share):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 64, 90, 3), np.uint8)
    blended = blend_bands(*pictures, np.full((64, 90), share, np.float32))
    assert np.abs(blended.astype(int) - pictures[1 - share]).max() <= 1


def test_a_hard_seam_between_two_brightnesses_becomes_soft_without_overshooting():
    dark, bright = np.full((256, 512, 3), 100, np.uint8), np.full((256, 512, 3), 140, np.uint8)
    weight = np.zeros((256, 512), np.float32)
    weight[:, :256] = 1
    row = blend_bands(dark, bright, weight)[128, :, 0].astype(int)
    assert (row[0], row[-1]) == (100, 140)
    assert (np.diff(row) >= 0).all()
    assert np.diff(row).max() < 10


def test_detail_changes_over_at_the_seam_only():
    """Stripes of 2 px on one side, none on the other: no ghost of them a few px behind the seam."""
    stripes = np.full((64, 256, 3), 128, np.uint8)
    stripes[:, ::2] = 178
    stripes[:, 1::2] = 78
    weight = np.zeros((64, 256), np.float32)
    weight[:, :128] = 1
    row = blend_bands(stripes, np.full_like(stripes, 128), weight)[32, :, 0].astype(int)
    assert np.abs(np.diff(row[:120])).min() > 90
    assert np.abs(np.diff(row[136:])).max() <= 2


def test_farther_from_a_seam_than_the_reach_nothing_changes():
    random = np.random.default_rng(0)
    first, second = random.integers(0, 256, (2, 64, 4 * SEAM_REACH, 3), np.uint8)
    weight = np.zeros((64, 4 * SEAM_REACH), np.float32)
    weight[:, : 2 * SEAM_REACH] = 1
    blended = blend_bands(first, second, weight)
    assert np.abs(blended[:, :SEAM_REACH].astype(int) - first[:, :SEAM_REACH]).max() <= 1
    assert np.array_equal(blended[:, 3 * SEAM_REACH :], second[:, 3 * SEAM_REACH :])


def test_where_one_picture_has_no_pixels_its_black_does_not_darken_the_other():
    bright, black = np.full((128, 256, 3), 200, np.uint8), np.zeros((128, 256, 3), np.uint8)
    left, right, overlap = np.arange(256) < 160, np.arange(256) >= 96, np.zeros((128, 256), bool)
    left, right = overlap | left, overlap | right
    reference, target = (np.where(valid[..., None], bright, black) for valid in (left, right))
    weight = np.broadcast_to(np.arange(256) < 128, (128, 256)).astype(np.float32)
    right[:20] = left[:20] = False
    pixels, valid = blend_pictures(reference, left, target, right, weight)
    assert np.array_equal(valid, left | right)
    assert (pixels[valid] == 200).all()
