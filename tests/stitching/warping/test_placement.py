import dataclasses

import numpy as np
import pytest

from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import inside, pixel_grid, rescale
from stitching.io.picture import as_picture
from stitching.warping.placement import MAX_CLOSED_HOLE, check_sizes, from_warp_field, place_target, to_warp_field
from stitching.warping.warp import CanvasPair, Warp

H, W = 80, 120
SCALE = 0.5  # working px per canvas px
TARGET_SIZE = 160, 120  # full-size px
COARSE_MAP = rescale(pixel_grid(H, W), 1 / SCALE) - np.float32([60, 20])  # working canvas -> full-size target px
IN_TARGET = inside(COARSE_MAP, TARGET_SIZE)
CANVAS = Canvas(Surface(None, (79.5, 59.5)), (-10, -20), (240, 160))
NO_POINTS = np.zeros((0, 2))


def place(residual, confidence=None):
    """Place the target by a warp; only its own mask of the pair counts."""
    picture, everywhere = np.zeros((H, W, 3), np.uint8), np.ones((H, W), bool)
    confidence = everywhere.astype(np.float32) if confidence is None else confidence
    pair = CanvasPair(picture, picture, everywhere, IN_TARGET, NO_POINTS, NO_POINTS)
    return place_target(Warp(residual, confidence), pair, COARSE_MAP, TARGET_SIZE, SCALE)


def still():
    return np.zeros((H, W, 2), np.float32)


def test_without_a_residual_the_target_lies_where_the_coarse_map_puts_it():
    placement = place(still())
    assert np.array_equal(placement.covered, IN_TARGET)
    assert np.array_equal(placement.trusted, IN_TARGET)
    assert np.abs(placement.map_xy - COARSE_MAP)[IN_TARGET].max() < 1e-3
    assert not placement.residual[IN_TARGET].any()
    assert np.isnan(placement.residual[~IN_TARGET]).all()


def test_a_residual_moves_the_target_on_the_canvas():
    """Of 6 px to the right: what is shown at x was 6 px to the left, 12 px of the full-size target."""
    placement = place(still() + np.float32([6, 0]))
    moved = np.roll(IN_TARGET, 6, axis=1)
    assert np.array_equal(placement.covered, moved)
    assert np.abs(placement.map_xy - (COARSE_MAP - np.float32([12, 0])))[moved].max() < 1e-3
    assert np.allclose(placement.residual[moved], [-6, 0])


@pytest.mark.parametrize(("gap", "closed"), [(MAX_CLOSED_HOLE - 4, True), (MAX_CLOSED_HOLE + 6, False)])
def test_a_narrow_hole_is_trusted_and_a_wide_one_is_a_guess(gap, closed):
    residual = still()
    residual[:, 70:, 0] = gap
    placement = place(residual)
    hole = slice(20, 60), slice(71, 70 + gap - 1)
    assert placement.covered[hole].all()
    assert placement.trusted[hole].all() == closed
    assert placement.trusted[hole].any() == closed
    assert np.isfinite(placement.map_xy).all()


def test_occluded_pixels_are_not_trusted():
    confidence = np.ones((H, W), np.float32)
    confidence[30:50, 50:75] = 0
    placement = place(still(), confidence)
    assert not placement.trusted[32:48, 52:73].any()
    assert placement.covered[32:48, 52:73].all()


def test_a_placement_comes_back_from_a_warp_field():
    placement = place(still() + np.float32([6, 0]))
    field = to_warp_field(placement, CANVAS, (160, 120), TARGET_SIZE)
    loaded = from_warp_field(field)
    assert field.canvas == CANVAS
    assert loaded.scale == SCALE
    assert np.array_equal(loaded.covered, placement.covered)
    assert np.array_equal(loaded.trusted, placement.trusted)
    assert np.array_equal(loaded.map_xy[loaded.covered], placement.map_xy[placement.covered])
    assert np.isfinite(loaded.map_xy).all()
    assert np.isnan(loaded.residual).all()


def test_a_warp_field_of_pictures_of_other_sizes_is_refused():
    field = to_warp_field(place(still()), CANVAS, (160, 120), TARGET_SIZE)
    picture = as_picture(np.zeros((120, 160, 3), np.uint8), "photo")
    for part in ("reference", "target"):
        other = dataclasses.replace(field, **{f"{part}_size": (161, 120)})
        with pytest.raises(InputError, match=f"for a {part} of 161 x 120, photo has 160 x 120"):
            check_sizes(other, picture, picture)
