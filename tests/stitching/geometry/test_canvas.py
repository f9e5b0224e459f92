import numpy as np
import pytest
from homographies import SIZE, grid_of

from stitching.geometry.canvas import Canvas, Surface


@pytest.mark.parametrize("horizontal_axis", [False, True])
def test_mapping_to_a_cylinder_and_back_changes_nothing(horizontal_axis):
    surface = Surface(500.0, (319.5, 239.5), horizontal_axis)
    points = grid_of(SIZE)
    assert np.allclose(surface.to_reference(surface.from_reference(points)), points, atol=1e-6)
    assert np.allclose(surface.from_reference(np.array([319.5, 239.5])), [319.5, 239.5])


def test_a_cylinder_touches_the_plane_in_the_centre():
    near = np.array([[319.5, 239.5], [321.5, 239.5], [319.5, 243.5]])
    assert np.abs(Surface(500.0, (319.5, 239.5)).from_reference(near) - near).max() < 0.001


@pytest.mark.parametrize("horizontal_axis", [False, True])
def test_lines_along_the_axis_stay_straight_and_others_bend(horizontal_axis):
    surface = Surface(500.0, (319.5, 239.5), horizontal_axis)
    column, row = (surface.from_reference(line) for line in (grid_of(SIZE)[:, 0], grid_of(SIZE)[0]))
    assert (np.ptp(column[:, 0]) < 1e-6) == (not horizontal_axis)
    assert (np.ptp(row[:, 1]) < 1e-6) == horizontal_axis


def test_points_behind_the_reference_camera_have_no_position_on_its_plane():
    surface = Surface(100.0, (0.0, 0.0))
    assert np.isnan(surface.to_reference(np.array([[200.0, 5.0], [-200.0, 5.0]]))[:, 0]).all()


def frame_points(focal, centre, directions):
    return np.column_stack([focal * directions[:, :2] + directions[:, 2:] * centre, directions[:, 2]])


@pytest.mark.parametrize(
    "surface",
    [
        Surface(500.0, (319.5, 239.5)),
        Surface(500.0, (319.5, 239.5), horizontal_axis=True),
        Surface(500.0, (319.5, 239.5), spherical=True),
    ],
)
def test_every_direction_has_a_place_on_a_surface_and_comes_back_from_it(surface):
    directions = np.random.default_rng(0).normal(size=(1000, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frame = frame_points(surface.focal, surface.centre, directions)
    back = surface.to_frame(surface.from_frame(frame))
    cosine = (back * frame).sum(axis=1) / np.linalg.norm(back, axis=1) / np.linalg.norm(frame, axis=1)
    assert cosine.min() > 1 - 1e-9  # the same direction, not its opposite


def test_the_poles_of_a_sphere_have_a_place():
    surface = Surface(500.0, (319.5, 239.5), spherical=True)
    up_and_down = surface.from_frame(np.array([[0.0, -1, 0], [0, 1, 0]]))
    assert np.allclose(up_and_down[:, 1] - 239.5, [-250 * np.pi, 250 * np.pi])
    assert np.isfinite(up_and_down).all()


def test_frame_and_reference_agree_in_front_of_the_camera():
    points = grid_of(SIZE)
    homogeneous = np.concatenate([points, np.ones_like(points[..., :1])], axis=-1)
    for surface in (Surface(None, (319.5, 239.5)), Surface(500.0, (319.5, 239.5))):
        assert np.allclose(surface.from_frame(homogeneous), surface.from_reference(points), atol=1e-6)
    sphere = Surface(500.0, (319.5, 239.5), spherical=True)
    assert np.allclose(sphere.to_reference(sphere.from_reference(points)), points, atol=1e-6)


def test_what_is_behind_the_camera_is_not_on_its_plane():
    assert np.isnan(Surface(None, (0.0, 0.0)).from_frame(np.array([[10.0, 10.0, -1.0]]))).all()


def test_a_canvas_wraps_where_it_is_one_turn_wide():
    surface = Surface(1000 / (2 * np.pi), (0.0, 0.0))
    whole, part = Canvas(surface, (0, 0), (1000, 50)), Canvas(surface, (0, 0), (999, 50))
    assert whole.wraps
    assert not part.wraps
    columns = np.array([[3.0, 5.0], [1003.0, 5.0]])
    assert np.allclose(*whole.to_frame(columns))
    assert not Canvas(Surface(None, (0.0, 0.0)), (0, 0), (1000, 50)).wraps


def test_the_ends_of_a_smaller_copy_of_a_canvas_that_wraps_meet():
    canvas = Canvas(Surface(10007 / (2 * np.pi), (0.0, 0.0)), (0, 0), (10007, 1500))
    columns = canvas.size[0] * canvas.scale_for(1.0)
    assert columns == pytest.approx(round(columns), abs=1e-9)
    assert columns == pytest.approx(np.sqrt(1e6 * 10007 / 1500), abs=1)
