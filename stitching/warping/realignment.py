"""A second coarse alignment: where the network's matches agree on another homography than the one that was found."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.local_correlation import local_correlation
from stitching.geometry.homographies import is_plausible, project
from stitching.geometry.pixel_maps import bounding_box, pixel_grid, remap
from stitching.io.picture import to_grey
from stitching.network.runtime.onnx_runtime import Runner
from stitching.network.runtime.window import MARGIN, SURE, NetworkWindow
from stitching.warping.warp import CanvasPair, Estimator, Warp

NEAR = 1.0  # cells from where a homography puts them that matches may lie
BETTER = 1.15  # times as many matches as the present alignment must another one explain
FEWEST = 20  # matches
WINDOW = 25  # px over which pictures are compared: near the right place they are alike, parallax or not
WORSE = 0.03  # correlation that may be lost: much of the pictures shows other planes
TIMES = 2  # that a target is moved: after the first time more is seen of what both show

Homography = NDArray[np.float64]  # (3, 3) px of the canvas


@dataclass(frozen=True)
class RealigningEstimator:
    """Another estimator's warp, after the target was moved to where the network's matches have most of it."""

    runner: Runner
    estimator: Estimator
    times: int = TIMES

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""
        homography = second_alignment(self.runner, pair) if self.times else None
        if homography is None:
            return self.estimator(pair)
        there = moved(pair, homography)
        if agreement(there) < agreement(pair) - WORSE:  # matches may agree with each other and be wrong
            return self.estimator(pair)
        return composed(replace(self, times=self.times - 1)(there), homography)


def second_alignment(runner: Runner, pair: CanvasPair) -> Homography | None:
    """What moves the coarsely aligned target to where most of the network's matches are; None where it is there."""
    box = bounding_box(pair.target_valid, MARGIN)
    window = NetworkWindow.of(pair, box)
    found = runner(("matches", "match_confidence"), window.pictures)
    sure = found["match_confidence"][0, 0]
    rows, columns = np.nonzero(sure > SURE)
    if len(rows) < FEWEST:
        return None
    cell = window.cell
    start = (np.stack([columns, rows], axis=-1) + 0.5) * cell / window.scale - 0.5  # (n, 2) of the part
    start = start + np.array([box[1].start, box[0].start])
    moves = found["matches"][0, :, rows, columns] / window.scale  # (n, 2)
    tolerance = NEAR * cell / float(window.scale.min())
    homography, inliers = cv2.findHomography(start, start + moves, cv2.USAC_MAGSAC, tolerance, maxIters=5000)
    present = int((np.linalg.norm(moves, axis=1) < tolerance).sum())
    if homography is None or inliers.sum() < max(FEWEST, BETTER * present):
        return None
    shape = pair.target_valid.shape
    return np.asarray(homography, np.float64) if is_plausible(homography, shape, shape) else None


def agreement(pair: CanvasPair) -> float:
    """Mean local correlation of the pictures of a pair where both are seen, -1 .. 1; -1 where nothing is."""
    if not pair.overlap.any():
        return -1.0
    reference, target = (to_grey(picture).astype(np.float32) for picture in (pair.reference, pair.target))
    return float(local_correlation(reference, target, WINDOW)[pair.overlap].mean())


def moved(pair: CanvasPair, homography: Homography) -> CanvasPair:
    """The pair with the target moved by a homography of the canvas."""
    h, w = pair.target_valid.shape
    valid = cv2.warpPerspective(pair.target_valid.astype(np.uint8), homography, (w, h), flags=cv2.INTER_NEAREST) > 0
    target = cv2.warpPerspective(pair.target, homography, (w, h), flags=cv2.INTER_LINEAR) * valid[..., None]
    points = project(homography, pair.target_points)
    return replace(pair, target=np.asarray(target, np.uint8), target_valid=valid, target_points=points)


def composed(warp: Warp, homography: Homography) -> Warp:
    """The warp of a target, from the warp of what `moved` made of it."""
    grid = pixel_grid(*warp.confidence.shape)
    map_xy = np.nan_to_num(project(homography, grid.astype(np.float64)), nan=-1e4).astype(np.float32)
    return Warp(map_xy + remap(warp.residual, map_xy) - grid, remap(warp.confidence, map_xy))
