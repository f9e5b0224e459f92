import numpy as np

from stitching.geometry.homographies import nearest_homography_map
from stitching.geometry.pixel_maps import pixel_grid

H, W = 200, 300
EVERYWHERE = np.ones((H, W), bool)


def test_the_homography_nearest_to_a_homography_is_itself():
    map_xy = pixel_grid(H, W) * np.float32([1.1, 0.9]) + 5
    wrong, known = map_xy.copy(), EVERYWHERE.copy()
    wrong[50:100, 50:100] += 300
    known[50:100, 50:100] = False
    assert np.abs(nearest_homography_map(wrong, known) - map_xy).max() < 0.01


def test_without_known_points_the_nearest_homography_moves_nothing():
    map_xy = pixel_grid(H, W) + 5
    assert np.array_equal(nearest_homography_map(map_xy, ~EVERYWHERE), pixel_grid(H, W))
