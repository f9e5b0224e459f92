import numpy as np
import pytest

from stitching.blending.crop import GRID_SIDE, largest_rectangle, shown_rectangle
from stitching.geometry.rectangles import Rectangle


def brute_force(alpha):
    """Area of the largest rectangle, by trying all."""
    h, w = alpha.shape
    full = np.zeros((h + 1, w + 1), int)
    full[1:, 1:] = (alpha > 0).cumsum(axis=0).cumsum(axis=1)
    best = 0
    for top in range(h):
        for bottom in range(top + 1, h + 1):
            for left in range(w):
                for right in range(left + 1, w + 1):
                    area = (bottom - top) * (right - left)
                    inside = full[bottom, right] - full[top, right] - full[bottom, left] + full[top, left]
                    if inside == area:
                        best = max(best, area)
    return best


@pytest.mark.parametrize("seed", range(12))
def test_the_rectangle_is_full_and_the_largest(seed):
    random = np.random.default_rng(seed)
    h, w = random.integers(1, 13, 2)
    alpha = (random.random((h, w)) < random.uniform(0.5, 1)).astype(np.uint8) * np.uint8(255)
    alpha[0, 0] = 255
    found = largest_rectangle(alpha)
    assert alpha[found.slices].min() == 255
    assert alpha[found.slices].size == brute_force(alpha)


def test_a_full_picture_is_not_cut():
    assert largest_rectangle(np.full((30, 50), 255, np.uint8)) == Rectangle(0, 0, 50, 30)


def test_a_large_picture_loses_at_most_two_percent():
    h, w = 3 * GRID_SIDE + 17, 2 * GRID_SIDE
    alpha = np.full((h, w), 255, np.uint8)
    alpha[:41], alpha[:, -33:] = 0, 0
    found = largest_rectangle(alpha)
    assert alpha[found.slices].min() == 255
    assert alpha[found.slices].size > 0.98 * (h - 41) * (w - 33)


def test_a_large_full_picture_is_not_cut_either():
    h, w = 2 * GRID_SIDE + 1, GRID_SIDE + 7
    found = largest_rectangle(np.full((h, w), 255, np.uint8))
    assert found.origin == (0, 0)
    assert w - found.right < 4
    assert h - found.bottom < 4


def test_an_empty_picture_is_not_cut():
    assert largest_rectangle(np.zeros((20, 30), np.uint8)) == Rectangle(0, 0, 30, 20)
    assert shown_rectangle(np.zeros((20, 30), np.uint8)) == Rectangle(0, 0, 30, 20)


def test_empty_margins_are_not_shown_but_holes_and_corners_are():
    alpha = np.zeros((20, 30), np.uint8)
    alpha[3:12, 5] = alpha[3, 5:26] = 255
    assert shown_rectangle(alpha) == Rectangle(5, 3, 26, 12)
