"""Where a map would show a part of the target again."""

import numpy as np
import pytest

from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import Field, Mask, pixel_grid
from stitching.io.picture import as_picture
from stitching.warping.canvas_pictures import draw_aligned_pair
from stitching.warping.placement import Placement
from stitching.warping.shown_elsewhere import shown_elsewhere

H, W = 120, 200
LEFT, RIGHT = (slice(30, 90), slice(20, 70)), (slice(30, 90), slice(120, 170))


def moved_box(scale: float = 1.0) -> tuple[Field, Mask, Mask]:
    """A box moved from the left to the right, and the hole that it left, filled as if it had stayed.

    scale: target px per working px.
    """
    map_xy = pixel_grid(H, W) * np.float32(scale)
    map_xy[RIGHT] = map_xy[LEFT]
    trusted = np.ones((H, W), bool)
    trusted[LEFT] = False
    return map_xy, np.ones((H, W), bool), trusted


@pytest.mark.parametrize("scale", [0.5, 1.0, 4.0])
def test_a_hole_that_shows_what_has_moved_away(scale: float) -> None:
    again = shown_elsewhere(*moved_box(scale))
    assert again[LEFT].mean() > 0.9
    again[LEFT] = False
    assert not again.any()


def test_the_reference_is_shown_where_a_thing_has_moved_away() -> None:
    """The target has no pixels of its own there."""
    map_xy, covered, trusted = moved_box()
    picture = as_picture(np.random.default_rng(0).integers(0, 256, (H, W, 3), np.uint8))
    canvas = Canvas(Surface(None, ((W - 1) / 2, (H - 1) / 2)), (0, 0), (W, H))
    placement = Placement(map_xy, covered, trusted, np.zeros((H, W, 2), np.float32), 1.0)
    aligned = draw_aligned_pair(picture, picture, canvas, placement)
    assert aligned.target_valid[LEFT].mean() < 0.1
    assert not aligned.target[LEFT][~aligned.target_valid[LEFT]].any()
    aligned.target_valid[LEFT] = True
    assert aligned.target_valid.all()


def test_a_part_without_another_place_is_not_shown_again() -> None:
    """Nothing is trusted there, a clear sky for example; and what is trusted is where it is."""
    map_xy, covered, trusted = moved_box()
    assert not shown_elsewhere(pixel_grid(H, W), covered, trusted).any()
    assert not shown_elsewhere(map_xy, covered, np.ones((H, W), bool)).any()
    assert not shown_elsewhere(map_xy, covered, np.zeros((H, W), bool)).any()


def test_neighbouring_pixels_of_a_stretched_surface_are_not_shown_again() -> None:
    """Target pixels that several canvas pixels show, of which some are not trusted."""
    map_xy = pixel_grid(H, W) * np.float32(0.25)
    trusted = np.zeros((H, W), bool)
    trusted[::4, ::4] = True
    assert not shown_elsewhere(map_xy, np.ones((H, W), bool), trusted).any()


def test_a_map_in_steps_is_looked_at_like_any_other() -> None:
    """Most of its pixels show the same place as their neighbours: it seems to enlarge the target without limit."""
    map_xy, covered, trusted = moved_box()
    again = shown_elsewhere(np.floor(map_xy / 5) * np.float32(5), covered, trusted)
    assert again[LEFT].mean() > 0.6
    again[LEFT] = False
    assert not again.any()
