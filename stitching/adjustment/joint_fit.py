"""Fits the motions of all pictures to the matches of all pairs: robust least squares, Levenberg and Marquardt's method.

A motion is a (3, 3) matrix G for each picture, frame -> picture; a place p of picture b is at G_a G_b^-1 p in picture
a. A step multiplies G with I + X from the left, X a sum of the motion's generators (Szeliski & Shum 1997, section 4).
"""

from typing import Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.links import Links
from stitching.geometry.homographies import to_homogeneous
from stitching.geometry.pixel_maps import Points

Vector = NDArray[np.float64]

QUADRATIC = 0.006  # of half the diagonal: residuals above count linearly (Huber 1964); parallax has no normal errors
LIMITS = 2.0, 0.5, 0.1  # of half the diagonal, one fit after the other: what is larger is an outlier
MAX_STEPS, MAX_TRIALS = 15, 6  # of a fit; of the damping of a step
MIN_DEPTH = 0.05  # of a place's third coordinate; lower ones are behind the camera, or far to its side
MIN_DECREASE = 1e-4  # of the cost, by a step after which more are tried
NOISE = 0.0015  # of half the diagonal: residuals of exact matches
MIN_NOISE = 1e-9  # of half the diagonal


class Motions(Protocol):
    """The motions of n pictures, each with p parameters."""

    @property
    def matrices(self) -> NDArray[np.float64]:
        """(n, 3, 3), frame -> picture."""

    @property
    def generators(self) -> NDArray[np.float64]:
        """(n, p, 3, 3): what one unit of each parameter adds to I, in picture coordinates."""

    @property
    def columns(self) -> NDArray[np.intp]:
        """(n, p): which unknown moves each parameter; -1 = it stays as it is."""

    def moved(self, step: Vector) -> Self:
        """The motions after a step of each parameter (n, p)."""

    def prior(self) -> tuple[Vector, Vector]:
        """(n, q) what should be 0, and (n, q, p) how it changes with the parameters, in units of its deviation."""


AnyMotions = TypeVar("AnyMotions", bound=Motions)


def fit_jointly(motions: AnyMotions, links: Links, limits: tuple[float, ...] = LIMITS) -> AnyMotions:
    """The motions near these that fit the links best; `limits` as `LIMITS`."""
    for limit in limits:
        noise = max(float(np.median(np.minimum(residuals(motions.matrices, links), limit))), MIN_NOISE)
        motions = _fit(motions, links, limit, noise)
    return motions


def residuals(matrices: NDArray[np.float64], links: Links) -> Vector:
    """(m,): how far each match is from its place after the motion; inf behind the camera."""
    found, _ = _transferred(matrices, links)
    error = np.linalg.norm(found[:, :2] / found[:, 2:] - links.end_places, axis=1)
    return np.where(found[:, 2] > MIN_DEPTH, error, np.inf)


def typical_residual(residual: Vector) -> float:
    """The geometric mean of residuals (m,), of half the diagonal.

    Outliers multiply it by the same factor whatever is fitted, so that ratios of it tell which motion is right.
    """
    return float(np.exp(np.mean(np.log(np.minimum(residual, LIMITS[-1]) + NOISE))))


def _fit(motions: AnyMotions, links: Links, limit: float, noise: float) -> AnyMotions:
    cost, damping = _cost(motions, links, limit, noise), 1e-4
    for _ in range(MAX_STEPS):
        normal, gradient = _normal_equations(motions, links, limit, noise)
        before = cost
        for _ in range(MAX_TRIALS):
            damped = normal + np.diag(damping * np.diag(normal) + 1e-12)
            candidate = motions.moved(_spread(motions.columns, np.asarray(np.linalg.solve(damped, -gradient))))
            after = _cost(candidate, links, limit, noise)
            if after < cost:
                motions, cost, damping = candidate, after, damping / 10
                break
            damping *= 10
        if not cost < before * (1 - MIN_DECREASE):
            break
    return motions


def _transferred(matrices: NDArray[np.float64], links: Links) -> tuple[Points, NDArray[np.float64]]:
    """(m, 3) the start places in the end pictures, homogeneous, and (b, 3, 3) what moves them there."""
    between = matrices[links.end] @ np.linalg.inv(matrices)[links.start]
    blocks = np.repeat(between, np.diff(links.bounds), axis=0)
    found = (blocks @ to_homogeneous(links.start_places)[..., None])[..., 0]
    return np.where(np.abs(found) < 1e-12, 1e-12, found), between


def _losses(residual: Vector, limit: float) -> Vector:
    bounded = np.minimum(residual, limit)
    return np.where(bounded < QUADRATIC, bounded**2, QUADRATIC * (2 * bounded - QUADRATIC))


def _cost(motions: Motions, links: Links, limit: float, noise: float) -> float:
    wrong, _ = motions.prior()
    return float(_losses(residuals(motions.matrices, links), limit).sum() + noise**2 * (wrong**2).sum())


def _normal_equations(motions: Motions, links: Links, limit: float, noise: float) -> tuple[Vector, Vector]:
    """(u, u) and (u,) of the unknowns: Gauss and Newton's approximation, with weights of the residuals."""
    generators, columns = motions.generators, motions.columns
    p, unknowns = columns.shape[1], int(columns.max()) + 1
    # What has no column, -1, lands in a last row and column that are cut off in the end.
    normal, gradient = np.zeros((unknowns + 1, unknowns + 1)), np.zeros(unknowns + 1)
    found, between = _transferred(motions.matrices, links)
    places = found[:, :2] / found[:, 2:]
    error = places - links.end_places
    size = np.linalg.norm(error, axis=1)
    used = (found[:, 2] > MIN_DEPTH) & (size < limit)
    root = np.sqrt(np.where(used, QUADRATIC / np.maximum(size, QUADRATIC), 0))
    starts = to_homogeneous(links.start_places)
    for k, (start, end) in enumerate(zip(links.start, links.end, strict=True)):
        rows = slice(links.bounds[k], links.bounds[k + 1])
        by_end = found[rows] @ generators[end].transpose(0, 2, 1)  # (p, k, 3)
        by_start = -(starts[rows] @ (between[k] @ generators[start]).transpose(0, 2, 1))
        change = np.concatenate([by_end, by_start])  # (2 p, k, 3)
        change = (change[..., :2] - places[rows] * change[..., 2:]) / found[rows, 2:] * root[rows, None]
        jacobian = change.reshape(2 * p, -1)  # (2 p, k, 2) -> (2 p, 2 k)
        block = jacobian @ jacobian.T
        slope = jacobian @ (error[rows] * root[rows, None]).ravel()
        for i, one in enumerate((end, start)):
            gradient[columns[one]] += slope[i * p : (i + 1) * p]
            for j, other in enumerate((end, start)):
                normal[columns[one][:, None], columns[other]] += block[i * p : (i + 1) * p, j * p : (j + 1) * p]
    wrong, change = motions.prior()
    for own, off, slopes in zip(columns, wrong, change, strict=True):
        normal[own[:, None], own] += noise**2 * slopes.T @ slopes
        gradient[own] += noise**2 * slopes.T @ off
    return normal[:-1, :-1], gradient[:-1]


def _spread(columns: NDArray[np.intp], unknowns: Vector) -> Vector:
    """(n, p): the step of each parameter."""
    return np.where(columns >= 0, unknowns[np.maximum(columns, 0)], 0.0)
