"""Measures of warps and stitched pictures against the exact truth of a generated pair."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.similarity import ssim_map
from datasets.examples.windows import PairTruth, Window, WindowTruth
from datasets.sample import Doubles, Pixels, Visibility
from stitching.geometry.homographies import project
from stitching.geometry.pixel_maps import Mask, inside, remap
from stitching.geometry.tears_and_folds import tears_and_folds
from stitching.warping.warp import CanvasPair, Warp

OFF = 3.0  # px; pixels that are farther from their place count as wrong
FARTHEST = 1000.0  # px; a place that is farther off counts as so far: beside the horizon anything may happen
FARTHEST_TRUTH = 2.0  # window widths; a pixel whose true place is farther off is not measured
NEIGHBOURHOOD = 6  # px around what only one picture sees
RIM = 2  # px at the border of what the two pictures saw together
SAMPLES = 16  # points on a straight edge


@dataclass(frozen=True)
class WarpTruth:
    """How good a warp is. Lengths are px of the reference's plane; None where there is nothing to measure."""

    ov: float | None  # mean end-point error of pixels that the reference sees
    ov_median: float | None
    over_3: float | None  # share of them that is off by more than 3 px
    occluded: float | None  # mean error of pixels inside the reference's view, but hidden
    nov: float | None  # mean error of pixels outside the reference's view
    consistent: float | None  # mean error of pixels seen by the reference where the classical warp finds its way back
    epipolar: float | None  # mean distance from the epipolar line
    line: float | None  # mean distance of points of straight edges from a straight line
    tears: float  # share of the target that is stretched to more than 4 times its area
    folds: float  # share that lies upside down


@dataclass(frozen=True)
class StitchTruth:
    """How good a stitched picture is, against what the reference camera would have seen with a larger film."""

    psnr: float | None  # dB, over all that one of the pictures saw
    ssim: float | None
    psnr_overlap: float | None  # seen by both
    psnr_nov: float | None  # seen by the target alone
    psnr_occlusions: float | None  # within 6 px of what is hidden from the target
    psnr_holes: float | None  # enclosed by the two, seen by neither
    gradient: float | None  # gradient energy outside the reference against the truth's: 1 = as sharp
    uncovered: float  # share of what one of the pictures saw and the panorama does not show


def measure_warp_truth(warp: Warp, pair: CanvasPair, window: Window, truth: PairTruth, trusted: Mask) -> WarpTruth:
    """Measure at the target's own pixels.

    Args:
        warp: of the coarsely aligned target.
        pair: what was warped.
        window: where that lies.
        truth: of the pictures.
        trusted: (h, w) of the window, where the classical warp is sure.
    """
    h, w = truth.mask.shape
    grid = np.stack(np.meshgrid(np.arange(w), np.arange(h)), axis=-1).astype(np.float64)
    coarse = np.nan_to_num(project(window.homography, grid), nan=-1e6).astype(np.float32)  # (h, w, 2) px of the window
    shown = inside(coarse, window.size)
    moved = project(np.linalg.inv(window.plane), (coarse + remap(warp.residual, coarse)).astype(np.float64))
    error = np.minimum(np.linalg.norm(moved - truth.warp, axis=-1), FARTHEST)
    reach = np.abs(project(window.plane, truth.warp.astype(np.float64))) < FARTHEST_TRUTH * max(window.size)
    known = shown & (truth.mask != Visibility.BEHIND) & reach.all(axis=-1)
    visible = known & (truth.mask == Visibility.VISIBLE)
    sure = visible & (remap(trusted.astype(np.uint8), coarse, cv2.INTER_NEAREST) > 0)
    tears, folds = tears_and_folds(warp.residual, pair.target_valid)
    return WarpTruth(
        ov=_mean(error, visible), ov_median=float(np.median(error[visible])) if visible.any() else None,
        over_3=_mean(error > OFF, visible), occluded=_mean(error, known & (truth.mask == Visibility.OCCLUDED)),
        nov=_mean(error, known & (truth.mask == Visibility.OUTSIDE)), consistent=_mean(error, sure),
        epipolar=_mean(_epipolar(grid, moved, truth.fundamental), known), line=_line(warp, pair, window, truth),
        tears=tears, folds=folds,
    )  # fmt: skip


def measure_stitch_truth(panorama: Pixels, valid: Mask, truth: WindowTruth) -> StitchTruth:
    """Measure a panorama (h, w, 3) BGR on the window, and where it shows anything (h, w)."""
    code = truth.stitched_valid
    reference, target, known = (code & 1) > 0, (code & 2) > 0, (code & 4) > 0
    # Half-seen pixels of the rim are left out: whether a picture shows them is a matter of rounding.
    union = reference | target
    either = cv2.erode(union.astype(np.uint8), np.ones((2 * RIM + 1,) * 2), borderValue=0) > 0
    error = np.square(panorama.astype(np.float64) - truth.stitched).mean(axis=-1)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * NEIGHBOURHOOD + 1,) * 2)
    hidden = reference & ~target & _within(target)
    around = either & (cv2.dilate(hidden.astype(np.uint8), kernel) > 0)
    holes = known & ~union & _within(union)
    alike = ssim_map(panorama, truth.stitched).mean(axis=-1)
    nov = target & ~reference
    inner = cv2.erode((nov & valid).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    energies = [_gradient_energy(picture, inner) for picture in (panorama, truth.stitched)]
    return StitchTruth(
        psnr=_psnr(error, either), ssim=_mean(alike, either), psnr_overlap=_psnr(error, either & reference & target),
        psnr_nov=_psnr(error, either & nov), psnr_occlusions=_psnr(error, around), psnr_holes=_psnr(error, holes),
        gradient=energies[0] / energies[1] if inner.any() and energies[1] > 0 else None,
        uncovered=float((either & ~valid).sum() / max(either.sum(), 1)),
    )  # fmt: skip


def _within(mask: Mask) -> Mask:
    """What a mask encloses: between its first and last pixel of the row, and of the column."""

    def between(axis: int) -> Mask:
        forward = np.logical_or.accumulate(mask, axis=axis)
        backward = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        return np.asarray(forward & backward)

    return np.asarray(between(0) & between(1))


def _gradient_energy(picture: Pixels, where: Mask) -> float:
    grey = picture.astype(np.float64).mean(axis=-1)
    dy, dx = np.gradient(grey)
    return float((dx * dx + dy * dy)[where].mean()) if where.any() else 0.0


def _epipolar(places: Doubles, moved: Doubles, fundamental: Doubles) -> Doubles:
    """(h, w) px from each place's epipolar line on the reference's plane."""
    lines = np.concatenate([places, np.ones((*places.shape[:-1], 1))], axis=-1) @ fundamental.T
    distance = np.abs((lines[..., :2] * moved).sum(-1) + lines[..., 2])
    result: Doubles = np.minimum(distance / np.maximum(np.linalg.norm(lines[..., :2], axis=-1), 1e-9), FARTHEST)
    return result


def _line(warp: Warp, pair: CanvasPair, window: Window, truth: PairTruth) -> float | None:
    """Mean distance of warped points of straight edges from the line that fits them, px."""
    steps = np.linspace(0, 1, SAMPLES)[:, None]
    residuals = []
    for first, last in project(window.homography, truth.segments[:, 0].astype(np.float64)):
        points = (first + steps * (last - first)).astype(np.float32)  # (SAMPLES, 2)
        usable = np.isfinite(points).all(1) & inside(points[None], window.size)[0]
        usable &= remap(pair.target_valid.astype(np.uint8), np.nan_to_num(points)[None], cv2.INTER_NEAREST)[0] > 0
        if usable.sum() < SAMPLES // 2:
            continue
        moved = points[usable] + remap(warp.residual, points[None])[0][usable]
        centred = moved - moved.mean(axis=0)
        residuals.append(np.abs(centred @ np.linalg.svd(centred)[2][1]).mean() / window.plane[0, 0])
    return float(np.mean(residuals)) if residuals else None


def _mean(values: NDArray[np.generic], where: Mask) -> float | None:
    return float(values[where].mean()) if where.any() else None


def _psnr(error: Doubles, where: Mask) -> float | None:
    mean = _mean(error, where)
    return None if mean is None else float(10 * np.log10(255**2 / max(mean, 1e-4)))
