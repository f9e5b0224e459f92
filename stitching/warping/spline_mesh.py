"""A smooth field from few, uneven and partly wrong measurements: least squares on a mesh of cubic B-splines.

P-splines (Eilers & Marx 1996): a mesh that is finer than needed, and a penalty on the second differences of its control
points, which goes on linearly where nothing was measured, and far away levels off. Robust by iteratively reweighted
least squares.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Field, Points, Size
from stitching.warping.straight_lines import LineTriples

SMOOTHNESS = 1.0  # of second differences, against measurements that fill a cell
LEVELNESS = 0.05  # of first differences
RIDGE = 1e-9  # keeps the equations solvable where nothing was measured
ROUNDS = 4  # of reweighting
STRAIGHTNESS = 300.0  # of second differences along lines

Values = NDArray[np.float64]
Indices = NDArray[np.int64]


@dataclass(frozen=True)
class SplineMesh:
    """Square cells on a grid of pixels, whose corners are knots of uniform cubic B-splines.

    Attributes:
        cell: side of a cell, px.
        columns, rows: number of cells.
    """

    cell: float
    columns: int
    rows: int

    @classmethod
    def over(cls, size: Size, cells: int) -> "SplineMesh":
        """The mesh over a grid of `size` (w, h) px with that many cells along its longer side."""
        w, h = size
        cell = max(w - 1, h - 1, 1) / cells
        return cls(cell, max(1, int(np.ceil((w - 1) / cell - 1e-9))), max(1, int(np.ceil((h - 1) / cell - 1e-9))))

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of control points; the first ones lie a cell before the first pixel."""
        return self.rows + 3, self.columns + 3

    @property
    def controls(self) -> int:
        """Number of control points."""
        return self.shape[0] * self.shape[1]

    def at(self, points: Points) -> tuple[Indices, Values]:
        """Which control points, in row-major order, make up the values at points (n, 2) px, and how much: (n, 16)."""
        left, across = _basis(points[:, 0] / self.cell, self.columns)
        top, down = _basis(points[:, 1] / self.cell, self.rows)
        four = np.arange(4)
        index = (top[:, None, None] + four[:, None]) * self.shape[1] + left[:, None, None] + four  # (n, 4, 4)
        shares = down[:, :, None] * across[:, None, :]
        return index.reshape(-1, 16), shares.reshape(-1, 16)  # (n, 4, 4) -> (n, 16)

    def evaluate(self, controls: Values, size: Size) -> Field:
        """The field at every pixel: control points (rows, columns, 2) -> (h, w, 2)."""
        across, down = (
            _basis_matrix(length, count, self.cell)
            for length, count in zip(size, (self.columns, self.rows), strict=True)
        )
        axes = [down @ controls[..., axis] @ across.T for axis in (0, 1)]
        return np.stack(axes, axis=-1).astype(np.float32)

    def penalties(self) -> tuple[Indices, Values, Values]:
        """Control points and factors, (m, 4) each, and weights (m,) of the differences that are to be small."""
        n = np.arange(self.controls).reshape(self.shape)
        root = 2**0.5
        differences = [
            ((n[:, :-2], n[:, 1:-1], n[:, 2:], n[:, 2:]), (1, -2, 1, 0), SMOOTHNESS),
            ((n[:-2], n[1:-1], n[2:], n[2:]), (1, -2, 1, 0), SMOOTHNESS),
            ((n[:-1, :-1], n[:-1, 1:], n[1:, :-1], n[1:, 1:]), (root, -root, -root, root), SMOOTHNESS),
            ((n[:, :-1], n[:, 1:], n[:, 1:], n[:, 1:]), (1, -1, 0, 0), LEVELNESS),
            ((n[:-1], n[1:], n[1:], n[1:]), (1, -1, 0, 0), LEVELNESS),
        ]
        indices = [np.stack([part.ravel() for part in parts], axis=1) for parts, _, _ in differences]
        factors = [
            np.tile(np.array(f, np.float64), (len(i), 1)) for i, (_, f, _) in zip(indices, differences, strict=True)
        ]
        weights = [np.full(len(i), weight) for i, (_, _, weight) in zip(indices, differences, strict=True)]
        return np.concatenate(indices), np.concatenate(factors), np.concatenate(weights)


def fit_smoothly(
    mesh: SplineMesh, points: Points, values: Points, weight: Values, tolerance: float, lines: LineTriples
) -> Values:
    """Control points (rows, columns, 2) of the smooth field that most measurements agree with.

    Args:
        mesh: where the field is defined.
        points, values: (n, 2) px.
        weight: (n,), of each measurement; those of a cell that counts fully add up to 1.
        tolerance: px; measurements that are off by more hardly count (weights of Cauchy's distribution).
        lines: across them the field changes evenly, so that they stay straight.
    """
    index, shares = mesh.at(points)
    smoothness, _ = _normal_equations(mesh, *mesh.penalties())
    smoothness += RIDGE * np.eye(mesh.controls)
    controls: Values = np.zeros((mesh.controls, 2))
    trust = np.ones(len(points))
    matrix, right = np.zeros_like(smoothness), np.zeros_like(controls)
    for _ in range(ROUNDS):
        matrix, right = _normal_equations(mesh, index, shares, weight * trust, values)
        controls = np.asarray(np.linalg.solve(matrix + smoothness, right), np.float64)
        fitted = (shares[..., None] * controls[index]).sum(axis=1)
        trust = 1 / (1 + np.square((fitted - values) / tolerance).sum(axis=1))
    if len(lines.places):
        bends = _bends(mesh, lines)
        both = np.kron(np.eye(2), matrix + smoothness) + STRAIGHTNESS * bends.T @ bends
        solved = np.asarray(np.linalg.solve(both, right.T.ravel()), np.float64)
        controls = solved.reshape(2, -1).T  # (2 n) -> (n, 2)
    return controls.reshape(*mesh.shape, 2)  # (rows columns, 2) -> (rows, columns, 2)


def _bends(mesh: SplineMesh, lines: LineTriples) -> Values:
    """(m, 2 n): how much each triple bends, as factors of the n control points, all their x before all their y."""
    count = len(lines.places)
    index, shares = mesh.at(lines.places.reshape(-1, 2))  # (m, 3, 2) -> (3 m, 2)
    factors = shares.reshape(count, 3, 16) * np.array([1.0, -2.0, 1.0])[:, None]
    result = np.zeros((2, count, mesh.controls))
    rows = np.arange(count)[:, None]
    for axis in (0, 1):
        normal = lines.normals[:, axis, None]
        np.add.at(result[axis], (rows, index.reshape(count, 48)), factors.reshape(count, 48) * normal)
    return np.concatenate([result[0], result[1]], axis=1)


def _normal_equations(
    mesh: SplineMesh, index: Indices, factors: Values, weight: Values, values: Points | None = None
) -> tuple[Values, Values]:
    """Matrix (n, n) and right side (n, 2) of weighted rows (m, k) for n control points; `values` (m, 2), None = 0."""
    n = mesh.controls
    weighted = factors * weight[:, None]
    cells = index[:, :, None] * n + index[:, None, :]
    products = weighted[:, :, None] * factors[:, None, :]
    matrix = np.asarray(np.bincount(cells.ravel(), products.ravel(), n * n), np.float64).reshape(n, n)
    right: Values = np.zeros((n, 2))
    if values is not None:
        for axis in (0, 1):
            right[:, axis] = np.bincount(index.ravel(), (weighted * values[:, axis, None]).ravel(), n)
    return matrix, right


def _basis(at: Values, cells: int) -> tuple[Indices, Values]:
    """The first of the four control points that make up the values at (n,) positions in cells, and shares (n, 4)."""
    first = np.clip(np.floor(at), 0, cells - 1).astype(np.int64)
    t = at - first
    shares = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    return first, np.stack(shares, axis=1) / 6


def _basis_matrix(length: int, cells: int, cell: float) -> Values:
    """(length, control points): shares of the control points at each pixel of a row or column."""
    first, shares = _basis(np.arange(length) / cell, cells)
    matrix = np.zeros((length, cells + 3))
    np.put_along_axis(matrix, first[:, None] + np.arange(4), shares, axis=1)
    return matrix
