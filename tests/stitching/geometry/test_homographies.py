import numpy as np
import pytest
from homographies import REALISTIC, SIZE, camera_turned, translated

from stitching.geometry.homographies import (
    focal_length,
    is_plausible,
    nearest_homography_map,
    project,
    scaling_homography,
)
from stitching.geometry.pixel_maps import pixel_grid, rescale

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


def test_scaling_by_a_matrix_is_rescaling():
    points = np.array([[-0.5, 3.0], [10.0, 7.25]])
    assert np.allclose(project(scaling_homography(2.5), points), rescale(points, 2.5))
    assert np.allclose(project(scaling_homography(2.0, 3.0), points)[:, 1], rescale(points[:, 1], 3.0))


def test_points_beyond_the_horizon_are_nan():
    homography = np.array([[1, 0, 0], [0, 1, 0], [-0.01, 0, 1]])
    projected = project(homography, np.array([[50.0, 8.0], [100.0, 8.0], [150.0, 8.0]]))
    assert np.allclose(projected[0], [100, 16])
    assert np.isnan(projected[1:]).all()


@pytest.mark.parametrize("name", REALISTIC)
def test_homographies_of_photographs_are_plausible(name):
    assert is_plausible(REALISTIC[name], SIZE[::-1], SIZE[::-1])


@pytest.mark.parametrize(
    "homography",
    [
        [[-1, 0, SIZE[0]], [0, 1, 0], [0, 0, 1]],  # mirrored
        [[1, 0, 0], [0, -1, SIZE[1]], [0, 0, 1]],  # upside down in a mirror
        [[1, 0, 0], [2, 0, 0], [0, 0, 1]],  # flat
        [[0.1, 0, 50], [0, 0.1, 50], [0, 0, 1]],  # a hundredth of the area
        [[9, 0, -900], [0, 9, -900], [0, 0, 1]],  # 81 times the area
        [[1, 0, 5 * SIZE[0]], [0, 1, 0], [0, 0, 1]],  # beside the reference
        [[1, 0, 0], [0, 1, 0], [-0.004, 0, 1]],  # horizon in the target
        [[1, 0, 0], [0, 1, 0], [0, 0, -1]],  # behind the camera
        [[np.nan, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 0]],
    ],
)
def test_homographies_that_no_two_photographs_have_are_implausible(homography):
    assert not is_plausible(np.array(homography, np.float64), SIZE[::-1], SIZE[::-1])


@pytest.mark.parametrize(("yaw", "focal"), [(30, 550.0), (-40, 700.0), (25, 480.0)])
def test_the_focal_length_of_a_camera_that_turned_is_found(yaw, focal):
    assert focal_length(camera_turned(yaw, 3, 2, focal), SIZE, SIZE) == pytest.approx(focal, rel=0.1)


def test_a_translation_which_fits_any_focal_length_gets_a_usual_one():
    focal = focal_length(translated(100, 0), SIZE, SIZE)
    assert 0.5 < focal / max(SIZE) < 2
