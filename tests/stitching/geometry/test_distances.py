import numpy as np
import pytest

from stitching.geometry.distances import distance_to


def test_the_distance_to_a_pixel():
    mask = np.zeros((40, 60), bool)
    mask[10, 20] = True
    y, x = np.mgrid[:40, :60]
    assert distance_to(mask) == pytest.approx(np.hypot(x - 20, y - 10), rel=0.02)


def test_nothing_is_farther_away_than_the_longest_distance():
    far = distance_to(np.zeros((40, 60), bool))
    assert far.min() == far.max() == 100
    assert not distance_to(np.ones((40, 60), bool)).any()
