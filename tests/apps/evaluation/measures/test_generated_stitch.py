"""Measures of stitched pictures whose faults are known."""

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from apps.evaluation.measures.generated_stitch import GeneratedStitchScores, measure_generated_stitch
from datasets.examples.windows import WindowTruth

W, H = 96, 64  # px


def stitch_truth() -> WindowTruth:
    """A picture of 96 x 64 px: the reference left, the target right, a hole that neither sees."""
    picture = cv2.resize(np.random.default_rng(1).integers(0, 256, (16, 24, 3), np.uint8), (W, H))
    valid = np.full((H, W), 4, np.uint8)
    valid[:, :60] |= 1
    valid[:, 40:] |= 2
    valid[20:40, 45:50] &= ~np.uint8(2)  # hidden from the target
    valid[20:40, 70:75] &= ~np.uint8(2)  # seen by neither
    zero = np.zeros((H, W), np.uint8)
    return WindowTruth(
        np.zeros((H, W, 2), np.float32), zero, picture, valid, np.eye(3), np.zeros((0, 2, 2), np.float32)
    )


def measure_stitch(change: Callable[[NDArray[np.uint8]], object]) -> GeneratedStitchScores:
    truth = stitch_truth()
    panorama = truth.stitched.copy()
    change(panorama)
    return measure_generated_stitch(panorama, np.ones((H, W), bool), truth)


PARTS = ("psnr_overlap", "psnr_nov", "psnr_occlusions", "psnr_holes")


def test_the_true_stitch_is_perfect() -> None:
    found = measure_stitch(lambda panorama: None)
    assert min(getattr(found, name) for name in ("psnr", *PARTS)) > 80
    assert (found.ssim, found.gradient, found.uncovered) == (pytest.approx(1), 1, 0)


def test_psnr_has_its_usual_meaning() -> None:
    def lighter(panorama: NDArray[np.uint8]) -> None:
        np.add(panorama, np.where(panorama > 127, -10, 10), out=panorama, casting="unsafe")

    assert measure_stitch(lighter).psnr == pytest.approx(20 * math.log10(255 / 10))


@pytest.mark.parametrize(
    ("rows", "columns", "harmed"),
    [
        (slice(50, 60), slice(42, 58), {"psnr_overlap"}),
        (slice(50, 60), slice(80, 90), {"psnr_nov"}),
        (slice(25, 35), slice(46, 49), {"psnr_occlusions"}),
        (slice(25, 35), slice(71, 74), {"psnr_holes"}),
    ],
)
def test_each_part_of_the_stitch_counts_in_its_own_column(rows: slice, columns: slice, harmed: set[str]) -> None:
    found = measure_stitch(lambda panorama: panorama[rows, columns].fill(0))
    assert {name for name in PARTS if getattr(found, name) < 80} == harmed


def test_blur_beside_the_reference_lowers_the_gradient() -> None:
    def blur(panorama: NDArray[np.uint8]) -> None:
        panorama[:, 60:] = cv2.blur(panorama[:, 60:], (5, 5))

    found = measure_stitch(blur)
    assert found.gradient is not None
    assert found.gradient < 0.8


def test_what_the_panorama_does_not_show_is_uncovered() -> None:
    truth = stitch_truth()
    valid = np.ones((H, W), bool)
    valid[: H // 2] = False
    assert measure_generated_stitch(truth.stitched, valid, truth).uncovered == pytest.approx(0.5, abs=0.01)
