"""Measures on cases whose answer is known, and second opinions from scikit-image and SciPy."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator
from skimage.data import astronaut, coffee
from skimage.metrics import structural_similarity

from apps.evaluation.measures import OverlapMeasures, Pair, measure_overlap, measure_panorama, measure_warp, prepare
from apps.evaluation.registration import thin_plate_spline
from apps.evaluation.similarity import ssim, ssim_map

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def scene() -> Picture:
    """(400, 600, 3): what both pictures of the pair show parts of."""
    return np.ascontiguousarray(coffee()[..., ::-1])


@pytest.fixture(scope="module")
def pair(scene: Picture) -> Pair:
    return prepare(scene[:, :400], scene[:, 200:])


def test_true_panorama_is_measured_as_perfect(pair: Pair, scene: Picture) -> None:
    measured = measure_panorama(pair, scene, np.full(scene.shape[:2], 255, np.uint8))
    assert measured.reason == ""
    assert measured.good
    assert not measured.blown_up
    assert measured.kept_reference == measured.kept_target == measured.kept_new == 1
    assert measured.ghost == 0
    assert measured.stretch_reference == pytest.approx(1, abs=0.01)
    assert measured.stretch_target == pytest.approx(1, abs=0.01)
    assert measured.size_spread == pytest.approx(1, abs=0.02)
    assert measured.area == pytest.approx(600 / 400, rel=0.01)
    assert measured.canvas == 1
    assert (measured.width, measured.height) == (600, 400)


def test_scale_of_the_panorama_does_not_matter(pair: Pair, scene: Picture) -> None:
    measured = measure_panorama(pair, cv2.resize(scene, None, fx=2.5, fy=2.5))
    assert measured.good
    assert measured.area == pytest.approx(600 / 400, rel=0.01)


@pytest.mark.parametrize("factor", [0.8, 1.3, 1.6])
def test_stretch_is_the_anisotropic_scaling(pair: Pair, scene: Picture, factor: float) -> None:
    measured = measure_panorama(pair, cv2.resize(scene, None, fx=factor, fy=1))
    expected = max(factor, 1 / factor)
    assert measured.stretch_reference == pytest.approx(expected, rel=0.03)
    assert measured.stretch_target == pytest.approx(expected, rel=0.03)


def test_double_exposure_is_a_ghost(pair: Pair, scene: Picture) -> None:
    shifted = np.roll(scene, 14, axis=1)
    double = scene.copy()
    double[:, 200:400] = (scene[:, 200:400] // 2) + (shifted[:, 200:400] // 2)
    measured = measure_panorama(pair, double)
    assert measured.ghost is not None
    assert measured.ghost > 0.3
    assert not measured.good


def test_cut_off_panorama_keeps_less_of_the_target(pair: Pair, scene: Picture) -> None:
    measured = measure_panorama(pair, scene[:, :420])
    assert measured.kept_reference == 1
    assert measured.kept_target is not None
    assert measured.kept_target < 0.62  # 220 of 400 columns are left
    assert measured.kept_new is not None
    assert measured.kept_new < 0.15
    assert not measured.good


def test_hard_brightness_step_is_a_seam(pair: Pair, scene: Picture) -> None:
    smooth = measure_panorama(pair, scene)
    stepped = scene.copy()
    stepped[:, 300:] = (scene[:, 300:] * 0.7).astype(np.uint8)
    with_step = measure_panorama(pair, stepped)
    assert smooth.seam is not None
    assert with_step.seam is not None
    assert with_step.seam > smooth.seam + 0.02


def test_black_border_counts_as_not_seen(pair: Pair, scene: Picture) -> None:
    framed = np.zeros((800, 1000, 3), np.uint8)
    framed[200:600, 200:800] = scene
    by_black = measure_panorama(pair, framed)
    alpha = np.zeros(framed.shape[:2], np.uint8)
    alpha[200:600, 200:800] = 255
    by_alpha = measure_panorama(pair, framed, alpha)
    for measured in (by_black, by_alpha):
        assert measured.area == pytest.approx(600 / 400, rel=0.02)
        assert measured.canvas == pytest.approx(1, abs=0.02)


def test_thin_wings_are_a_blow_up(pair: Pair, scene: Picture) -> None:
    wings = np.zeros((3000, 800, 3), np.uint8)
    wings[:400, :600] = scene
    wings[:, :10] = 255
    assert measure_panorama(pair, wings).blown_up


@pytest.mark.parametrize(
    ("panorama", "reason"),
    [
        (np.zeros((300, 300, 3), np.uint8), "empty panorama"),
        (np.ascontiguousarray(astronaut()), "reference not found in the panorama"),
    ],
)
def test_useless_panorama_has_a_reason(pair: Pair, panorama: Picture, reason: str) -> None:
    measured = measure_panorama(pair, panorama)
    assert measured.reason == reason
    assert not measured.good
    assert measured.kept_reference is None


def test_panorama_without_half_of_the_reference_is_too_small(pair: Pair, scene: Picture) -> None:
    assert measure_panorama(pair, scene[:, :250]).reason == "panorama smaller than the reference"


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


def _identity(height: int, width: int) -> NDArray[np.float32]:
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=2).astype(np.float32)


def test_end_point_error_of_a_known_shift_is_exact() -> None:
    truth, visible = _identity(60, 80), np.zeros((60, 80), bool)
    visible[10:40, 10:60] = True
    measured = measure_warp(truth, visible, _identity(60, 80) + np.float32([3, -4]), np.zeros(2), 1.0)
    assert (measured.epe, measured.epe_median, measured.epe_over_3) == (5, 5, 1)


def test_origin_and_scale_of_a_map_are_undone() -> None:
    """A canvas that starts at (-8, -4) and a map at half its size: still no error."""
    visible = np.zeros((60, 80), bool)
    visible[2:50, 2:70] = True
    canvas_to_target = _identity(80, 100) + np.float32([-8, -4])
    half = (canvas_to_target[::2, ::2] + canvas_to_target[1::2, 1::2]) / 2
    measured = measure_warp(_identity(60, 80), visible, half, np.array([-8, -4]), 0.5)
    assert measured.epe == 0


def test_holes_of_a_map_count_as_the_worst_error() -> None:
    visible = np.ones((60, 80), bool)
    torn = _identity(60, 80)
    torn[:, 40:] = np.nan
    measured = measure_warp(_identity(60, 80), visible, torn, np.zeros(2), 1.0)
    assert measured.epe == pytest.approx(25, abs=0.01)
    assert measured.epe_over_3 == 0.5


def test_nothing_visible_has_no_error() -> None:
    nothing = measure_warp(_identity(9, 9), np.zeros((9, 9), bool), _identity(9, 9), np.zeros(2), 1.0)
    assert nothing.epe is None


def test_ssim_is_that_of_scikit_image(scene: Picture) -> None:
    noise = np.random.default_rng(0).normal(0, 20, scene.shape)
    other = (np.roll(scene, 1, axis=1) + noise).clip(0, 255).astype(np.uint8)
    mean, per_pixel = structural_similarity(scene, other, channel_axis=2, data_range=255, full=True)
    assert ssim(scene, other) == pytest.approx(mean, abs=1e-9)
    assert np.abs(ssim_map(scene, other) - per_pixel).max() < 1e-6


def test_thin_plate_spline_is_that_of_scipy() -> None:
    rng = np.random.default_rng(0)
    points, values, queries = rng.random((80, 2)), rng.normal(size=(80, 2)), rng.random((50, 2)) * 1.5
    theirs = RBFInterpolator(points, values, smoothing=1e-3, kernel="thin_plate_spline", degree=1)(queries)
    assert np.abs(thin_plate_spline(points, values, queries, 1e-3) - theirs).max() < 1e-6


def test_thin_plate_spline_refuses_points_on_a_line() -> None:
    line = np.linspace(0, 1, 12)[:, None] * [[0.3, 0.7]]
    with pytest.raises(np.linalg.LinAlgError, match="one line"):
        thin_plate_spline(line, line, line, 1e-3)
