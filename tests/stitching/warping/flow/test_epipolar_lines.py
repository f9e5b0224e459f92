import numpy as np
import pytest

from stitching.warping.flow.epipolar_lines import EpipolarLines

W, H = 300, 220
CENTRE = np.array([W / 2, H / 2])
# Movement of the camera and its turn. Epipoles of the first picture: at infinity, far, near, beside the picture, at its
# border, and in it.
VIEWS = [
    ((1, 0, 0), 0.0), ((0, 1, 0), 0.0), ((1, 0, 0), 0.02), ((0, 1, 0.01), 0.02), ((1, -0.3, 0.3), 0.02),
    ((0.6, 0.2, 0.5), 0.02), ((0.45, 0, 1), 0.02), ((0.02, 0.05, 1), 0.02),
]  # fmt: skip


def view_of_a_scene(translation, turn):
    """Matches of a scene, and its true fundamental matrix; the camera turns about its upright axis and moves."""
    random = np.random.default_rng(0)
    camera = np.array([[250, 0, CENTRE[0]], [0, 250, CENTRE[1]], [0, 0, 1.0]])
    start = random.uniform(0, [W, H], (500, 2))
    depth = random.uniform(6, 14, 500)
    points = (np.c_[start, np.ones(500)] @ np.linalg.inv(camera).T) * depth[:, None]
    rotation = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    moved = points @ rotation.T + translation
    end = moved @ camera.T
    x, y, z = translation
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    inverse = np.linalg.inv(camera)
    return start, end[:, :2] / end[:, 2:], inverse.T @ cross @ rotation @ inverse


def lines_of(fundamental, area=1e6):
    return EpipolarLines.through(fundamental, np.ones((H, W), bool), area)


@pytest.mark.parametrize(("translation", "turn"), VIEWS)
def test_matches_share_a_row(translation, turn):
    start, end, fundamental = view_of_a_scene(translation, turn)
    lines = lines_of(fundamental)
    start_row, _ = lines.of_start(start)
    end_row, _ = lines.of_end(end)
    apart = np.linalg.norm(start - lines.epipole, axis=1) > 15  # where rows of an epipole in the picture are wide
    assert np.abs(start_row - end_row)[apart].max() < 0.05


@pytest.mark.parametrize(("translation", "turn"), VIEWS)
def test_rows_and_positions_lead_back_to_the_places(translation, turn):
    start, end, fundamental = view_of_a_scene(translation, turn)
    lines = lines_of(fundamental)
    for of, places_of, points in ((lines.of_start, lines.start_places, start), (lines.of_end, lines.end_places, end)):
        row, position = of(points)
        apart = np.linalg.norm(points - lines.epipole, axis=1) > 40
        for point, at, along in zip(points[apart][:60], row[apart], position[apart], strict=False):
            above, below = places_of(np.array([along]))[int(np.floor(at)) :][:2, 0]
            between = above + (below - above) * (at - np.floor(at))
            assert np.linalg.norm(between - point) < 0.1


@pytest.mark.parametrize(("translation", "turn"), VIEWS)
def test_the_overlap_lies_in_the_rows_and_between_their_ends(translation, turn):
    lines = lines_of(view_of_a_scene(translation, turn)[2])
    x, y = np.meshgrid(np.arange(W), np.arange(H))
    row, position = lines.of_start(np.stack([x, y], axis=-1).astype(float))
    assert row.min() >= 0
    assert row.max() <= len(lines.anchor) - 1
    assert position.min() >= lines.low - 1e-6
    assert position.max() <= lines.high + 1e-6


@pytest.mark.parametrize(("translation", "turn"), VIEWS)
def test_the_rows_hold_no_more_than_the_area(translation, turn):
    lines = lines_of(view_of_a_scene(translation, turn)[2], area=2e4)
    margin = 10  # rows beyond the overlap
    assert (len(lines.anchor) - margin) * (lines.high - lines.low) / lines.pitch < 2e4
