import numpy as np
from homographies import SIZE, grid_of

from stitching.geometry.canvas import Surface


def test_mapping_to_a_cylinder_and_back_changes_nothing():
    surface = Surface(500.0, (319.5, 239.5))
    points = grid_of(SIZE)
    assert np.allclose(surface.to_reference(surface.from_reference(points)), points, atol=1e-6)
    assert np.allclose(surface.from_reference(np.array([319.5, 239.5])), [319.5, 239.5])


def test_a_cylinder_touches_the_plane_in_the_centre():
    near = np.array([[319.5, 239.5], [321.5, 239.5], [319.5, 243.5]])
    assert np.abs(Surface(500.0, (319.5, 239.5)).from_reference(near) - near).max() < 0.001


def test_points_behind_the_reference_camera_have_no_position_on_its_plane():
    surface = Surface(100.0, (0.0, 0.0))
    assert np.isnan(surface.to_reference(np.array([[200.0, 5.0], [-200.0, 5.0]]))[:, 0]).all()
