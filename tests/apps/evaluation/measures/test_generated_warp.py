"""Measures of warps whose errors are known."""

import numpy as np
import pytest
from numpy.typing import NDArray

from apps.evaluation.measures.generated_warp import MAX_ERROR, GeneratedWarpErrors, measure_generated_warp
from datasets.examples.windows import PairTruth, Window
from datasets.sample import Visibility
from stitching.geometry.pixel_maps import Field
from stitching.warping.warp import CanvasPair, Warp

W, H = 96, 64  # px of the synthetic target
SIZE = (W + 16, H + 16)  # of its window
SIDEWAYS = np.array([[0, 0, 0], [0, 0, -1], [0, 1, 0]], np.float64)  # F of cameras side by side: lines are rows


def true_residual_x(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """The true residual along x, linear in both coordinates."""
    return 2 + 0.05 * x - 0.03 * y


class SyntheticPair:
    """A target whose true warp is known everywhere; `scale`: window px in a px of the reference."""

    def __init__(self, scale: float = 1.0) -> None:
        columns, rows = np.meshgrid(np.arange(W, dtype=np.float64), np.arange(H, dtype=np.float64))
        self.grid = np.stack([columns, rows], axis=-1)
        self.plane = np.array([[scale, 0, 8], [0, scale, 8], [0, 0, 1]], np.float64)
        coarse = scale * self.grid + 8  # the coarse alignment leaves target px as they are
        moved = coarse + np.stack([true_residual_x(*np.moveaxis(coarse, -1, 0)), np.zeros((H, W))], axis=-1)
        self.window = Window(SIZE, self.plane, self.plane.copy())
        mask = np.full((H, W), Visibility.VISIBLE, np.uint8)
        mask[:, 60:80], mask[:, 80:] = Visibility.OCCLUDED, Visibility.OUTSIDE
        edges = np.array([[[10, 5], [80, 50]], [[30, 60], [30, 2]]], np.float32)  # segments, ends, x y
        self.truth = PairTruth(
            ((moved - 8) / scale).astype(np.float32), mask, np.zeros((H, W, 3), np.uint8), np.zeros((H, W), np.uint8),
            (0, 0), SIDEWAYS, np.stack([edges, edges], axis=1),
        )  # fmt: skip
        noise = np.random.default_rng(0).integers(0, 256, (2, SIZE[1], SIZE[0], 3), np.uint8)
        valid = np.zeros(SIZE[::-1], bool)
        valid[8 : 8 + int(scale * H), 8 : 8 + int(scale * W)] = True
        none = np.zeros((0, 2))
        self.pair = CanvasPair(noise[0], noise[1], np.ones_like(valid), valid, none, none)
        x, y = np.meshgrid(np.arange(SIZE[0], dtype=np.float64), np.arange(SIZE[1], dtype=np.float64))
        self.residual = np.stack([true_residual_x(x, y), np.zeros_like(x)], axis=-1).astype(np.float32)

    def measure(self, residual: Field, trusted: NDArray[np.bool_] | None = None) -> GeneratedWarpErrors:
        warp = Warp(residual.astype(np.float32), np.ones(SIZE[::-1], np.float32))
        everywhere = np.ones(SIZE[::-1], bool)
        return measure_generated_warp(
            warp, self.pair, self.window, self.truth, everywhere if trusted is None else trusted
        )


@pytest.fixture(scope="module")
def pair() -> SyntheticPair:
    return SyntheticPair()


def test_the_true_warp_has_no_errors(pair: SyntheticPair) -> None:
    found = pair.measure(pair.residual)
    errors = [found.ov, found.ov_median, found.occluded, found.nov, found.consistent, found.epipolar, found.line]
    assert errors == pytest.approx([0] * len(errors), abs=1e-3)
    assert (found.over_3, found.tears, found.folds) == (0, 0, 0)


@pytest.mark.parametrize("scale", [1.0, 0.5])
def test_a_shifted_warp_is_off_by_the_shift_in_px_of_the_reference(scale: float) -> None:
    pair = SyntheticPair(scale)
    found = pair.measure(pair.residual + scale * np.array([3, 4], np.float32))
    errors = [found.ov, found.ov_median, found.occluded, found.nov, found.consistent]
    assert errors == pytest.approx([5] * len(errors), abs=1e-3)
    assert found.over_3 == 1
    assert found.epipolar == pytest.approx(4, abs=1e-3)  # what is along the line costs nothing
    assert found.line == pytest.approx(0, abs=1e-3)


def test_each_kind_of_pixel_counts_in_its_own_column(pair: SyntheticPair) -> None:
    def worse_in(code: Visibility) -> GeneratedWarpErrors:
        where = np.zeros((*SIZE[::-1], 1), bool)
        where[8 : 8 + H, 8 : 8 + W, 0] = pair.truth.mask == code
        return pair.measure(pair.residual + np.where(where, np.float32([5, 0]), 0))

    for code, column in ((Visibility.VISIBLE, "ov"), (Visibility.OCCLUDED, "occluded"), (Visibility.OUTSIDE, "nov")):
        found = worse_in(code)
        errors = {name: getattr(found, name) for name in ("ov", "occluded", "nov")}
        assert errors == pytest.approx(dict.fromkeys(errors, 0) | {column: 5}, abs=1e-3)


def test_consistent_pixels_are_those_where_the_classical_warp_is_trusted(pair: SyntheticPair) -> None:
    left = np.zeros(SIZE[::-1], bool)
    left[:, :40] = True
    worse = pair.residual + np.where(left[..., None], 0, np.float32([6, 0]))
    found = pair.measure(worse, left)
    assert found.consistent == pytest.approx(0, abs=1e-3)
    assert found.ov is not None
    assert found.ov > 2
    assert pair.measure(worse, np.zeros_like(left)).consistent is None


def test_bends_of_edges_are_px_of_the_reference() -> None:
    def line_of_a_wave(scale: float) -> float:
        y = (np.arange(SIZE[1], dtype=np.float32)[:, None] - 8) / scale
        wave = np.stack([np.broadcast_to(3 * scale * np.sin(y / 8), SIZE[::-1]), np.zeros(SIZE[::-1])], axis=-1)
        pair = SyntheticPair(scale)
        found = pair.measure(pair.residual + wave).line
        assert found is not None
        return found

    assert 0.5 < line_of_a_wave(1) < 3
    assert line_of_a_wave(0.5) == pytest.approx(line_of_a_wave(1), rel=0.05)


def test_tears_and_folds_are_shares_of_the_target(pair: SyntheticPair) -> None:
    x = np.arange(SIZE[0], dtype=np.float32)
    half = np.float32(8 + W / 2)
    stretched = np.where(x > half, 5 * (x - half), 0)  # six times as wide
    folded = np.where(x > half, -3 * (x - half), 0)  # runs backwards

    def along_x(residual: NDArray[np.float32]) -> Field:
        return np.stack([np.broadcast_to(residual, SIZE[::-1]), np.zeros(SIZE[::-1], np.float32)], axis=-1)

    torn, folded_over = pair.measure(along_x(stretched)), pair.measure(along_x(folded))
    assert (torn.tears, torn.folds) == (pytest.approx(0.5, abs=0.03), 0)
    assert (folded_over.tears, folded_over.folds) == (0, pytest.approx(0.5, abs=0.03))


def test_errors_beyond_the_horizon_are_bounded(pair: SyntheticPair) -> None:
    assert pair.measure(pair.residual + np.float32(1e7)).ov == MAX_ERROR


def test_nothing_to_measure_is_none() -> None:
    pair = SyntheticPair()
    pair.truth.mask[:] = Visibility.BEHIND
    found = pair.measure(pair.residual)
    assert (found.ov, found.over_3, found.occluded, found.nov, found.epipolar) == (None,) * 5
