import numpy as np
import pytest

from stitching.geometry.tears_and_folds import tears_and_folds


def test_tears_and_folds_are_counted():
    still = np.zeros((60, 80, 2), np.float32)
    everywhere = np.ones((60, 80), bool)
    assert tears_and_folds(still, everywhere) == (0, 0)
    assert tears_and_folds(still, ~everywhere) == (0, 0)
    torn, folded = still.copy(), still.copy()
    torn[:, 40:, 0], folded[:, 40:, 0] = 30, -30
    tears, folds = tears_and_folds(torn, everywhere)
    assert tears == pytest.approx(1 / 78)
    assert folds == 0
    tears, folds = tears_and_folds(folded, everywhere)
    assert tears == 0
    assert folds == pytest.approx(1 / 78)
