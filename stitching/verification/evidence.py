"""What speaks for a stitch, measured on both pictures after the warp."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from stitching.alignment.features import epipolar_inliers
from stitching.geometry.pixel_maps import Field, Mask, Points, rescale
from stitching.verification.likeness import WINDOW, measure_likeness, whole_windows
from stitching.warping.placement import Placement
from stitching.warping.warp import AlignedPair

MIN_ALIKE = 0.7  # correlation of what a warp has brought to the same place
MIN_AGREEING = 0.5  # correlation of pictures of the same, also where the warp is off by a pixel or things have changed
MIN_WINDOWS = 10  # of texture, side by side; with less nothing can be said
SAMPLED_POINTS = 600  # of the warp, to which one epipolar geometry is fitted
EPIPOLAR_TOLERANCE = 1.0  # working px, distance to the epipolar line
EPIPOLAR_ITERATIONS = 2000
MIN_EPIPOLAR_POINTS = 30

ToView = Callable[[Points], Points]


@dataclass(frozen=True)
class Evidence:
    """What speaks for a stitch. Shares are 0..1; those of the textured overlap are 0 where it has no texture.

    Attributes:
        overlap: share of the target that the reference sees too.
        textured_windows: area of the overlap that has texture, in windows of `WINDOW` working px.
        alike: share of the textured overlap in which both pictures correlate above `MIN_ALIKE`.
        consistent: share of the textured overlap in which the warp is trusted (estimated flow: where it is
            forward-backward consistent) and does not turn the target over.
        epipolar: share of what is alike and consistent that fits one epipolar geometry, as all of a still scene does.
        verified: share of the textured overlap that is alike, consistent and fits that geometry; less where that rests
            on few windows, as if `MIN_WINDOWS` more had shown nothing.
        agreement: share of the textured and trusted overlap in which both correlate above `MIN_AGREEING`; None where
            that is less than `MIN_WINDOWS`.
    """

    overlap: float
    textured_windows: float
    alike: float
    consistent: float
    epipolar: float
    verified: float
    agreement: float | None

    @property
    def tells_enough(self) -> bool:
        """Whether the overlap has the texture that a verdict needs."""
        return self.textured_windows >= MIN_WINDOWS


def gather_evidence(to_view: ToView, placement: Placement, pair: AlignedPair) -> Evidence:
    """Measure how well both pictures fit each other.

    Args:
        to_view: canvas px (..., 2) -> px of the camera that shows the reference; NaN behind it.
        placement: where the warp puts the target.
        pair: both pictures after the warp.
    """
    likeness = measure_likeness(pair)
    trusted = pair.trusted & pair.reference_valid
    textured = likeness.textured & whole_windows(pair.overlap)
    alike = textured & (likeness.correlation > MIN_ALIKE)
    consistent = textured & trusted & _right_side_up(placement.map_xy)
    epipolar = _epipolar_share(alike & consistent, to_view, placement)
    seen = likeness.textured & whole_windows(trusted)
    agreeing = seen & (likeness.correlation > MIN_AGREEING)
    windows = float(textured.sum()) / WINDOW**2
    return Evidence(
        overlap=_share(pair.overlap, pair.target_valid),
        textured_windows=windows,
        alike=_share(alike, textured),
        consistent=_share(consistent, textured),
        epipolar=epipolar,
        verified=epipolar * _share(alike & consistent, textured) * windows / (windows + MIN_WINDOWS),
        agreement=_share(agreeing, seen) if seen.sum() >= MIN_WINDOWS * WINDOW**2 else None,
    )


def _share(part: Mask, whole: Mask) -> float:
    return float(part.sum()) / max(float(whole.sum()), 1.0)


def _right_side_up(map_xy: Field) -> Mask:
    """(h, w): where a map (h, w, 2) does not mirror the window around each pixel."""
    dx = cv2.filter2D(map_xy, -1, np.array([[-0.5, 0.0, 0.5]]))
    dy = cv2.filter2D(map_xy, -1, np.array([[-0.5], [0.0], [0.5]]))
    area = dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0]
    return np.asarray(cv2.blur(area, (WINDOW, WINDOW)) > 0)


def _epipolar_share(where: Mask, to_view: ToView, placement: Placement) -> float:
    """The share of evenly picked pixels (h, w) whose places in both pictures fit one fundamental matrix."""
    rows, columns = np.nonzero(where)
    picked = np.linspace(0, len(rows) - 1, min(len(rows), SAMPLED_POINTS)).astype(int)
    points = np.stack([columns[picked], rows[picked]], axis=1).astype(np.float64)
    reference = to_view(rescale(points, 1 / placement.scale)) * placement.scale
    target = placement.map_xy[rows[picked], columns[picked]].astype(np.float64) * placement.scale
    known = np.isfinite(reference).all(axis=1)
    fits = epipolar_inliers(
        target[known], reference[known], EPIPOLAR_TOLERANCE, EPIPOLAR_ITERATIONS, MIN_EPIPOLAR_POINTS
    )
    return 0.0 if fits is None else float(fits.mean())
