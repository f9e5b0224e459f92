import numpy as np
import pytest
from moved_plane import H, W, constant, error, views
from synthetic import two_planes

from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.picture import to_grey
from stitching.warping.flow.dense_inverse_search import dense_inverse_search, nearest_match_flow, refine


@pytest.mark.parametrize("translation", [(0, 0), (5.3, -2.6), (-20, 9)])
def test_a_translation_is_found(translation):
    start, end = views(*translation)
    found = error(dense_inverse_search(to_grey(start), to_grey(end)), *translation)
    assert found.mean() < 0.15
    assert np.percentile(found, 99) < 0.5


def test_a_large_translation_is_found_from_a_start_which_stays_as_it_was():
    start, end = views(90, 30)
    initial = constant(88, 31)
    flow = dense_inverse_search(to_grey(start), to_grey(end), initial)
    assert np.percentile(error(flow[:, :-90], 90, 30), 90) < 0.5
    assert np.array_equal(initial, constant(88, 31))


def test_refining_removes_small_errors():
    start, end = views(7.4, 1.8)
    rough = constant(7.4, 1.8) + 0.8 * np.sin(pixel_grid(H, W) / 30)
    refined = refine(to_grey(start), to_grey(end), rough.astype(np.float32))
    assert error(rough, 7.4, 1.8).mean() > 0.5
    assert error(refined, 7.4, 1.8).mean() < 0.1


def test_refining_moves_no_pixel_more_than_its_limit():
    start, _ = views(0, 0)
    flow = constant(120, 60)
    refined = refine(to_grey(start), to_grey(start), flow)
    assert np.linalg.norm(refined - flow, axis=2).max() <= 3.001


# --- sparse matches ---


def test_matches_are_spread_to_their_neighbourhood_and_odd_ones_left_out():
    random = np.random.default_rng(0)
    start = random.uniform(10, [W - 10, H - 10], (200, 2))
    moves = np.where(start[:, :1] < 200, [10.0, 0], [40.0, 5])
    moves[7] = [-150, 90]
    flow = nearest_match_flow(start, start + moves, (H, W))
    assert np.abs(flow[:, :150] - [10, 0]).max() < 0.01
    assert np.abs(flow[:, 250:] - [40, 5]).max() < 0.01


@pytest.mark.parametrize("n", [0, 1, 3])
def test_too_few_matches_give_no_flow(n):
    points = np.full((n, 2), 50.0)
    assert nearest_match_flow(points, points, (H, W)) is None


def test_matches_outside_the_picture_are_left_out():
    inner = np.random.default_rng(0).uniform(50, 200, (20, 2))
    start = np.vstack([inner, [[-300.0, 10], [1e6, 1e6]]])
    flow = nearest_match_flow(start, start + np.array([3.0, 4]), (H, W))
    assert np.abs(flow - [3, 4]).max() < 0.01


def test_started_from_sparse_matches_the_search_finds_both_surfaces():
    scene = two_planes()
    true = scene.map_xy - pixel_grid(H, W)
    cells = np.argwhere(scene.visible)[::97, ::-1].astype(float)
    ends = scene.map_xy[scene.visible][::97]
    seed = nearest_match_flow(cells, ends, (H, W))
    flow = dense_inverse_search(to_grey(scene.target), to_grey(scene.reference), seed)
    wrong = np.linalg.norm(flow - true, axis=2) > 2
    assert wrong[scene.visible & scene.on_box].mean() < 0.2
    assert wrong[scene.visible & ~scene.on_box].mean() < 0.1
