"""The surface that a panorama is painted on, a plane, a cylinder or a sphere, and the canvas: the part it shows."""

from dataclasses import dataclass

import numpy as np

from stitching.geometry.homographies import from_homogeneous, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size


@dataclass(frozen=True)
class Surface:
    """The reference's plane, or the cylinder or sphere around its camera that touches it in the reference's centre.

    Surface coordinates are px: on the plane those of the reference; on the cylinder arc length around its axis and
    height along it, on the sphere longitude and latitude times its radius; x and y as in the reference, which are
    those of the reference in its centre.

    The frame is the reference's camera, or one that stands beside it (`stitching.adjustment.arrangement`). Its points
    are homogeneous px (u, v, w), with w < 0 behind the camera, so they exist all around it.

    Attributes:
        focal: radius of the cylinder or sphere, px; None = plane.
        centre: (x, y) of the reference's centre, px.
        horizontal_axis: the cylinder's axis is parallel to the reference's rows, not to its columns.
        spherical: a sphere, not a cylinder; its axis is parallel to the reference's columns.
    """

    focal: float | None
    centre: tuple[float, float]
    horizontal_axis: bool = False
    spherical: bool = False

    @property
    def _around_and_along(self) -> tuple[int, int]:
        """Which coordinate, 0 = x or 1 = y, goes around the cylinder, and which along its axis."""
        return (1, 0) if self.horizontal_axis else (0, 1)

    @property
    def turn(self) -> float | None:
        """After how many columns the surface begins again; None where it does not: a plane, a lying cylinder."""
        return None if self.focal is None or self.horizontal_axis else 2 * np.pi * self.focal

    def to_frame(self, points: Points) -> Points:
        """(..., 2) surface px -> (..., 3) homogeneous px of the frame; all around, and again after a whole turn."""
        if self.focal is None:
            return to_homogeneous(points)
        around, along = self._around_and_along
        angle, height = (((points - self.centre) / self.focal)[..., axis] for axis in (around, along))
        from_axis, height = (np.cos(height), np.sin(height)) if self.spherical else (np.ones_like(height), height)
        frame = np.empty((*points.shape[:-1], 3))
        frame[..., around], frame[..., along] = from_axis * np.sin(angle), height
        frame[..., 2] = from_axis * np.cos(angle)
        frame[..., :2] = self.focal * frame[..., :2] + frame[..., 2:] * self.centre
        return frame

    def from_frame(self, frame: Points) -> Points:
        """(..., 3) homogeneous px of the frame -> (..., 2) surface px, at most half a turn around from the centre.

        NaN where there is no such point: on the plane behind the camera, on a cylinder on its axis.
        """
        if self.focal is None:
            return from_homogeneous(frame)
        around, along = self._around_and_along
        side = (frame[..., :2] - frame[..., 2:] * self.centre) / self.focal
        from_axis = np.hypot(side[..., around], frame[..., 2])
        result = np.empty_like(side)
        result[..., around] = np.arctan2(side[..., around], frame[..., 2])
        if self.spherical:
            result[..., along] = np.arctan2(side[..., along], from_axis)
        else:
            result[..., along] = side[..., along] / np.where(from_axis > 0, from_axis, np.nan)
        return self.focal * result + self.centre

    def to_reference(self, points: Points) -> Points:
        """(..., 2) surface px -> reference px; NaN behind the reference camera."""
        if self.focal is None:
            return points
        if self.spherical:
            return from_homogeneous(self.to_frame(points))
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
        if self.spherical:
            return self.from_frame(to_homogeneous(points))
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
        """Name of the surface: "plane", "cylinder" (its axis is vertical), "horizontal cylinder" or "sphere"."""
        if self.surface.focal is None:
            return "plane"
        if self.surface.spherical:
            return "sphere"
        return "horizontal cylinder" if self.surface.horizontal_axis else "cylinder"

    @property
    def wraps(self) -> bool:
        """Whether it is as wide as one whole turn: its left edge continues at its right edge."""
        turn = self.surface.turn
        return turn is not None and abs(self.size[0] - turn) < 1e-6

    def scale_for(self, megapix: float) -> float:
        """Px per canvas px, at most 1, of a grid that shows the canvas with at most `megapix` million pixels.

        Where the canvas wraps, a whole turn is a whole number of px of the grid, so that its ends meet.
        """
        scale = min(1.0, float(np.sqrt(megapix * 1e6 / (self.size[0] * self.size[1]))))
        return max(1, int(scale * self.size[0])) / self.size[0] if self.wraps else scale

    def to_reference(self, points: Points) -> Points:
        """(..., 2) canvas px -> reference px."""
        return self.surface.to_reference(points + np.asarray(self.origin, np.float64))

    def from_reference(self, points: Points) -> Points:
        """(..., 2) reference px -> canvas px."""
        return self.surface.from_reference(points) - np.asarray(self.origin, np.float64)

    def to_frame(self, points: Points) -> Points:
        """(..., 2) canvas px -> (..., 3) homogeneous px of the frame."""
        return self.surface.to_frame(points + np.asarray(self.origin, np.float64))

    def from_frame(self, frame: Points) -> Points:
        """(..., 3) homogeneous px of the frame -> (..., 2) canvas px, columns in any turn."""
        return self.surface.from_frame(frame) - np.asarray(self.origin, np.float64)
