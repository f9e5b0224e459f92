"""Scores of a stitched picture against the exact truth of a generated pair."""

from dataclasses import dataclass

import cv2
import numpy as np

from apps.evaluation.measures.similarity import ssim_map
from datasets.arrays import Doubles, Pixels
from datasets.examples.windows import WindowTruth
from stitching.geometry.pixel_maps import Mask

_NEIGHBOURHOOD = 6  # px around what is hidden from the target
_RIM = 2  # px at the border of the region where both pictures are valid: rounding decides whether one is


@dataclass(frozen=True)
class GeneratedStitchScores:
    """How good a stitched picture is, against the picture of the reference camera with a larger sensor.

    None where there is nothing to measure.
    """

    psnr: float | None  # dB, where either is valid
    ssim: float | None
    psnr_overlap: float | None  # where both are valid
    psnr_nov: float | None  # where the target alone is valid
    psnr_occlusions: float | None  # within 6 px of what is hidden from the target
    psnr_holes: float | None  # enclosed by both, valid in neither
    gradient: float | None  # gradient energy outside the reference against the truth's: 1 = as sharp
    uncovered: float  # share of the valid pixels that the panorama does not show


def measure_generated_stitch(panorama: Pixels, valid: Mask, truth: WindowTruth) -> GeneratedStitchScores:
    """Measure a panorama (h, w, 3) BGR on the window; `valid` (h, w): where it shows anything."""
    code = truth.stitched_valid
    reference, target, known = (code & 1) > 0, (code & 2) > 0, (code & 4) > 0
    either = reference | target
    inner = cv2.erode(either.astype(np.uint8), np.ones((2 * _RIM + 1,) * 2), borderValue=0) > 0
    error = np.square(panorama.astype(np.float64) - truth.stitched).mean(axis=-1)  # (h, w)
    hidden = reference & ~target & _enclosed(target)
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * _NEIGHBOURHOOD + 1,) * 2)
    near_hidden = cv2.dilate(hidden.astype(np.uint8), disc) > 0
    similarity = ssim_map(panorama, truth.stitched).mean(axis=-1)  # (h, w)
    nov = target & ~reference
    return GeneratedStitchScores(
        psnr=_psnr(error, inner),
        ssim=float(similarity[inner].mean()) if inner.any() else None,
        psnr_overlap=_psnr(error, inner & reference & target),
        psnr_nov=_psnr(error, inner & nov),
        psnr_occlusions=_psnr(error, inner & near_hidden),
        psnr_holes=_psnr(error, known & ~either & _enclosed(either)),
        gradient=_relative_gradient(panorama, truth.stitched, nov & valid),
        uncovered=float((inner & ~valid).sum() / max(inner.sum(), 1)),
    )


def _enclosed(mask: Mask) -> Mask:
    """What a mask encloses: between its first and last pixel of the row, and of the column."""

    def between(axis: int) -> Mask:
        forward = np.logical_or.accumulate(mask, axis=axis)
        backward = np.flip(np.logical_or.accumulate(np.flip(mask, axis), axis=axis), axis)
        return np.asarray(forward & backward)

    return np.asarray(between(0) & between(1))


def _relative_gradient(panorama: Pixels, truth: Pixels, where: Mask) -> float | None:
    """Gradient energy of the panorama divided by that of the truth, on a mask without its outer 2 px."""
    inner = cv2.erode(where.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    if not inner.any():
        return None
    energy, true_energy = _gradient_energy(panorama, inner), _gradient_energy(truth, inner)
    return energy / true_energy if true_energy > 0 else None


def _gradient_energy(picture: Pixels, where: Mask) -> float:
    dy, dx = np.gradient(picture.astype(np.float64).mean(axis=-1))
    return float((dx * dx + dy * dy)[where].mean())


def _psnr(error: Doubles, where: Mask) -> float | None:
    """dB, of the mean of squared errors (h, w)."""
    if not where.any():
        return None
    return float(10 * np.log10(255**2 / max(float(error[where].mean()), 1e-4)))
