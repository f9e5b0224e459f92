import numpy as np
import pytest

from stitching.fields import pixel_grid
from stitching.occlusion import hidden_from_target, nearest_homography

H, W = 200, 300
EVERYWHERE = np.ones((H, W), bool)


def with_a_strip(jump, width=24):
    """The map of a wall, right of a box that stands `jump` px apart; between them `width` px not trusted."""
    places = pixel_grid(H, W) + np.float32([7, 3])
    places[60:140, 100:160, 0] += jump
    trusted = EVERYWHERE.copy()
    trusted[60:140, 160 : 160 + width] = False
    return places, trusted


def test_a_strip_as_wide_as_the_jump_beside_it_is_hidden():
    places, trusted = with_a_strip(jump=24)
    assert np.array_equal(hidden_from_target(places, EVERYWHERE, trusted, 1.0), ~trusted)


def test_the_scale_of_the_map_does_not_matter():
    places, trusted = with_a_strip(jump=24)
    assert np.array_equal(hidden_from_target(places * 5, EVERYWHERE, trusted, 0.2), ~trusted)


@pytest.mark.parametrize("jump", [0, 3])
def test_a_patch_whose_surroundings_move_alike_hides_nothing(jump):
    places, trusted = with_a_strip(jump)
    assert not hidden_from_target(places, EVERYWHERE, trusted, 1.0).any()


def test_specks_hide_nothing():
    places, trusted = with_a_strip(jump=24, width=4)
    assert not hidden_from_target(places, EVERYWHERE, trusted, 1.0).any()


def test_what_the_target_does_not_cover_is_not_called_hidden():
    places, trusted = with_a_strip(jump=24)
    assert not hidden_from_target(places, trusted, trusted, 1.0).any()


def test_the_nearest_homography_of_a_homography_is_itself():
    places = pixel_grid(H, W) * np.float32([1.1, 0.9]) + 5
    broken = places.copy()
    broken[50:100, 50:100] += 300
    trusted = EVERYWHERE.copy()
    trusted[50:100, 50:100] = False
    assert np.abs(nearest_homography(broken, trusted) - places).max() < 0.01


def test_without_trusted_places_the_nearest_homography_moves_nothing():
    places = pixel_grid(H, W) + 5
    assert np.array_equal(nearest_homography(places, ~EVERYWHERE), pixel_grid(H, W))
