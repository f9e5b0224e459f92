"""The surface that a panorama is painted on, the reference's plane or a cylinder, and the canvas: the part it shows."""

from dataclasses import dataclass

import numpy as np

from stitching.geometry.pixel_maps import Points, Size


@dataclass(frozen=True)
class Surface:
    """The reference's plane, or the cylinder around its camera that touches the plane in the reference's centre.

    Surface coordinates are px: on the plane those of the reference; on the cylinder arc length around its axis and
    height along it, x and y as in the reference, which are those of the reference in its centre.

    Attributes:
        focal: radius of the cylinder, px; None = plane.
        centre: (x, y) of the reference's centre, px.
        horizontal_axis: the cylinder's axis is parallel to the reference's rows, not to its columns.
    """

    focal: float | None
    centre: tuple[float, float]
    horizontal_axis: bool = False

    @property
    def _around_and_along(self) -> tuple[int, int]:
        """Which coordinate, 0 = x or 1 = y, goes around the cylinder, and which along its axis."""
        return (1, 0) if self.horizontal_axis else (0, 1)

    def to_reference(self, points: Points) -> Points:
        """(..., 2) surface px -> reference px; NaN behind the reference camera."""
        if self.focal is None:
            return points
        around, along = self._around_and_along
        offset = points - self.centre
        angle = offset[..., around] / self.focal
        cosine = np.where(np.abs(angle) < 1.5, np.cos(angle), np.nan)
        result = np.empty_like(offset)
        result[..., around] = self.focal * np.sin(angle) / cosine
        result[..., along] = offset[..., along] / cosine
        return result + self.centre

    def from_reference(self, points: Points) -> Points:
        """(..., 2) reference px -> surface px."""
        if self.focal is None:
            return points
        around, along = self._around_and_along
        offset = points - self.centre
        angle = np.arctan2(offset[..., around], self.focal)
        result = np.empty_like(offset)
        result[..., around] = self.focal * angle
        result[..., along] = offset[..., along] * np.cos(angle)
        return result + self.centre


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
        """Name of the surface: "plane", "cylinder" (its axis is vertical) or "horizontal cylinder"."""
        if self.surface.focal is None:
            return "plane"
        return "horizontal cylinder" if self.surface.horizontal_axis else "cylinder"

    def scale_for(self, megapix: float) -> float:
        """Px per canvas px, at most 1, of a grid that shows the canvas with at most `megapix` million pixels."""
        return min(1.0, float(np.sqrt(megapix * 1e6 / (self.size[0] * self.size[1]))))

    def to_reference(self, points: Points) -> Points:
        """(..., 2) canvas px -> reference px."""
        return self.surface.to_reference(points + np.asarray(self.origin, np.float64))

    def from_reference(self, points: Points) -> Points:
        """(..., 2) reference px -> canvas px."""
        return self.surface.from_reference(points) - np.asarray(self.origin, np.float64)
