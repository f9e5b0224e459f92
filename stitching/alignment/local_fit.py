"""Local fit: from a homography to one near it with the smallest weighted sum of truncated residuals.

Candidates of RANSAC fit the few matches that they come from. Iteratively reweighted least squares (Holland & Welsch
1977) on all matches ends at the same place from whichever of them it starts, unless there are several good ones.
"""

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.features import Matches
from stitching.geometry.homographies import Matrix, project

STEPS = 10
MIN_RESIDUAL = 0.06  # of the largest: residuals below count alike, as those of least squares
MIN_SCALE = 1e-9  # against division by zero
MIN_USED = 20  # matches; a homography that is fitted to fewer follows their errors


def fit_locally(homography: Matrix, matches: Matches, weight: NDArray[np.float64], max_residual: float) -> Matrix:
    """Improve a homography, target px -> reference px.

    Args:
        homography: where to start.
        matches: what it should fit.
        weight: (n,) of the matches.
        max_residual: px; matches with a larger residual do not count.

    Returns:
        (3, 3); the one to start with where fewer than `MIN_USED` matches count.
    """
    to_target, to_reference = _normalisation(matches.target), _normalisation(matches.reference)
    start, end = project(to_target, matches.target), project(to_reference, matches.reference)  # (n, 2) each
    for _ in range(STEPS):
        residual = np.linalg.norm(project(homography, matches.target) - matches.reference, axis=1)
        used = residual < max_residual  # false for NaN
        if used.sum() < MIN_USED:
            return homography
        normalised = to_reference @ homography @ np.linalg.inv(to_target)
        depth = start[used] @ normalised[2, :2] + normalised[2, 2]
        root = np.sqrt(weight[used] / np.maximum(residual[used], MIN_RESIDUAL * max_residual)) / np.abs(depth)
        solution = np.linalg.svd(_equations(start[used], end[used], root), full_matrices=False)[2][-1]
        fitted = np.linalg.inv(to_reference) @ solution.reshape(3, 3) @ to_target  # (9,) -> (3, 3)
        if abs(fitted[2, 2]) < MIN_SCALE:
            return homography
        homography = fitted / fitted[2, 2]
    return homography


def _normalisation(points: NDArray[np.float64]) -> Matrix:
    """Moves the centre of (n, 2) points to the origin, and scales them to a mean square of 1 a coordinate."""
    centre, spread = points.mean(axis=0), max(float(np.sqrt(points.var(axis=0).mean())), MIN_SCALE)
    return np.array([[1 / spread, 0, -centre[0] / spread], [0, 1 / spread, -centre[1] / spread], [0, 0, 1]])


def _equations(start: NDArray[np.float64], end: NDArray[np.float64], root: NDArray[np.float64]) -> Matrix:
    """(2 n, 9): the direct linear transformation (Hartley & Zisserman 2004, eq. 4.3); `root` (n,) scales the rows."""
    places = np.concatenate([start, np.ones((len(start), 1))], axis=1)  # (n, 3)
    nothing = np.zeros_like(places)
    rows = [
        np.concatenate([places, nothing, -end[:, :1] * places], axis=1),
        np.concatenate([nothing, places, -end[:, 1:] * places], axis=1),
    ]
    return np.asarray(np.concatenate(rows) * np.concatenate([root, root])[:, None])
