"""SSIM against scikit-image's."""

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from apps.evaluation.measures.similarity import ssim, ssim_map


def test_ssim_is_that_of_scikit_image(scene: NDArray[np.uint8]) -> None:
    noise = np.random.default_rng(0).normal(0, 20, scene.shape)
    other = (np.roll(scene, 1, axis=1) + noise).clip(0, 255).astype(np.uint8)
    mean, per_pixel = structural_similarity(scene, other, channel_axis=2, data_range=255, full=True)
    assert ssim(scene, other) == pytest.approx(mean, abs=1e-9)
    assert np.abs(ssim_map(scene, other) - per_pixel).max() < 1e-6
