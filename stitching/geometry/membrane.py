"""A smooth field through uncertain values: least squares, with a membrane as the prior."""

import numpy as np
from numpy.typing import NDArray

MAX_STEPS = 500
TOLERANCE = 1e-5  # of the preconditioned residual, against that of the first guess


def fit_membrane(
    values: NDArray[np.float32], weights: NDArray[np.float32], rest: NDArray[np.float32], stiffness: float, reach: float
) -> NDArray[np.float32]:
    """The field g of least sum of  weights (g - values)^2 + stiffness (|grad (g - rest)|^2 + |g - rest|^2 / reach^2).

    Where nothing is known it solves the screened Poisson equation (Bhat et al. 2008, "Fourier analysis of the 2D
    screened Poisson equation for gradient domain problems"): it goes on smoothly from what is known, and comes to
    `rest` within a few times `reach`. Found by conjugate gradients with a diagonal preconditioner.

    Args:
        values: (h, w, c), of no meaning where the weight is 0.
        weights: (h, w), at least 0.
        rest: (c,) or (h, w, c).
        stiffness: above 0; against weights of 1, the field follows changes over more than sqrt(stiffness) px.
        reach: px, above 0.

    Returns:
        (h, w, c) float32.
    """
    weight = weights[..., None].astype(np.float64)  # (h, w) -> (h, w, 1)
    known = np.where(weight > 0, values - rest, 0).astype(np.float64)
    diagonal = weight + stiffness * (_neighbours(*weights.shape) + reach**-2)
    offset = np.zeros_like(known)
    residual = weight * known
    direction = residual / diagonal
    size = float((residual * direction).sum())
    enough = TOLERANCE**2 * size
    for _ in range(MAX_STEPS):
        if size <= enough:
            break
        change = diagonal * direction - stiffness * _sum_of_neighbours(direction)
        step = size / float((direction * change).sum())
        offset += step * direction
        residual -= step * change
        preconditioned = residual / diagonal
        last, size = size, float((residual * preconditioned).sum())
        direction = preconditioned + (size / last) * direction
    return (offset + rest).astype(np.float32)


def _neighbours(h: int, w: int) -> NDArray[np.float64]:
    """(h, w, 1): how many of its four neighbours a pixel has."""
    return _sum_of_neighbours(np.ones((h, w, 1)))


def _sum_of_neighbours(field: NDArray[np.float64]) -> NDArray[np.float64]:
    """(h, w, c): of the up to four pixels beside each pixel."""
    total = np.zeros_like(field)
    total[1:] += field[:-1]
    total[:-1] += field[1:]
    total[:, 1:] += field[:, :-1]
    total[:, :-1] += field[:, 1:]
    return total
