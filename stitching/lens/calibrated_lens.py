"""A lens that was calibrated: a distortion, and a camera matrix for photographs of one size."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Points, Size
from stitching.lens.distortions import Distortion

# By EXIF orientation 1..8 (CIPA DC-008, tag 274): from the sensor's axes to those of the upright picture.
_TURNS = {
    1: ((1, 0), (0, 1)), 2: ((-1, 0), (0, 1)), 3: ((-1, 0), (0, -1)), 4: ((1, 0), (0, -1)),
    5: ((0, 1), (1, 0)), 6: ((0, -1), (1, 0)), 7: ((0, -1), (-1, 0)), 8: ((0, 1), (-1, 0)),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class CalibratedLens:
    """A `LensModel` without vignetting.

    Attributes:
        name: what messages call it.
        photograph_size: (w, h) px.
        distortion: on the sensor's axes.
        matrix: (2, 2) px per unit on the film.
        centre: (2,) px of the axis; the first pixel's centre is (0, 0).
        turn: (2, 2), from the sensor's axes to those of the photograph.
    """

    name: str
    photograph_size: Size
    distortion: Distortion
    matrix: NDArray[np.float64]
    centre: NDArray[np.float64]
    turn: NDArray[np.float64]

    @classmethod
    def of(
        cls, name: str, size: Size, distortion: Distortion, focal: tuple[float, float], centre: tuple[float, float]
    ) -> "CalibratedLens":
        """Of an unturned camera: `focal` along x and y, and `centre`, px of photographs of `size` (w, h)."""
        return cls(name, size, distortion, np.diag(focal).astype(np.float64), np.array(centre, np.float64), np.eye(2))

    @property
    def focal(self) -> float:
        """Px per unit of a ray at the centre; the geometric mean where pixels are not square."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix))))

    def project(self, rays: Points) -> Points:
        """Rays (..., 2) -> px (..., 2)."""
        return self.distortion.bend(rays @ self.turn) @ self.matrix.T + self.centre  # the inverse of a turn: transposed

    def light(self, points: Points) -> NDArray[np.float64]:
        """(...): all of it."""
        return np.ones(points.shape[:-1])

    def resized(self, size: Size) -> "CalibratedLens":
        """For the same photographs, made larger or smaller to `size` (w, h)."""
        factors = np.array(size) / self.photograph_size
        matrix, centre = self.matrix * factors[:, None], (self.centre + 0.5) * factors - 0.5
        return replace(self, photograph_size=size, matrix=matrix, centre=centre)

    def turned(self, orientation: int) -> "CalibratedLens":
        """For photographs that were turned upright by their EXIF orientation, 1..8; any other number: they were not."""
        turn = np.array(_TURNS.get(orientation, _TURNS[1]), np.float64)
        size = np.abs(turn) @ self.photograph_size
        moved = np.where(turn.sum(axis=1) < 0, size - 1, 0)  # where an axis runs backwards, the last pixel is the first
        return replace(
            self,
            photograph_size=(round(float(size[0])), round(float(size[1]))),
            matrix=turn @ self.matrix,
            centre=turn @ self.centre + moved,
            turn=turn @ self.turn,
        )
