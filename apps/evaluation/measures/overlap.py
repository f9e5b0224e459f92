"""How well two warped pictures agree where both have pixels; see docs/evaluate.md."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.measures.similarity import fit_channels, psnr, ssim, ssim_map
from stitching.geometry.rectangles import bounding_rectangle

_MIN_PIXELS = 500  # of the overlap; less is not measured
_RIM = np.ones((9, 9), np.uint8)  # 4 px of the overlap's border, whose SSIM windows see other pixels, are left out
_UDIS_SIZE = (512, 512)  # px


@dataclass(frozen=True)
class OverlapMeasures:
    """How well the two warped pictures agree where both are valid; None = could not be measured.

    Attributes:
        overlap: share of the reference's pixels that the target has, too, 0..1.
        psnr, ssim: over these pixels; dB, -1..1.
        psnr_fitted, ssim_fitted: the same after a gain and offset per channel.
        udis_psnr, udis_ssim: the UDIS++ protocol (Nie et al. 2023): the whole frame, black outside the overlap.
    """

    overlap: float | None = None
    psnr: float | None = None
    psnr_fitted: float | None = None
    ssim: float | None = None
    ssim_fitted: float | None = None
    udis_psnr: float | None = None
    udis_ssim: float | None = None


def measure_overlap(
    reference: NDArray[np.uint8],
    reference_mask: NDArray[np.bool_],
    target: NDArray[np.uint8],
    target_mask: NDArray[np.bool_],
) -> OverlapMeasures:
    """Compare both pictures after the warp and before blending, in one frame.

    Args:
        reference, target: (h, w, 3) uint8 BGR.
        reference_mask, target_mask: (h, w) bool, where each has pixels.
    """
    if not reference_mask.any():
        return OverlapMeasures()
    box = bounding_rectangle(reference_mask).slices
    a, b, both = reference[box], target[box], (reference_mask & target_mask)[box]
    share = float(both.sum() / reference_mask.sum())
    if both.sum() < _MIN_PIXELS:
        return OverlapMeasures(share)
    fitted = fit_channels(b, a, both)
    inner = cv2.erode(both.astype(np.uint8), _RIM) > 0
    inner = inner if inner.any() else both
    udis_mask = cv2.resize(both.astype(np.float32), _UDIS_SIZE)[..., None]
    udis_a, udis_b = (cv2.resize(picture, _UDIS_SIZE) * udis_mask for picture in (a, b))
    return OverlapMeasures(
        overlap=share,
        psnr=psnr(a[both], b[both]),
        psnr_fitted=psnr(a[both], fitted[both]),
        ssim=float(ssim_map(a, b)[inner].mean()),
        ssim_fitted=float(ssim_map(a, fitted)[inner].mean()),
        udis_psnr=psnr(udis_a, udis_b),
        udis_ssim=ssim(udis_a, udis_b),
    )
