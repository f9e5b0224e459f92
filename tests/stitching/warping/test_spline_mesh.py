import numpy as np
import pytest

from stitching.geometry.pixel_maps import pixel_grid
from stitching.warping.spline_mesh import SplineMesh, fit_smoothly
from stitching.warping.straight_lines import LineTriples, line_triples

SIZE = 160, 100
NO_LINES = LineTriples(np.zeros((0, 3, 2)), np.zeros((0, 2)))
MESH = SplineMesh.over(SIZE, 10)


def measured(function, low, high, count=400):
    """Points (n, 2) between two corners, and what a function says there."""
    points = np.random.default_rng(0).uniform(low, high, (count, 2))
    return points, function(points)


def sloping(points):
    return points @ np.array([[0.03, -0.01], [0.02, 0.04]]) + np.array([3.0, -2.0])


def everywhere(function):
    x, y = np.meshgrid(np.arange(SIZE[0]), np.arange(SIZE[1]))
    return function(np.stack([x, y], axis=-1).astype(np.float64))


def fitted(points, values, tolerance=5.0, lines=NO_LINES):
    return MESH.evaluate(fit_smoothly(MESH, points, values, np.full(len(points), 0.2), tolerance, lines), SIZE)


def test_a_slope_goes_on_where_nothing_is_measured_and_levels_off():
    field = fitted(*measured(sloping, (0, 0), (100, 99)))
    error = np.abs(field - everywhere(sloping)).max(axis=(0, 2))  # of each column
    assert error[:80].max() < 0.2
    assert error[:116].max() < 0.5
    assert np.abs(np.diff(field[:, -2:], axis=1)).max() < 0.025  # px a column; 0.03 where it was measured


@pytest.mark.parametrize("share", [0.1, 0.3])
def test_measurements_that_disagree_with_most_are_ignored(share):
    points, values = measured(sloping, (0, 0), (159, 99))
    values[: int(share * len(values))] += 60
    field = fitted(points, values, tolerance=2.0)
    assert np.abs(field - everywhere(sloping)).max() < 1


def test_nothing_measured_gives_zero():
    assert np.array_equal(fitted(np.zeros((0, 2)), np.zeros((0, 2))), np.zeros((100, 160, 2), np.float32))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (50, 1), (7, 3)])
def test_the_smallest_grids_have_a_field(size):
    mesh = SplineMesh.over(size, 10)
    controls = fit_smoothly(mesh, np.zeros((1, 2)), np.ones((1, 2)), np.ones(1), 1.0, NO_LINES)
    assert np.abs(mesh.evaluate(controls, size) - 1).max() < 0.01


def test_lines_stay_straight_and_may_move_and_turn():
    """Measured: a wave that would bend the line."""
    points = np.random.default_rng(0).uniform((0, 0), (159, 99), (400, 2))
    values = sloping(points) + np.stack([np.zeros(400), 3 * np.sin(points[:, 0] / 20)], axis=1)
    lines = line_triples(np.array([[[10.0, 50], [150, 50]]]), pixel_grid(*SIZE[::-1]), MESH.cell)
    x = np.arange(10, 151)
    bent, straight = (fitted(points, values, 50.0, which)[50, x, 1] for which in (NO_LINES, lines))
    bend, rest = (np.abs(line - np.polyval(np.polyfit(x, line, 1), x)).max() for line in (bent, straight))
    assert bend > 2
    assert rest < bend / 2
    assert np.abs(straight - np.polyval(np.polyfit(x, bent, 1), x)).max() < 2
