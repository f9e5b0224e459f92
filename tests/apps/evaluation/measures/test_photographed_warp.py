"""End-point errors of backward maps whose errors are known."""

import numpy as np
import pytest

from apps.evaluation.measures.photographed_warp import measure_warp
from stitching.geometry.pixel_maps import pixel_grid


def test_end_point_error_of_a_known_shift_is_exact() -> None:
    truth, visible = pixel_grid(60, 80), np.zeros((60, 80), bool)
    visible[10:40, 10:60] = True
    measured = measure_warp(truth, visible, pixel_grid(60, 80) + np.float32([3, -4]), np.zeros(2), 1.0)
    assert (measured.epe, measured.epe_median, measured.epe_over_3) == (5, 5, 1)


def test_origin_and_scale_of_a_map_are_undone() -> None:
    """A canvas that starts at (-8, -4) and a map at half its size: still no error."""
    visible = np.zeros((60, 80), bool)
    visible[2:50, 2:70] = True
    canvas_to_target = pixel_grid(80, 100) + np.float32([-8, -4])
    half = (canvas_to_target[::2, ::2] + canvas_to_target[1::2, 1::2]) / 2
    measured = measure_warp(pixel_grid(60, 80), visible, half, np.array([-8, -4]), 0.5)
    assert measured.epe == 0


def test_holes_of_a_map_count_as_the_worst_error() -> None:
    visible = np.ones((60, 80), bool)
    torn = pixel_grid(60, 80)
    torn[:, 40:] = np.nan
    measured = measure_warp(pixel_grid(60, 80), visible, torn, np.zeros(2), 1.0)
    assert measured.epe == pytest.approx(25, abs=0.01)
    assert measured.epe_over_3 == 0.5


def test_nothing_visible_has_no_error() -> None:
    nothing = measure_warp(pixel_grid(9, 9), np.zeros((9, 9), bool), pixel_grid(9, 9), np.zeros(2), 1.0)
    assert nothing.epe is None
