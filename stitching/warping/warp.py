"""What an estimator gets and gives: a pair on the working canvas, and the warp of its target."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Mask, Points
from stitching.geometry.rectangles import Rectangle


@dataclass(frozen=True)
class CanvasPair:
    """Both pictures on the working canvas, coarsely aligned: what every estimator gets.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR; black where a picture has no pixels.
        reference_valid, target_valid: (h, w), where each has pixels.
        reference_points, target_points: (n, 2) float64, matched points of the two, working canvas px; may lie outside.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    reference_valid: Mask
    target_valid: Mask
    reference_points: Points
    target_points: Points

    @property
    def overlap(self) -> Mask:
        """(h, w): where both have pixels, after the coarse alignment."""
        return self.reference_valid & self.target_valid

    def crop(self, part: Rectangle) -> "CanvasPair":
        """A part of the canvas, which must lie on it, as a canvas of its own."""
        origin = np.array(part.origin, np.float64)
        return CanvasPair(
            self.reference[part.slices], self.target[part.slices],
            self.reference_valid[part.slices], self.target_valid[part.slices],
            self.reference_points - origin, self.target_points - origin,
        )  # fmt: skip


@dataclass(frozen=True)
class Warp:
    """Where each pixel of the coarsely aligned target belongs on the canvas.

    Attributes:
        residual: (h, w, 2) float32, displacement on the working canvas, px; defined on the whole grid.
        confidence: (h, w) float32, 0..1: 0 = occluded in the reference, or wrong; 1 = forward-backward consistent.
        device: where it was computed, "cpu" or "cuda".
        by_network: whether the trained network's matches took part.
    """

    residual: Field
    confidence: NDArray[np.float32]
    device: str = "cpu"
    by_network: bool = False


class Estimator(Protocol):
    """Estimates the warp of every pixel of the target, also outside the overlap."""

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""


def forward_backward_consistent(warp: Warp, pair: CanvasPair) -> Mask:
    """(h, w): pixels of the overlap that passed the estimator's forward-backward check.

    Estimators of dense flow follow it from the target to the reference and back, and give confidence 1 to those pixels
    of the overlap that end within `flow_warp.MAX_ROUND_TRIP_ERROR` px of where they began. What has confidence 1 is not
    checked again here; the estimator `homography`, which checks nothing, gives 1 everywhere.
    """
    return np.asarray(pair.overlap & (warp.confidence >= 1))


@dataclass(frozen=True)
class KeptParts:
    """Where the panorama must show one of the pictures, if it has pixels there, (h, w) each: nowhere both."""

    reference: Mask
    target: Mask


@dataclass(frozen=True)
class AlignedPair:
    """Both pictures on the working canvas after the warp: what every generator of a blend gets.

    Attributes:
        reference, target: (h, w, 3) uint8 BGR.
        reference_valid, target_valid: (h, w), where each picture has pixels.
        trusted: (h, w), where the warp of the target is trusted.
        hidden: (h, w), where the reference shows what is hidden from the target: the target must not be shown.
        parallax: (h, w) px, see `base_warp.parallax`; None = not known.
        kept: what the user asks for, which goes before all else; None = nothing.
    """

    reference: NDArray[np.uint8]
    target: NDArray[np.uint8]
    reference_valid: Mask
    target_valid: Mask
    trusted: Mask
    hidden: Mask
    parallax: NDArray[np.float32] | None = None
    kept: KeptParts | None = None

    @property
    def overlap(self) -> Mask:
        """(h, w): where both have pixels, after the warp."""
        return self.reference_valid & self.target_valid
