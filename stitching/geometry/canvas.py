"""The surface that a panorama is painted on, the reference's plane or a cylinder, and the canvas: the part it shows."""

from dataclasses import dataclass

import numpy as np

from stitching.geometry.pixel_maps import Points, Size


@dataclass(frozen=True)
class Surface:
    """The reference's plane, or the cylinder around its camera that touches the plane in the reference's centre.

    Surface coordinates are px: on the plane those of the reference, on the cylinder arc length and height, which
    are those of the reference in its centre.

    Attributes:
        focal: radius of the cylinder, px; None = plane.
        centre: (x, y) of the reference's centre, px.
    """

    focal: float | None
    centre: tuple[float, float]

    def to_reference(self, points: Points) -> Points:
        """(..., 2) surface px -> reference px; NaN behind the reference camera."""
        if self.focal is None:
            return points
        angle = (points[..., 0] - self.centre[0]) / self.focal
        cosine = np.where(np.abs(angle) < 1.5, np.cos(angle), np.nan)
        x = self.centre[0] + self.focal * np.sin(angle) / cosine
        y = self.centre[1] + (points[..., 1] - self.centre[1]) / cosine
        return np.stack([x, y], axis=-1)

    def from_reference(self, points: Points) -> Points:
        """(..., 2) reference px -> surface px."""
        if self.focal is None:
            return points
        angle = np.arctan2(points[..., 0] - self.centre[0], self.focal)
        x = self.centre[0] + self.focal * angle
        y = self.centre[1] + (points[..., 1] - self.centre[1]) * np.cos(angle)
        return np.stack([x, y], axis=-1)


@dataclass(frozen=True)
class Canvas:
    """The part of the surface that the panorama shows.

    Attributes:
        surface: what it is a part of.
        origin: (x, y) of canvas pixel (0, 0), surface px (= reference px on the plane), whole numbers.
        size: (w, h), canvas px, which are as large as reference px.
    """

    surface: Surface
    origin: tuple[int, int]
    size: Size

    @property
    def projection(self) -> str:
        """Name of the surface: "plane" or "cylinder"."""
        return "plane" if self.surface.focal is None else "cylinder"

    def scale_for(self, megapix: float) -> float:
        """Px per canvas px, at most 1, of a grid that shows the canvas with at most `megapix` million pixels."""
        return min(1.0, float(np.sqrt(megapix * 1e6 / (self.size[0] * self.size[1]))))

    def to_reference(self, points: Points) -> Points:
        """(..., 2) canvas px -> reference px."""
        return self.surface.to_reference(points + np.asarray(self.origin, np.float64))

    def from_reference(self, points: Points) -> Points:
        """(..., 2) reference px -> canvas px."""
        return self.surface.from_reference(points) - np.asarray(self.origin, np.float64)
