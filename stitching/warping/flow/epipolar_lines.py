"""Corresponding epipolar lines of two pictures, side by side: where matching points share a row.

Polar rectification (Pollefeys et al. 1999): a row is a line through the epipole of the first picture, and the line of
the second picture on which its points must lie. Unlike a rectification by homographies (Hartley 1999), it exists
wherever the epipole is, also in the picture.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.homographies import Matrix
from stitching.geometry.pixel_maps import Field, Mask, Points

FARTHEST = 1e7  # px; an epipole that is farther away, or at infinity, is taken to be there
NEAR = 8  # px; an epipole so near to the overlap counts as one in it
SPARSE = 97  # every how many-th pixel of the overlap is measured
ROWS_BEYOND = 4  # rows above and below those of the overlap
TINY = 1e-30  # keeps a division by 0 finite
LEVER = 1.2  # times the mean distance from the epipole: there, neighbouring rows are as far apart as columns


@dataclass(frozen=True, eq=False)
class EpipolarLines:
    """Rows of corresponding epipolar lines. Positions on a line are px from its anchor, away from the epipole.

    Attributes:
        fundamental: (3, 3), start px -> line in the end picture.
        epipole: (2,) px of the start picture.
        middle: (2,) unit vector from the epipole to the middle of the overlap; angles are measured from it.
        radius: px, distance of the anchors from the epipole.
        first_angle, angle_step: rad, of the first row and from row to row.
        direction, anchor: (rows, 2), of each row in the start picture.
        end_direction, end_anchor: (rows, 2), of its line in the end picture; the anchor is the point nearest to the
            other anchor.
        low, high: positions between which the overlap lies.
    """

    fundamental: Matrix
    epipole: Points
    middle: Points
    radius: float
    first_angle: float
    angle_step: float
    direction: Points
    anchor: Points
    end_direction: Points
    end_anchor: Points
    low: float
    high: float

    @classmethod
    def through(cls, fundamental: Matrix, overlap: Mask, max_area: float) -> "EpipolarLines":
        """Lines through an overlap (h, w) that has pixels.

        Args:
            fundamental: (3, 3), of end . fundamental . start = 0.
            overlap: where to match.
            max_area: of the rectified pictures; rows and columns are farther apart than 1 px where it would be more.
        """
        epipole = _epipole(fundamental)
        exact = np.append(epipole, 1.0)  # lines of the end picture, too, must run through an epipole that was moved
        fundamental = fundamental - np.outer(fundamental @ exact, exact) / (exact @ exact)
        pixels = np.argwhere(overlap)[:, ::-1]
        contours, _ = cv2.findContours(overlap.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        outline = cv2.convexHull(np.concatenate(contours))[:, 0].astype(np.float64)  # (n, 1, 2) -> (n, 2)
        some = np.concatenate([pixels[::SPARSE], outline]) - epipole
        radius, middle = float(np.linalg.norm(some, axis=1).mean()), _unit(some.mean(axis=0))
        angle, distance = _polar(some, middle)
        first, last, low, high = angle.min(), angle.max(), max(0.0, distance.min() - NEAR), distance.max()
        if cv2.pointPolygonTest(outline.astype(np.float32), epipole.tolist(), measureDist=True) > -NEAR:
            middle, first, last, low = np.array([1.0, 0.0]), -np.pi, np.pi, 0.0
        length = high - low
        pitch = max(1.0, float(np.sqrt((last - first) * LEVER * radius * length / max_area)))
        step = pitch / (LEVER * radius)
        rows = int(np.ceil((last - first) / step)) + 1 + 2 * ROWS_BEYOND
        angles = first + step * (np.arange(rows) - ROWS_BEYOND)
        lines = _lines(fundamental, epipole, middle, radius, angles)
        return cls(fundamental, epipole, middle, radius, angles[0], step, *lines, low - radius, high - radius)

    @property
    def pitch(self) -> float:
        """Px of the pictures between rows, on average; 1 or more."""
        return self.angle_step * LEVER * self.radius

    def of_start(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Row and position (...) of points (..., 2) px of the start picture."""
        angle, distance = _polar(points - self.epipole, self.middle)
        return (angle - self.first_angle) / self.angle_step, distance - self.radius

    def of_end(self, points: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Row and position (...) of points (..., 2) px of the end picture."""
        line = points @ self.fundamental[:2] + self.fundamental[2]  # (..., 3): the epipolar line in the start picture
        direction = _along(line, points - self.epipole)
        row = (_polar(direction, self.middle)[0] - self.first_angle) / self.angle_step
        anchor, along = (_between_rows(table, row) for table in (self.end_anchor, self.end_direction))
        return row, ((points - anchor) * along).sum(axis=-1)

    def start_places(self, positions: NDArray[np.float64]) -> Field:
        """(rows, n, 2) px of the start picture, at n positions of every row."""
        return _places(self.anchor, self.direction, positions)

    def end_places(self, positions: NDArray[np.float64]) -> Field:
        """(rows, n, 2) px of the end picture, at n positions of every row."""
        return _places(self.end_anchor, self.end_direction, positions)


def _lines(
    fundamental: Matrix, epipole: Points, middle: Points, radius: float, angles: NDArray[np.float64]
) -> tuple[Points, Points, Points, Points]:
    """Direction and anchor in the start picture, direction and anchor in the end picture, (n, 2) each."""
    across = np.array([-middle[1], middle[0]])
    direction = np.cos(angles)[:, None] * middle + np.sin(angles)[:, None] * across
    anchor = epipole + radius * direction
    line = anchor @ fundamental[:, :2].T + fundamental[:, 2]  # (n, 3)
    normal_squared = np.maximum((line[:, :2] ** 2).sum(axis=1, keepdims=True), TINY)
    distance = ((line[:, :2] * anchor).sum(axis=1, keepdims=True) + line[:, 2:]) / normal_squared
    return direction, anchor, _along(line, direction), anchor - distance * line[:, :2]


def _along(line: NDArray[np.float64], like: Points) -> Points:
    """Unit directions (..., 2) of lines (..., 3), of the two of each the one that is more like a vector."""
    along = _unit(np.stack([-line[..., 1], line[..., 0]], axis=-1))
    opposite = (along * like).sum(axis=-1, keepdims=True) < 0
    return np.asarray(np.where(opposite, -along, along), np.float64)


def _epipole(fundamental: Matrix) -> Points:
    """(2,) px of the start picture: what no line of the end picture corresponds to."""
    x, y, w = np.linalg.svd(fundamental)[2][-1]
    least = max(abs(x), abs(y)) / FARTHEST
    return np.asarray([x, y], np.float64) / float(np.copysign(max(abs(w), least), w))


def _polar(offset: Points, middle: Points) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Angle from a direction, and length, of vectors (..., 2)."""
    x, y = offset[..., 0], offset[..., 1]
    return np.arctan2(middle[0] * y - middle[1] * x, middle[0] * x + middle[1] * y), np.hypot(x, y)


def _between_rows(table: Points, row: NDArray[np.float64]) -> Points:
    """(..., 2) values of a table with a value (2,) a row, at rows (...)."""
    numbers = np.arange(len(table))
    return np.stack([np.interp(row, numbers, table[:, axis]) for axis in (0, 1)], axis=-1)


def _places(anchor: Points, direction: Points, positions: NDArray[np.float64]) -> Field:
    return (anchor[:, None] + direction[:, None] * positions[None, :, None]).astype(np.float32)


def _unit(vectors: Points) -> Points:
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(length, TINY), np.float64)
