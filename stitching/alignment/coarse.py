"""Coarse alignment: the one homography target -> reference plane that serves the overlap, from features.

It does not give up early: several planes are tried where one does not explain the matches, then simpler
motions, then a shift of the whole picture. Each answer carries a stated confidence.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import Matches, match_features
from stitching.alignment.translation import find_translation
from stitching.errors import InputError
from stitching.geometry.homographies import Matrix, _scaling, is_plausible, project

MAX_PLANES = 4
FEWEST_INLIERS = 10
TIGHT, LOOSE = 0.004, 0.015  # inlier thresholds of one plane and of a scene with relief, of the diagonal
FARTHEST_RESIDUAL = 0.05  # share of the diagonal at which a match says no more about a homography
LEAST_SHIFT_CORRELATION = 0.55  # of a shift without features; unrelated pictures reach 0.5 at most


@dataclass(frozen=True)
class Alignment:
    """Coarse alignment of a pair.

    Attributes:
        homography: (3, 3) float64, target px -> reference px; at most an affinity or a shift by `method`.
        matches: trusted matches (they fit the epipolar geometry and their neighbours), parallax included.
        method: "homography", "affine", "similarity" or "shift".
        planes: how many planes explain the matches (0 where none were looked for).
        confidence: 0..1; below about .3 the user should look twice.
    """

    homography: Matrix
    matches: Matches
    method: str
    planes: int
    confidence: float

    def rescaled(self, target: float, reference: float) -> "Alignment":
        """The same alignment for pictures enlarged by the given factors (pixel centres at .5)."""
        to_reference, from_target = _scaling(reference), np.linalg.inv(_scaling(target))
        matches = Matches(
            (self.matches.target + 0.5) * target - 0.5,
            (self.matches.reference + 0.5) * reference - 0.5,
            self.matches.detector,
        )
        homography = to_reference @ self.homography @ from_target
        return Alignment(homography / homography[2, 2], matches, self.method, self.planes, self.confidence)


def align(
    target: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    target_mask: NDArray[np.uint8] | None = None,
    reference_mask: NDArray[np.uint8] | None = None,
) -> Alignment:
    """Find the homography that brings the target into the reference's plane.

    Args:
        target, reference: (h, w) uint8 grey, about 0.3 Mpx.
        target_mask, reference_mask: (h, w) uint8, 255 = look here; None = everywhere.

    Raises:
        InputError: no overlap was found.
    """
    matches = match_features(target, reference, target_mask, reference_mask)
    trusted = _trusted(matches, target.shape)
    best: tuple[float, Matrix, str] | None = None
    planes = 0
    for candidate, method in _candidates(trusted, _diagonal(reference.shape)):
        planes += method == "plane"
        if is_plausible(candidate, target.shape, reference.shape):
            cost = _cost(candidate, trusted, reference.shape)
            if best is None or cost < best[0]:
                best = cost, candidate, "homography" if method == "plane" else method
    if best is not None:
        _, homography, method = best
        confidence = _confidence(homography, trusted, matches, reference.shape)
        return Alignment(homography, trusted, method, planes, confidence)
    return _shift(target, reference, target_mask, reference_mask, len(matches))


def _trusted(matches: Matches, target_shape: tuple[int, ...]) -> Matches:
    """Matches that fit the epipolar geometry and move like their neighbours; parallax passes both."""
    if len(matches) < FEWEST_INLIERS:
        return matches
    diagonal = _diagonal(target_shape)
    _, fits = cv2.findFundamentalMat(
        matches.target, matches.reference, cv2.USAC_MAGSAC, max(1.0, 0.002 * diagonal), 0.999, 3000
    )
    if fits is None or fits.sum() < FEWEST_INLIERS:
        return matches
    return matches.select(fits.ravel() > 0)


def _candidates(matches: Matches, diagonal: float) -> Iterator[tuple[Matrix, str]]:
    """Planes, largest first, then one loose fit through all of them, then simpler motions."""
    if len(matches) < 4:
        return
    rest = matches
    for _ in range(MAX_PLANES):
        if len(rest) < FEWEST_INLIERS:
            break
        plane, inliers = _fit_homography(rest, TIGHT * diagonal)
        if plane is None or inliers.sum() < FEWEST_INLIERS:
            break
        yield plane, "plane"
        rest = rest.select(~inliers)
    loose, inliers = _fit_homography(matches, LOOSE * diagonal)
    if loose is not None and inliers.sum() >= FEWEST_INLIERS:
        yield loose, "homography"
    for fit, method in ((cv2.estimateAffine2D, "affine"), (cv2.estimateAffinePartial2D, "similarity")):
        affine, kept = fit(matches.target, matches.reference, method=cv2.RANSAC, ransacReprojThreshold=LOOSE * diagonal)
        if affine is not None and kept.sum() >= FEWEST_INLIERS // 2 + 1:
            yield np.vstack([affine, [0, 0, 1]]), method


def _fit_homography(matches: Matches, threshold: float) -> tuple[Matrix | None, NDArray[np.bool_]]:
    homography, inliers = cv2.findHomography(
        matches.target, matches.reference, cv2.USAC_MAGSAC, threshold, maxIters=3000, confidence=0.999
    )
    if homography is None:
        return None, np.zeros(len(matches), bool)
    return np.asarray(homography, np.float64), inliers.ravel() > 0


def _residuals(homography: Matrix, matches: Matches) -> NDArray[np.float64]:
    error = np.linalg.norm(project(homography, matches.target) - matches.reference, axis=1)
    return np.where(np.isnan(error), np.inf, error)


def _cost(homography: Matrix, matches: Matches, reference_shape: tuple[int, ...]) -> float:
    """Mean truncated residual, every 1/12 of the picture counted once however many matches it holds."""
    diagonal = _diagonal(reference_shape)
    error = np.minimum(_residuals(homography, matches) / diagonal, FARTHEST_RESIDUAL)
    cells = (matches.reference // (max(reference_shape) / 12)).astype(int) @ np.array([1, 64])
    _, cell, count = np.unique(cells, return_inverse=True, return_counts=True)
    return float((error / count[cell]).sum() / len(count))


def _confidence(homography: Matrix, trusted: Matches, matches: Matches, shape: tuple[int, ...]) -> float:
    """1 where matches are many and agree; Brown & Lowe 2007 (eq. 13) accept n_inliers > 8 + 0.3 n."""
    inliers = (_residuals(homography, trusted) < LOOSE * 2 * _diagonal(shape)).sum()
    return float(np.clip(inliers / (8 + 0.3 * len(matches)) / 2, 0, 1))


def _shift(
    target: NDArray[np.uint8],
    reference: NDArray[np.uint8],
    target_mask: NDArray[np.uint8] | None,
    reference_mask: NDArray[np.uint8] | None,
    n_matches: int,
) -> Alignment:
    """A shift of the whole picture, accepted only where the shifted pictures look alike."""
    (x, y), similar = find_translation(target, reference, target_mask, reference_mask)
    if similar < LEAST_SHIFT_CORRELATION:
        raise InputError(
            f"no overlap was found: {n_matches} features match and no shift makes the pictures alike"
            f" (correlation {similar:.2f}, expected {LEAST_SHIFT_CORRELATION}); the pictures must share at"
            " least about a fifth of their area - try more overlap or pictures taken closer together"
        )
    nothing = np.zeros((0, 2))
    homography = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]], np.float64)
    return Alignment(homography, Matches(nothing, nothing, "none"), "shift", 0, 0.3 * similar)


def _diagonal(shape: tuple[int, ...]) -> float:
    return float(np.hypot(shape[0], shape[1]))
