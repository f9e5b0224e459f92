"""Measures of warped pictures whose differences are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.evaluation.measures.overlap import OverlapMeasures, measure_overlap

Picture = NDArray[np.uint8]


def _overlap(scene: Picture, target: Picture) -> OverlapMeasures:
    valid = np.ones(scene.shape[:2], bool)
    return measure_overlap(scene, valid, target, valid)


def test_equal_pictures_overlap_perfectly(scene: Picture) -> None:
    measured = _overlap(scene, scene)
    assert measured.overlap == 1
    assert measured.psnr == pytest.approx(138.13, abs=0.01)
    assert measured.ssim == pytest.approx(1)
    assert measured.udis_ssim == pytest.approx(1)


def test_exposure_costs_only_the_raw_numbers(scene: Picture) -> None:
    measured = _overlap(scene, (scene * 0.6 + 20).astype(np.uint8))
    assert measured.psnr is not None
    assert measured.psnr < 25
    assert measured.psnr_fitted is not None
    assert measured.psnr_fitted > 45
    assert measured.ssim is not None
    assert measured.ssim_fitted is not None
    assert measured.ssim_fitted > measured.ssim
    assert measured.ssim_fitted > 0.98


def test_pixels_seen_by_one_picture_only_do_not_count(scene: Picture) -> None:
    valid, half = np.ones(scene.shape[:2], bool), np.zeros(scene.shape[:2], bool)
    half[:, :300] = True
    target = np.roll(scene, 2, axis=0)
    noisy = target.copy()
    noisy[:, 300:] = np.random.default_rng(0).integers(0, 256, (400, 300, 3))
    clean, dirty = (measure_overlap(scene, valid, picture, half) for picture in (target, noisy))
    assert clean.overlap == dirty.overlap == 0.5
    assert clean.psnr == dirty.psnr
    assert clean.ssim == pytest.approx(dirty.ssim)
    assert clean.psnr_fitted == dirty.psnr_fitted
    # What the UDIS++ protocol does not see: less overlap looks better.
    whole = _overlap(scene, target)
    assert clean.udis_psnr is not None
    assert whole.udis_psnr is not None
    assert clean.udis_psnr > whole.udis_psnr + 1


def test_without_overlap_nothing_is_compared(scene: Picture) -> None:
    valid = np.ones(scene.shape[:2], bool)
    assert measure_overlap(scene, valid, scene, ~valid) == OverlapMeasures(overlap=0)
    assert measure_overlap(scene, ~valid, scene, valid) == OverlapMeasures()
