"""Measures of a warp against the exact truth of a generated pair."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from datasets.arrays import Doubles
from datasets.examples.windows import PairTruth, Window
from datasets.sample import Visibility
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Mask, inside, pixel_grid, remap
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.warping.warp import CanvasPair, Warp

BAD_ERROR = 3.0  # px; pixels with a larger error count as wrong
MAX_ERROR = 1000.0  # px; what an error counts at most: near the horizon of a homography they have no bound
MAX_TRUTH = 2.0  # window widths; a pixel whose true position is farther off is not measured
EDGE_SAMPLES = 16  # points on a straight edge


@dataclass(frozen=True)
class GeneratedWarpErrors:
    """How good a warp is. Lengths are px of the reference's plane; None where there is nothing to measure."""

    ov: float | None  # mean end-point error of pixels that the reference sees
    ov_median: float | None
    over_3: float | None  # share of them that is off by more than 3 px
    occluded: float | None  # mean error of pixels inside the reference's view, but hidden
    nov: float | None  # mean error of pixels outside the reference's view
    consistent: float | None  # mean error of pixels that the reference sees, where `trusted`
    epipolar: float | None  # mean distance from the epipolar line
    line: float | None  # mean distance of points of straight edges from a straight line
    tears: float  # share of the target that is stretched to more than 4 times its area
    folds: float  # share that is mirrored


def measure_generated_warp(
    warp: Warp, pair: CanvasPair, window: Window, truth: PairTruth, trusted: Mask
) -> GeneratedWarpErrors:
    """Measure at the target's own pixels.

    Args:
        warp: of the coarsely aligned target, on the window.
        pair: the pictures on the window.
        window: its position on the reference's plane.
        truth: of the pictures.
        trusted: (h, w) of the window, where the classical warp is forward-backward consistent.
    """
    grid = pixel_grid(*truth.mask.shape).astype(np.float64)  # (h, w, 2) of the target, like all below
    coarse = np.nan_to_num(project(window.target_to_window, grid), nan=-1e6).astype(np.float32)  # px of the window
    warped = project(
        np.linalg.inv(window.reference_to_window), (coarse + remap(warp.residual, coarse)).astype(np.float64)
    )
    error = np.minimum(np.linalg.norm(warped - truth.warp, axis=-1), MAX_ERROR)

    near = np.abs(project(window.reference_to_window, truth.warp.astype(np.float64))) < MAX_TRUTH * max(window.size)
    known = inside(coarse, window.size) & (truth.mask != Visibility.BEHIND) & near.all(axis=-1)
    visible = known & (truth.mask == Visibility.VISIBLE)
    consistent = visible & (remap(trusted.astype(np.uint8), coarse, cv2.INTER_NEAREST) > 0)
    tears, folds = tears_and_folds(warp.residual, pair.target_valid)
    return GeneratedWarpErrors(
        ov=_mean(error, visible),
        ov_median=float(np.median(error[visible])) if visible.any() else None,
        over_3=_mean(error > BAD_ERROR, visible),
        occluded=_mean(error, known & (truth.mask == Visibility.OCCLUDED)),
        nov=_mean(error, known & (truth.mask == Visibility.OUTSIDE)),
        consistent=_mean(error, consistent),
        epipolar=_mean(_epipolar_distance(grid, warped, truth.fundamental), known),
        line=_line_residual(warp, pair, window, truth),
        tears=tears,
        folds=folds,
    )


def _epipolar_distance(points: Doubles, warped: Doubles, fundamental: Doubles) -> Doubles:
    """(h, w) px between warped points (h, w, 2) and the epipolar lines of target points, on the reference's plane."""
    homogeneous = np.concatenate([points, np.ones((*points.shape[:-1], 1))], axis=-1)  # (h, w, 3)
    lines = homogeneous @ fundamental.T  # (h, w, 3)
    distance = np.abs((lines[..., :2] * warped).sum(-1) + lines[..., 2])
    result: Doubles = np.minimum(distance / np.maximum(np.linalg.norm(lines[..., :2], axis=-1), 1e-9), MAX_ERROR)
    return result


def _line_residual(warp: Warp, pair: CanvasPair, window: Window, truth: PairTruth) -> float | None:
    """Mean distance of warped points of straight edges from the line that fits them, px."""
    steps = np.linspace(0, 1, EDGE_SAMPLES)[:, None]
    residuals = []
    for first, last in project(window.target_to_window, truth.segments[:, 0].astype(np.float64)):
        points = (first + steps * (last - first)).astype(np.float32)  # (EDGE_SAMPLES, 2)
        usable = np.isfinite(points).all(1) & inside(points[None], window.size)[0]
        usable &= remap(pair.target_valid.astype(np.uint8), np.nan_to_num(points)[None], cv2.INTER_NEAREST)[0] > 0
        if usable.sum() < EDGE_SAMPLES // 2:
            continue
        warped = points[usable] + remap(warp.residual, points[None])[0][usable]
        centred = warped - warped.mean(axis=0)
        normal = np.linalg.svd(centred)[2][1]
        residuals.append(np.abs(centred @ normal).mean() / window.reference_to_window[0, 0])
    return float(np.mean(residuals)) if residuals else None


def _mean(values: NDArray[np.generic], where: Mask) -> float | None:
    return float(values[where].mean()) if where.any() else None
