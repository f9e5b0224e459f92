import numpy as np
import pytest
from homographies import SIZE, grid_of

from stitching.geometry.canvas import Surface


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
