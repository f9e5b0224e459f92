"""Thin-plate splines against SciPy's."""

import numpy as np
import pytest
from scipy.interpolate import RBFInterpolator

from apps.evaluation.measures.thin_plate_spline import thin_plate_spline


def test_thin_plate_spline_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    points, values, queries = rng.random((80, 2)), rng.normal(size=(80, 2)), rng.random((50, 2)) * 1.5
    expected = RBFInterpolator(points, values, smoothing=1e-3, kernel="thin_plate_spline", degree=1)(queries)
    assert np.abs(thin_plate_spline(points, values, queries, 1e-3) - expected).max() < 1e-6


def test_thin_plate_spline_refuses_points_on_a_line() -> None:
    line = np.linspace(0, 1, 12)[:, None] * [[0.3, 0.7]]
    with pytest.raises(np.linalg.LinAlgError, match="one line"):
        thin_plate_spline(line, line, line, 1e-3)
