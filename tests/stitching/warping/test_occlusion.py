import numpy as np
import pytest

from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.occlusion import hidden_from_target

H, W = 200, 300
EVERYWHERE = np.ones((H, W), bool)


def with_a_strip(jump, width=24):
    """The map of a wall, right of a box that stands `jump` px apart; between them `width` px not trusted."""
    map_xy = pixel_grid(H, W) + np.float32([7, 3])
    map_xy[60:140, 100:160, 0] += jump
    trusted = EVERYWHERE.copy()
    trusted[60:140, 160 : 160 + width] = False
    return map_xy, trusted


def test_a_strip_as_wide_as_the_jump_beside_it_is_hidden():
    map_xy, trusted = with_a_strip(jump=24)
    assert np.array_equal(hidden_from_target(map_xy, EVERYWHERE, trusted, 1.0), ~trusted)


def test_the_scale_of_the_map_does_not_matter():
    map_xy, trusted = with_a_strip(jump=24)
    assert np.array_equal(hidden_from_target(map_xy * 5, EVERYWHERE, trusted, 0.2), ~trusted)


@pytest.mark.parametrize("jump", [0, 3])
def test_a_patch_whose_surroundings_move_alike_hides_nothing(jump):
    map_xy, trusted = with_a_strip(jump)
    assert not hidden_from_target(map_xy, EVERYWHERE, trusted, 1.0).any()


def test_specks_hide_nothing():
    map_xy, trusted = with_a_strip(jump=24, width=4)
    assert not hidden_from_target(map_xy, EVERYWHERE, trusted, 1.0).any()


def test_what_the_target_does_not_cover_is_not_called_hidden():
    map_xy, trusted = with_a_strip(jump=24)
    assert not hidden_from_target(map_xy, trusted, trusted, 1.0).any()
