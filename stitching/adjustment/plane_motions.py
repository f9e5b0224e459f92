"""Motions of pictures of one plane: translations, affinities and homographies, all pairs fitted together."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.joint_fit import QUADRATIC, Vector
from stitching.adjustment.links import LinkedPictures
from stitching.geometry.homographies import Matrix, Motion

ROUNDS = 10  # of the robust fit of one pair
DEVIATIONS: dict[Motion, float] = {
    "affine": 0.02,
    "perspective": 0.1,
}  # usual change of shape, beyond that of a similarity


def _single(*entries: tuple[int, int, float]) -> Matrix:
    matrix = np.zeros((3, 3))
    for row, column, value in entries:
        matrix[row, column] = value
    return matrix


_TRANSLATION = [_single((0, 2, 1)), _single((1, 2, 1))]
_AFFINE = [*_TRANSLATION, *(_single((row, column, 1)) for row in (0, 1) for column in (0, 1))]
_GENERATORS: dict[Motion, list[Matrix]] = {
    "translation": _TRANSLATION,
    "affine": _AFFINE,
    "perspective": [*_AFFINE, _single((2, 0, 1)), _single((2, 1, 1))],
}
# What is 0 in every similarity.
_NO_SIMILARITY = np.stack(
    [_single((0, 0, 1), (1, 1, -1)), _single((0, 1, 1), (1, 0, 1)), _single((2, 0, 1)), _single((2, 1, 1))]
)


@dataclass(frozen=True, eq=False)
class PlaneMotions:
    """Motions of one plane, the reference's is the identity; see `joint_fit.Motions`.

    Attributes:
        kind: "translation", "affine" or "perspective" (homographies).
        reference: index of the picture that stays.
        matrices: (n, 3, 3), frame -> picture, normalised.
    """

    kind: Motion
    reference: int
    matrices: NDArray[np.float64]

    @property
    def generators(self) -> NDArray[np.float64]:
        """(n, p, 3, 3)."""
        one = np.stack(_GENERATORS[self.kind])
        return np.broadcast_to(one, (len(self.matrices), *one.shape))

    @property
    def columns(self) -> NDArray[np.intp]:
        """(n, p): all but those of the reference."""
        n, p = len(self.matrices), len(_GENERATORS[self.kind])
        others = np.delete(np.arange(n), self.reference)
        columns = np.full((n, p), -1)
        columns[others] = np.arange((n - 1) * p).reshape(n - 1, p)  # (n - 1, p)
        return columns

    def moved(self, step: Vector) -> Self:
        """The motions after a step (n, p)."""
        change = np.eye(3) + np.einsum("np,npij->nij", step, self.generators)
        return replace(self, matrices=change @ self.matrices)

    def prior(self) -> tuple[Vector, Vector]:
        """They are similarities, so that a long row of pictures does not shear."""
        deviation = DEVIATIONS.get(self.kind, 1.0)
        changes = self.generators @ self.matrices[:, None]  # (n, p, 3, 3)
        wrong = np.einsum("qij,nij->nq", _NO_SIMILARITY, self.matrices)
        return wrong / deviation, np.einsum("qij,npij->nqp", _NO_SIMILARITY, changes) / deviation


def start_as_translations(pictures: LinkedPictures) -> PlaneMotions:
    """Translations to start with: the median moves of the pairs along the tree."""

    def between(block: int) -> Matrix:
        start, end = pictures.links.places(block)
        x, y = np.median(end - start, axis=0)
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])

    return _along_tree(pictures, "translation", between)


def start_as_similarities(pictures: LinkedPictures) -> PlaneMotions:
    """Affinities to start with: the similarities of the pairs along the tree."""
    return _along_tree(pictures, "affine", lambda block: fit_similarity(*pictures.links.places(block)))


def start_as_homographies(pictures: LinkedPictures) -> PlaneMotions:
    """Homographies to start with: those of the pairs along the tree."""
    return _along_tree(pictures, "perspective", lambda block: pictures.between[block])


def _along_tree(pictures: LinkedPictures, kind: Motion, between: Callable[[int], Matrix]) -> PlaneMotions:
    """The motions that follow from those between the pictures of each block of the tree, start -> end."""
    links, matrices = pictures.links, np.tile(np.eye(3), (pictures.count, 1, 1))
    for block in pictures.tree:
        matrix = between(block) @ matrices[links.start[block]]
        matrices[links.end[block]] = matrix / np.cbrt(np.linalg.det(matrix)) if kind == "perspective" else matrix
    return PlaneMotions(kind, pictures.root, matrices)


def fit_similarity(start: NDArray[np.float64], end: NDArray[np.float64]) -> Matrix:
    """The similarity that maps (n, 2) points to others best: complex numbers, iteratively reweighted least squares."""
    x, y = start @ (1, 1j), end @ (1, 1j)
    weight = np.ones(len(x))
    factor, offset = 1 + 0j, 0j
    for _ in range(ROUNDS):
        share = weight / weight.sum()
        centre_x, centre_y = share @ x, share @ y
        spread = share @ np.abs(x - centre_x) ** 2
        factor = (share @ ((x - centre_x).conj() * (y - centre_y))) / spread if spread > 1e-12 else 1 + 0j
        offset = centre_y - factor * centre_x
        weight = 1 / np.maximum(np.abs(factor * x + offset - y), QUADRATIC)
    return np.array(
        [[factor.real, -factor.imag, offset.real], [factor.imag, factor.real, offset.imag], [0, 0, 1]], np.float64
    )
