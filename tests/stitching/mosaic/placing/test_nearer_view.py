"""The view from which a dense warp starts is near to where the mosaic shows the same."""

import numpy as np
import pytest

from stitching.adjustment.picture_view import PictureView
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import project
from stitching.mosaic.placing.nearer_view import nearer_view

SIZE = (400, 300)
VIEW = PictureView(Canvas(Surface(None, (199.5, 149.5)), (-100, -100), (700, 500)), np.eye(3), SIZE)


def points(count=80, seed=0):
    return np.random.default_rng(seed).uniform((20, 20), (380, 280), (count, 2))


def test_a_view_that_is_off_is_moved_to_where_the_matches_are():
    own = points()
    moved = np.array([[1.02, 0.01, 25.0], [-0.01, 1.01, -8.0], [0, 0, 1]])  # picture px -> where the mosaic has it
    before = VIEW.inverse(project(moved, own))

    found = nearer_view(VIEW, before, own)

    assert np.linalg.norm(found(before) - own, axis=1).max() < 0.1


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_view_that_fits_is_kept(noise):
    own = points()
    before = VIEW.inverse(own + np.random.default_rng(1).normal(0, noise, own.shape))

    assert nearer_view(VIEW, before, own) is VIEW


def test_matches_that_agree_on_nothing_move_no_view():
    assert nearer_view(VIEW, VIEW.inverse(points(seed=1)), points(seed=2)) is VIEW


def test_without_matches_the_view_is_kept():
    assert nearer_view(VIEW, np.zeros((0, 2)), np.zeros((0, 2))) is VIEW
