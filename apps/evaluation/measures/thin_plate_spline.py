"""Thin-plate splines. SciPy has them, too, but is not in the base install."""

import numpy as np
from numpy.typing import NDArray


def thin_plate_spline(
    points: NDArray[np.floating], values: NDArray[np.floating], queries: NDArray[np.floating], smoothing: float
) -> NDArray[np.float64]:
    """Smoothed thin-plate spline with a linear polynomial (Wahba 1990, section 2.4).

    Args:
        points: (n, 2), distinct.
        values: (n, d), at the points.
        queries: (m, 2), in the unit of `points`.
        smoothing: 0 interpolates; larger values trade closeness to `values` for smoothness.

    Returns:
        (m, d), at the queries.

    Raises:
        numpy.linalg.LinAlgError: the points lie on one line.
    """
    centre, spread = points.mean(axis=0), max(float(np.ptp(points, axis=0).max()), 1e-12)

    def basis(at: NDArray[np.floating]) -> NDArray[np.float64]:
        squared = ((at[:, None].astype(np.float64) - points[None]) ** 2).sum(axis=2)  # (len(at), n)
        # r^2 log r = r^2 log(r^2) / 2, and 0 at r = 0
        kernel = 0.5 * squared * np.log(np.where(squared > 0, squared, 1.0))
        return np.hstack([kernel, np.ones((len(at), 1)), (at - centre) / spread])  # (len(at), n + 3)

    n = len(points)
    system = np.zeros((n + 3, n + 3))
    system[:n] = basis(points)
    system[n:, :n] = system[:n, n:].T
    system[:n, :n] += smoothing * np.eye(n)
    if np.linalg.matrix_rank(system[:n, n:]) < 3:
        raise np.linalg.LinAlgError("the points of a thin-plate spline lie on one line")
    coefficients = np.linalg.solve(system, np.vstack([values, np.zeros((3, values.shape[1]))]))
    return np.asarray(basis(queries) @ coefficients)
