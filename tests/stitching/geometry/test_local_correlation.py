import numpy as np
import pytest

from stitching.geometry.local_correlation import local_correlation, local_moments

TEXTURE = np.random.default_rng(0).uniform(0, 255, (40, 60)).astype(np.float32)


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 1.0), (0.5, 1.0), (-0.5, -1.0)])
def test_correlation_ignores_gain_and_offset(gain, expected):
    assert np.abs(local_correlation(TEXTURE, gain * TEXTURE + 70, 9) - expected).max() < 0.01


def test_correlation_is_small_where_there_is_nothing_to_compare():
    flat = np.full_like(TEXTURE, 90)
    assert np.abs(local_correlation(flat, flat, 9)).max() < 0.1
    assert np.abs(local_correlation(flat, TEXTURE, 9)).max() < 0.1


def test_moments_are_those_of_the_window():
    mean, variance = local_moments(TEXTURE, 5)
    window = TEXTURE[8:13, 18:23]
    assert mean[10, 20] == pytest.approx(window.mean(), rel=1e-4)
    assert variance[10, 20] == pytest.approx(window.var(), rel=1e-3)
