from types import SimpleNamespace

import numpy as np
import pytest

from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.picture import Picture
from stitching.warping.kept_parts import KeepMask, KeepMasks

W, H = 120, 80
GRID = pixel_grid(H, W)
EVERYWHERE = np.ones((H, W), bool)


def mask_of(rows, columns, valid=None, lens=None):
    wanted = np.zeros((H, W), np.uint8)
    wanted[rows, columns] = 255
    picture = Picture(np.zeros((H, W, 3), np.uint8), valid, name="left.jpg")
    object.__setattr__(picture, "lens", lens)
    return KeepMask.of(picture, wanted)


def test_a_part_lies_where_the_map_shows_it():
    mask = mask_of(slice(20, 40), slice(30, 60))
    there = mask.on_canvas(GRID + np.float32([10, 5]))  # canvas (x, y) shows picture (x + 10, y + 5)
    assert there[16:34, 21:49].all()
    assert there.sum() == 20 * 30


def test_the_distortion_of_a_lens_is_followed():
    lens = SimpleNamespace(to_photograph=lambda points: points + np.float32([10, 5]))
    plain, corrected = mask_of(slice(20, 40), slice(30, 60)), mask_of(slice(20, 40), slice(30, 60), lens=lens)
    assert np.array_equal(corrected.on_canvas(GRID), plain.on_canvas(GRID + np.float32([10, 5])))


@pytest.mark.parametrize("zoom", [0.5, 1.0, 3.0])
def test_the_share_that_is_missing_does_not_depend_on_the_scale(zoom):
    mask = mask_of(slice(20, 60), slice(20, 100))
    h, w = round(H * zoom), round(W * zoom)
    map_xy = ((pixel_grid(h, w) + 0.5) / zoom - 0.5).astype(np.float32)
    shown = np.zeros((h, w), bool)
    assert mask.share_missing(map_xy, shown) == 1
    shown[:, : w // 2] = True
    assert mask.share_missing(map_xy, shown) == pytest.approx(0.5, abs=0.05)
    assert mask.share_missing(map_xy, ~(shown & False)) == 0


def test_where_both_are_asked_for_the_reference_is_shown_and_margins_do_not_overlap():
    masks = KeepMasks(mask_of(slice(0, 80), slice(0, 60)), mask_of(slice(0, 80), slice(40, 80)))
    kept = masks.place(GRID, GRID, EVERYWHERE, 0.1)
    assert kept.reference[:, :60].all()
    assert kept.target[:, 62:90].all()  # with its margin
    assert not kept.target[:, 98:].any()
    assert not (kept.reference & kept.target).any()


def test_what_is_masked_out_cannot_be_kept():
    valid = np.full((H, W), 255, np.uint8)
    valid[:, :60] = 0
    mask = mask_of(slice(0, 80), slice(40, 80), valid)
    assert mask.not_valid == pytest.approx(0.5)
    assert not mask.on_canvas(GRID)[:, :60].any()
