"""Measures of panoramas whose faults are known."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from apps.evaluation.measures.panorama import PanoramaMeasures, SourcePair, measure_panorama, prepare

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pair(scene: Picture) -> SourcePair:
    return prepare(scene[:, :400], scene[:, 200:])


@pytest.fixture(scope="module")
def measures_of_scene(pair: SourcePair, scene: Picture) -> PanoramaMeasures:
    return measure_panorama(pair, scene, np.full(scene.shape[:2], 255, np.uint8))


def test_true_panorama_is_measured_as_perfect(measures_of_scene: PanoramaMeasures) -> None:
    measured = measures_of_scene
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


def test_scale_of_the_panorama_does_not_matter(pair: SourcePair, scene: Picture) -> None:
    measured = measure_panorama(pair, cv2.resize(scene, None, fx=2.5, fy=2.5))
    assert measured.good
    assert measured.area == pytest.approx(600 / 400, rel=0.01)


@pytest.mark.parametrize("factor", [0.8, 1.6])
def test_stretch_is_the_anisotropic_scaling(pair: SourcePair, scene: Picture, factor: float) -> None:
    measured = measure_panorama(pair, cv2.resize(scene, None, fx=factor, fy=1))
    expected = max(factor, 1 / factor)
    assert measured.stretch_reference == pytest.approx(expected, rel=0.03)
    assert measured.stretch_target == pytest.approx(expected, rel=0.03)


def test_double_exposure_is_a_ghost(pair: SourcePair, scene: Picture) -> None:
    shifted = np.roll(scene, 14, axis=1)
    double = scene.copy()
    double[:, 200:400] = (scene[:, 200:400] // 2) + (shifted[:, 200:400] // 2)
    measured = measure_panorama(pair, double)
    assert measured.ghost is not None
    assert measured.ghost > 0.3
    assert not measured.good


def test_cut_off_panorama_keeps_less_of_the_target(pair: SourcePair, scene: Picture) -> None:
    measured = measure_panorama(pair, scene[:, :420])
    assert measured.kept_reference == 1
    assert measured.kept_target is not None
    assert measured.kept_target < 0.62  # 220 of 400 columns are left
    assert measured.kept_new is not None
    assert measured.kept_new < 0.15
    assert not measured.good


def test_hard_brightness_step_is_a_seam(pair: SourcePair, scene: Picture, measures_of_scene: PanoramaMeasures) -> None:
    stepped = scene.copy()
    stepped[:, 300:] = (scene[:, 300:] * 0.7).astype(np.uint8)
    with_step = measure_panorama(pair, stepped)
    assert measures_of_scene.seam is not None
    assert with_step.seam is not None
    assert with_step.seam > measures_of_scene.seam + 0.02


@pytest.mark.parametrize("marked_by", ["black", "alpha"])
def test_border_does_not_count_as_content(pair: SourcePair, scene: Picture, marked_by: str) -> None:
    valid = np.zeros((600, 800), np.uint8)
    valid[100:500, 100:700] = 255
    framed = np.full((600, 800, 3), 0 if marked_by == "black" else 90, np.uint8)
    framed[valid > 0] = scene.reshape(-1, 3)  # (400, 600, 3) -> (400 * 600, 3)
    measured = measure_panorama(pair, framed, None if marked_by == "black" else valid)
    assert measured.area == pytest.approx(600 / 400, rel=0.02)
    assert measured.canvas == pytest.approx(1, abs=0.02)


def test_thin_wings_are_a_blow_up(pair: SourcePair, scene: Picture) -> None:
    wings = np.zeros((2400, 800, 3), np.uint8)
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
def test_panorama_without_the_reference_has_a_reason(pair: SourcePair, panorama: Picture, reason: str) -> None:
    measured = measure_panorama(pair, panorama)
    assert measured.reason == reason
    assert not measured.good
    assert measured.kept_reference is None


def test_panorama_without_half_of_the_reference_is_too_small(pair: SourcePair, scene: Picture) -> None:
    assert measure_panorama(pair, scene[:, :250]).reason == "panorama smaller than the reference"
