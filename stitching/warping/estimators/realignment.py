"""A second coarse alignment, where the network's matches agree on another homography than the one that was found."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import is_plausible, project
from stitching.geometry.local_correlation import local_correlation
from stitching.geometry.pixel_maps import pixel_grid, remap
from stitching.geometry.rectangles import bounding_rectangle
from stitching.io.picture import to_grey
from stitching.network.interface import MULTIPLE, Runtime
from stitching.network.runtime.window import MARGIN
from stitching.warping.estimators.matches import MIN_MATCH_PROBABILITY, window_of
from stitching.warping.warp import CanvasPair, Estimator, Warp

MAX_DISTANCE = 1.0  # cells between a match and where a homography puts it, up to which it is explained
MIN_IMPROVEMENT = 1.15  # times as many matches as the present alignment another one must explain
MIN_MATCHES = 20
CORRELATION_WINDOW = 25  # px; near the right place pictures correlate, parallax or not
MAX_LOST_CORRELATION = 0.03  # much of the pictures lies on other planes
MAX_ITERATIONS = 2  # once the target is moved, more of what both show can be matched

Homography = NDArray[np.float64]  # (3, 3) px of the canvas


@dataclass(frozen=True)
class RealigningEstimator:
    """Another estimator's warp, after the target was moved to where the network's matches put most of it."""

    matching: Runtime  # of `stitching.network.interface.MATCHING`
    estimator: Estimator
    iterations: int = MAX_ITERATIONS

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""
        homography = second_alignment(self.matching, pair) if self.iterations else None
        if homography is None:
            return self.estimator(pair)
        realigned = move_target(pair, homography)
        # matches may agree with each other and be wrong
        if mean_correlation(realigned) < mean_correlation(pair) - MAX_LOST_CORRELATION:
            return self.estimator(pair)
        return compose_warp(replace(self, iterations=self.iterations - 1)(realigned), homography)


def second_alignment(matching: Runtime, pair: CanvasPair) -> Homography | None:
    """Homography (3, 3), canvas px, that most of the network's matches agree on.

    None where it explains fewer than `MIN_IMPROVEMENT` times as many of them as the present alignment.
    """
    part = bounding_rectangle(pair.target_valid, MARGIN)
    window = window_of(pair.crop(part))
    found = matching(window.pictures)
    rows, columns = np.nonzero(found["forward_confidence"][0, 0] > MIN_MATCH_PROBABILITY)
    if len(rows) < MIN_MATCHES:
        return None
    # as `rescale`, but divided: a product with the inverse of the scale would round differently
    start = (np.stack([columns, rows], axis=-1) + 0.5) * MULTIPLE / window.scale - 0.5  # (n, 2) px of the part
    start = start + np.array(part.origin)
    displacement = found["forward_matches"][0, :, rows, columns] / window.scale  # (n, 2)
    tolerance = MAX_DISTANCE * MULTIPLE / float(window.scale.min())
    homography, inliers = cv2.findHomography(start, start + displacement, cv2.USAC_MAGSAC, tolerance, maxIters=5000)
    present = int((np.linalg.norm(displacement, axis=1) < tolerance).sum())
    if homography is None or inliers.sum() < max(MIN_MATCHES, MIN_IMPROVEMENT * present):
        return None
    shape = pair.target_valid.shape
    return np.asarray(homography, np.float64) if is_plausible(homography, shape, shape) else None


def mean_correlation(pair: CanvasPair) -> float:
    """Mean local correlation of the pictures of a pair in their overlap, -1 .. 1; -1 without an overlap."""
    if not pair.overlap.any():
        return -1.0
    reference, target = (to_grey(picture).astype(np.float32) for picture in (pair.reference, pair.target))
    return float(local_correlation(reference, target, CORRELATION_WINDOW)[pair.overlap].mean())


def move_target(pair: CanvasPair, homography: Homography) -> CanvasPair:
    """The pair with the target moved by a homography of the canvas."""
    h, w = pair.target_valid.shape
    valid = cv2.warpPerspective(pair.target_valid.astype(np.uint8), homography, (w, h), flags=cv2.INTER_NEAREST) > 0
    target = cv2.warpPerspective(pair.target, homography, (w, h), flags=cv2.INTER_LINEAR) * valid[..., None]
    points = project(homography, pair.target_points)
    return replace(pair, target=np.asarray(target, np.uint8), target_valid=valid, target_points=points)


def compose_warp(warp: Warp, homography: Homography) -> Warp:
    """The warp of a target, from the warp of the same target after `move_target`."""
    grid = pixel_grid(*warp.confidence.shape)
    map_xy = np.nan_to_num(project(homography, grid.astype(np.float64)), nan=-1e4).astype(np.float32)
    residual = map_xy + remap(warp.residual, map_xy) - grid
    return replace(warp, residual=residual, confidence=remap(warp.confidence, map_xy))
