import numpy as np
import pytest

from stitching.geometry.membrane import fit_membrane

H, W = 30, 40
REST = np.array([0.5, -1.0], np.float32)


def test_where_nothing_is_known_it_is_at_rest():
    field = fit_membrane(np.full((H, W, 2), np.nan, np.float32), np.zeros((H, W), np.float32), REST, 1.0, 10.0)
    assert field.shape == (H, W, 2)
    assert field.dtype == np.float32
    assert np.allclose(field, REST)


def test_it_follows_what_is_known_well():
    x = np.linspace(0, 1, W, dtype=np.float32)
    values = np.broadcast_to(np.stack([x, -x], axis=-1), (H, W, 2)).astype(np.float32)
    field = fit_membrane(values, np.ones((H, W), np.float32), REST, 0.01, 100.0)
    assert np.abs(field - values).max() < 0.005


def test_it_goes_on_smoothly_and_comes_back_to_rest_within_its_reach():
    values, weights = np.zeros((H, W, 2), np.float32), np.zeros((H, W), np.float32)
    values[:, 0], weights[:, 0] = REST + 1, 100
    profile = fit_membrane(values, weights, REST, 1.0, 5.0)[H // 2] - REST
    assert (np.diff(profile, axis=0) <= 0).all()
    assert profile[0] == pytest.approx(1, abs=0.01)
    assert profile[5] == pytest.approx(np.exp(-1), abs=0.03)  # the solution of g'' = g / 5^2
    assert np.abs(profile[-1]).max() < 0.01


def test_an_uncertain_value_moves_it_less_than_a_certain_one():
    values = np.ones((H, W, 1), np.float32)
    moved = []
    for weight in (0.01, 1.0):
        weights = np.zeros((H, W), np.float32)
        weights[10, 10] = weight
        moved.append(fit_membrane(values, weights, np.zeros(1, np.float32), 1.0, 10.0)[10, 10, 0])
    assert 0 < moved[0] < 0.1 * moved[1] < 0.1
