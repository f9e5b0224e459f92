import cv2
import numpy as np
import pytest
from synthetic import SIZE, two_planes

from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import pixel_grid
from stitching.io.picture import to_grey
from stitching.warping.flow.semi_global import _is_gentle, epipolar_flow, rectify

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


def test_after_rectification_matches_share_a_row():
    start, end = true_matches()
    found = rectify(start, end, EVERYWHERE, 1.0)
    rows = project(found.start, start)[:, 1] - project(found.end, end)[:, 1]
    assert np.median(np.abs(rows)) < 1
    disparity = project(found.start, start)[:, 0] - project(found.end, end)[:, 0]
    assert disparity.min() > 0
    assert disparity.max() < found.disparities
    assert found.disparities % 16 == 0


@pytest.mark.parametrize("scale", [1.0, 0.7])
def test_the_flow_of_both_surfaces_is_found_both_ways(scale):
    scene = two_planes()
    start, end = true_matches()
    greys = to_grey(scene.target), to_grey(scene.reference)
    flow = epipolar_flow(*greys, EVERYWHERE, start, end, scale)
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
    flow = epipolar_flow(*greys, EVERYWHERE, *true_matches(), 1.0)
    right = np.linalg.norm(flow.forward - (scene.map_xy - pixel_grid(H, W)), axis=2) < 3
    for columns in (slice(0, 30), slice(W - 80, W)):
        assert right[:, columns][scene.visible[:, columns]].mean() > 0.95


def test_the_flow_has_a_value_everywhere():
    scene = two_planes()
    flow = epipolar_flow(to_grey(scene.target), to_grey(scene.reference), EVERYWHERE, *true_matches(), 1.0)
    assert all(np.isfinite(way).all() and way.dtype == np.float32 for way in (flow.forward, flow.backward))


# --- pairs that cannot be rectified ---


def test_too_few_matches_are_not_rectified():
    start, end = true_matches()
    assert rectify(start[:14], end[:14], EVERYWHERE, 1.0) is None
    assert rectify(np.zeros((0, 2)), np.zeros((0, 2)), EVERYWHERE, 1.0) is None


def test_without_an_overlap_nothing_is_rectified():
    assert rectify(*true_matches(), ~EVERYWHERE, 1.0) is None


def test_matches_that_fit_no_camera_are_not_rectified():
    random = np.random.default_rng(1)
    start = random.uniform(0, [W, H], (200, 2))
    assert rectify(start, random.uniform(0, [W, H], (200, 2)), EVERYWHERE, 1.0) is None


def test_an_epipole_in_the_picture_is_not_rectified():
    """The camera went straight ahead."""
    random = np.random.default_rng(2)
    start = random.uniform(0, [W, H], (300, 2))
    depth = random.uniform(4, 10, (300, 1))
    centre = np.array([W / 2, H / 2])
    end = centre + (start - centre) * depth / (depth - 1.5)
    assert rectify(start, end, EVERYWHERE, 1.0) is None


@pytest.mark.parametrize("angle", [0.0, 0.1])
def test_a_camera_that_only_turned_gives_nothing_or_the_homography(angle):
    """Its epipolar geometry is arbitrary: whatever comes out must not be nonsense."""
    scene = two_planes()
    turn = cv2.getRotationMatrix2D((W / 2, H / 2), np.rad2deg(angle), 1.0)
    turned = cv2.warpAffine(scene.reference, turn, SIZE)
    random = np.random.default_rng(3)
    start = random.uniform(20, [W - 20, H - 20], (300, 2))
    end = start @ turn[:, :2].T + turn[:, 2] + random.normal(0, 0.2, start.shape)
    flow = epipolar_flow(to_grey(scene.reference), to_grey(turned), EVERYWHERE, start, end, 1.0)
    if flow is not None:
        grid = pixel_grid(H, W)
        true = grid @ turn[:, :2].T + turn[:, 2] - grid
        error = np.linalg.norm(flow.forward - true, axis=2)[40:-40, 40:-40]
        assert np.median(error) < 2


def test_a_horizon_half_a_pixel_beside_a_corner_is_not_gentle():
    corner = np.array([(100.0, 0.0), (100.0, 80.0), (0.0, 0.0), (0.0, 80.0)])
    to_horizon = np.array([[1, 0, 0], [0, 1, 0], [-(1 - 1e-4) / 100, 0, 1]])  # at x = 100.01
    assert np.isfinite(project(to_horizon, corner)).all()
    assert not _is_gentle(to_horizon, np.eye(3), corner, 1.0)
    assert _is_gentle(np.eye(3), np.eye(3), corner, 1.0)
