import numpy as np
import pytest
from homographies import REALISTIC, SIZE, coarse_warp_of, grid_of, random_homographies

from stitching.geometry.homographies import is_plausible, project
from stitching.geometry.pixel_maps import evaluate_on_grid, inside

realistic = pytest.mark.parametrize("name", REALISTIC)


@realistic
def test_in_the_frame_of_the_reference_the_warp_is_the_homography(name):
    homography = REALISTIC[name]
    warp = coarse_warp_of(homography)
    points = grid_of(SIZE)
    places = warp(warp.canvas.from_reference(points))
    expected = project(np.linalg.inv(homography), points)
    valid = inside(expected, SIZE)
    assert valid.any()
    assert np.abs(places - expected)[valid].max() < 0.01


@realistic
def test_the_inverse_undoes_the_warp(name):
    warp = coarse_warp_of(REALISTIC[name])
    points = grid_of(SIZE)
    assert np.linalg.norm(warp(warp.inverse(points)) - points, axis=-1).max() < 0.1


def areas(warp):
    """Signed area of a canvas pixel in target px, over the whole canvas, and where that is in the target."""
    w, h = warp.canvas.size
    points = grid_of((w, h), 4)
    step_x, step_y = np.array([0.5, 0.0]), np.array([0.0, 0.5])
    dx, dy = warp(points + step_x) - warp(points - step_x), warp(points + step_y) - warp(points - step_y)
    return dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0], inside(warp(points), SIZE)


@realistic
def test_the_warp_folds_nowhere_on_the_target(name):
    area, valid = areas(coarse_warp_of(REALISTIC[name]))
    assert (area[valid] > 0).all()


def test_the_warp_of_any_plausible_homography_folds_nowhere_on_the_target():
    checked = 0
    for homography in random_homographies(100, seed=1):
        if is_plausible(homography, SIZE[::-1], SIZE[::-1]):
            area, valid = areas(coarse_warp_of(homography))
            assert (area[valid] > 0).mean() > 0.999, homography
            checked += 1
    assert checked > 15


@realistic
def test_the_canvas_shows_the_target_once(name):
    """No ghost of it beyond the horizon: what the canvas shows has about the target's area."""
    warp = coarse_warp_of(REALISTIC[name])
    area, valid = areas(warp)
    shown = 16 * area[valid].sum()  # one sample for 4 x 4 px
    assert shown == pytest.approx(SIZE[0] * SIZE[1], rel=0.05)


@realistic
def test_the_far_side_is_stretched_less_than_by_the_homography(name):
    homography = REALISTIC[name]
    warp = coarse_warp_of(homography)
    area, valid = areas(warp)
    points = grid_of(SIZE)
    depth = points @ homography[2, :2] + homography[2, 2]
    plane = np.abs(np.linalg.det(homography)) / depth**3
    assert (1 / area[valid]).max() < 1.05 * plane.max() + 0.05


@realistic
def test_the_warp_is_smooth_enough_to_be_interpolated_on_a_grid(name):
    warp = coarse_warp_of(REALISTIC[name])
    w, h = warp.canvas.size
    drawn = evaluate_on_grid(warp, (w, h), 1.0)
    exact = warp(grid_of((w, h), 1))
    valid = inside(exact, SIZE)
    error = np.linalg.norm(drawn - exact, axis=-1)[valid]
    assert error.max() < 0.5
    assert np.median(error) < 0.02
