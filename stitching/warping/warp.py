"""The socket of the warp estimators, and the warp as others use it: a file that maps canvas to target."""

from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, Points, pixel_grid


@dataclass(frozen=True)
class CanvasPair:
    """Both pictures on the working canvas, coarsely aligned: what every estimator and generator sees.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR; black where not seen.
        reference_seen, target_seen: (h, w).
        reference_points, target_points: (n, 2) float64, matched places of the two, working canvas px.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    reference_valid: Mask
    target_valid: Mask
    reference_points: Points
    target_points: Points

    @property
    def overlap(self) -> Mask:
        """(h, w): seen by both, as far as the coarse alignment knows."""
        return self.reference_valid & self.target_valid


@dataclass(frozen=True)
class Warp:
    """Where each pixel of the coarsely aligned target belongs on the canvas.

    Attributes:
        residual: (h, w, 2) float32, displacement on the working canvas, px; defined on the whole grid.
        confidence: (h, w) float32, 0..1: 0 = hidden from the reference, 1 = forward-backward consistent.
        device: where it was computed, "cpu" or "cuda".
    """

    residual: Field
    confidence: NDArray[np.float32]
    device: str = "cpu"


def forward_backward_consistent(warp: Warp, pair: CanvasPair) -> Mask:
    """(h, w): pixels of the overlap of which the warp is sure, as they found their way back."""
    return np.asarray(pair.overlap & (warp.confidence >= 1))


class Estimator(Protocol):
    """Estimates the warp of the target's every pixel, also outside the overlap."""

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""


def shear_and_folds(residual: Field, where: Mask) -> tuple[float, float]:
    """Shares of the pixels of `where` at which a warp tears (area over 4 x) and folds (area below 0)."""
    if not where.any():
        return 0.0, 0.0
    h, w = residual.shape[:2]
    map_xy = pixel_grid(h, w) + residual
    dx = cv2.filter2D(map_xy, -1, np.array([[-1.0, 1.0]]))
    dy = cv2.filter2D(map_xy, -1, np.array([[-1.0], [1.0]]))
    area = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    inner = cv2.erode(where.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=0) > 0
    return float((area[inner] > 4).mean()), float((area[inner] < 0).mean())


@dataclass(frozen=True)
class AlignedPair:
    """Both pictures on the working canvas after the warp, before blending.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR.
        reference_seen, target_seen: (h, w), where each picture has pixels.
        trusted: (h, w), where the target's pixels are known to be in their place.
        hidden: (h, w), where the reference shows what is hidden from the target: the target must not be shown.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    reference_valid: Mask
    target_valid: Mask
    trusted: Mask
    hidden: Mask
