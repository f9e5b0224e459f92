import cv2
import numpy as np
import pytest
from synthetic import SIZE, two_planes

from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.picture import to_grey
from stitching.warping.flow.semi_global import epipolar_flow

W, H = SIZE
EVERYWHERE = np.ones((H, W), bool)


def true_matches(step=9, noise=0.3):
    """Points of the target and their places in the reference, on both surfaces, not quite exact."""
    scene = two_planes()
    cells = np.argwhere(scene.visible)[::step, ::-1].astype(float)
    places = scene.map_xy[scene.visible][::step]
    random = np.random.default_rng(0)
    some = random.permutation(len(cells))[:400]
    return cells[some], places[some] + random.normal(0, noise, (len(some), 2))


def test_the_flow_of_both_surfaces_is_found_both_ways():
    scene = two_planes()
    start, end = true_matches()
    greys = to_grey(scene.target), to_grey(scene.reference)
    flow = epipolar_flow(*greys, EVERYWHERE, start, end)
    true = scene.map_xy - pixel_grid(H, W)
    error = np.linalg.norm(flow.forward - true, axis=2)
    for surface in (scene.on_box, ~scene.on_box):
        assert np.median(error[scene.visible & surface]) < 1
        assert (error[scene.visible & surface] < 3).mean() > 0.97
    cells = scene.map_xy.round().astype(int)[scene.visible]
    round_trip = true[scene.visible] + flow.backward[cells[:, 1], cells[:, 0]]
    assert (np.linalg.norm(round_trip, axis=1) < 3).mean() > 0.95


def test_the_borders_of_the_pictures_are_matched_like_the_rest():
    """There the other surface lies outside of what both rectified pictures share."""
    scene = two_planes()
    greys = to_grey(scene.target), to_grey(scene.reference)
    flow = epipolar_flow(*greys, EVERYWHERE, *true_matches())
    right = np.linalg.norm(flow.forward - (scene.map_xy - pixel_grid(H, W)), axis=2) < 3
    for columns in (slice(0, 30), slice(W - 80, W)):
        assert right[:, columns][scene.visible[:, columns]].mean() > 0.95


def test_the_flow_has_a_value_everywhere():
    scene = two_planes()
    flow = epipolar_flow(to_grey(scene.target), to_grey(scene.reference), EVERYWHERE, *true_matches())
    assert all(np.isfinite(way).all() and way.dtype == np.float32 for way in (flow.forward, flow.backward))


def test_a_camera_that_goes_straight_ahead_finds_the_flow_all_around():
    """Its epipole lies in the middle of the picture: a near square grows more than the wall behind it."""
    scene, grow, grow_more = two_planes(), 1.04, 1.2
    centre = np.array([(W - 1) / 2, (H - 1) / 2])
    offset = pixel_grid(H, W) - centre
    near = (np.abs(offset) < (90, 60)).all(axis=2)
    appeared = (np.abs(offset / grow_more) < (90, 60)).all(axis=2)  # the square in the end picture
    start = scene.reference
    back = np.where(appeared[..., None], offset / grow_more, offset / grow) + centre
    end = cv2.remap(start, back.astype(np.float32), None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    true = np.where(near[..., None], offset * (grow_more - 1), offset * (grow - 1))
    random = np.random.default_rng(2)
    rows, columns = random.integers(20, H - 20, 300), random.integers(20, W - 20, 300)
    points = np.stack([columns, rows], axis=1).astype(float)
    flow = epipolar_flow(to_grey(start), to_grey(end), EVERYWHERE, points, points + true[rows, columns])
    error = np.linalg.norm(flow.forward - true, axis=2)[20:-20, 20:-20]
    assert (error[near[20:-20, 20:-20]] < 2).mean() > 0.9
    hidden = appeared & ~near
    assert (error[~(near | hidden)[20:-20, 20:-20]] < 2).mean() > 0.85


# --- pairs without an epipolar geometry ---


def none_found(start, end, overlap=EVERYWHERE):
    grey = to_grey(two_planes().target)
    return epipolar_flow(grey, grey, overlap, start, end) is None


def test_too_few_matches_give_no_flow():
    start, end = true_matches()
    assert none_found(start[:14], end[:14])
    assert none_found(np.zeros((0, 2)), np.zeros((0, 2)))


def test_without_an_overlap_there_is_no_flow():
    assert none_found(*true_matches(), ~EVERYWHERE)


def test_matches_that_fit_no_camera_give_no_flow():
    random = np.random.default_rng(1)
    assert none_found(random.uniform(0, [W, H], (200, 2)), random.uniform(0, [W, H], (200, 2)))


@pytest.mark.parametrize("angle", [0.0, 0.1])
def test_a_camera_that_only_turned_gives_nothing_or_the_homography(angle):
    """Its epipolar geometry is arbitrary: whatever comes out must not be nonsense."""
    scene = two_planes()
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), np.rad2deg(angle), 1.0)
    turned = cv2.warpAffine(scene.reference, turn, SIZE)
    random = np.random.default_rng(3)
    start = random.uniform(20, [W - 20, H - 20], (300, 2))
    end = start @ turn[:, :2].T + turn[:, 2] + random.normal(0, 0.2, start.shape)
    flow = epipolar_flow(to_grey(scene.reference), to_grey(turned), EVERYWHERE, start, end)
    if flow is not None:
        grid = pixel_grid(H, W)
        true = grid @ turn[:, :2].T + turn[:, 2] - grid
        error = np.linalg.norm(flow.forward - true, axis=2)[40:-40, 40:-40]
        assert np.median(error) < 2
