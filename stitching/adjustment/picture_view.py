"""A picture as the canvas sees it: the map of the joint adjustment between canvas and picture, and where it lies."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stitching.geometry.canvas import Canvas
from stitching.geometry.homographies import Matrix, from_homogeneous, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size, even_grid, inside
from stitching.geometry.rectangles import Rectangle

OUTLINE_POINTS = 256  # a side; between two of them the outline bends by less than 0.1 px


@dataclass(frozen=True, eq=False)
class PictureView:
    """Backward map of one picture: canvas -> picture.

    Attributes:
        canvas: where it is shown.
        to_picture: (3, 3), homogeneous px of the frame -> homogeneous px of the picture, as in `Arrangement`.
        size: (w, h) of the picture, px.
    """

    canvas: Canvas
    to_picture: Matrix
    size: Size

    def __call__(self, points: Points) -> Points:
        """(..., 2) canvas px, columns in any turn -> picture px; NaN behind the picture's camera."""
        return from_homogeneous(self.canvas.to_frame(points) @ self.to_picture.T)

    def inverse(self, points: Points) -> Points:
        """(..., 2) picture px -> canvas px; NaN where the canvas's surface does not reach: behind the plane's camera.

        The picture is in one piece: where it crosses the cut of the canvas, its columns go on beyond the canvas, in the
        turn in which its centre is on the canvas.
        """
        found = self.canvas.from_frame(self._to_frame(points))
        if self._turn is not None:
            found[..., 0] = _in_turn(found[..., 0], *self._turn)
        return found

    def window(self, margin: int = 0) -> Rectangle:
        """The smallest part of the canvas that holds the picture and `margin` px more on each side, canvas px.

        Where the canvas wraps, the left column is one of the canvas, and the right one may lie beyond its end: column c
        is c - width there. Empty where the canvas shows nothing of the picture.
        """
        bounds = self._bounds_on_plane() if self.canvas.surface.focal is None else self._bounds_all_around()
        if not len(bounds):
            return Rectangle(0, 0, 0, 0)
        left, top = np.floor(bounds.min(axis=0)).astype(int).tolist()
        right, bottom = np.ceil(bounds.max(axis=0)).astype(int).tolist()
        found = Rectangle(left, top, right + 1, bottom + 1).grown(margin)
        width, height = self.canvas.size
        if not self.canvas.wraps or found.size[0] >= width:
            return found.intersect(Rectangle(0, 0, width, height))
        rows = found.intersect(Rectangle(found.left, 0, found.right, height))
        return rows.translated(-(found.left // width) * width, 0)

    def _to_frame(self, points: Points) -> Points:
        """(..., 2) picture px -> (..., 3) homogeneous px of the frame."""
        return to_homogeneous(points) @ np.linalg.inv(self.to_picture).T

    @property
    def _corners(self) -> tuple[Points, Points]:
        """The outermost points of its first and its last pixel, px."""
        return np.array([-0.5, -0.5]), np.array([self.size[0] - 0.5, self.size[1] - 0.5])

    @cached_property
    def _turn(self) -> tuple[float, float] | None:
        """First column and length of a turn that holds the picture in one piece; None where columns do not repeat."""
        turn = self.canvas.surface.turn
        if turn is None:
            return None
        first = (self.canvas.size[0] - 1 - turn) / 2  # around the canvas
        if not any(self._holds_axis):  # else the picture is shown all around, too
            centre = self.canvas.from_frame(self._to_frame(np.add(*self._corners) / 2))[..., 0]
            first = float(_in_turn(centre, first, turn)) - turn / 2
        return first, turn

    @cached_property
    def _holds_axis(self) -> tuple[bool, bool]:
        """Whether the picture sees the two ends of the surface's axis: of low and of high coordinates."""
        axis = np.array([1.0, 0, 0] if self.canvas.surface.horizontal_axis else [0, 1.0, 0])  # homogeneous, frame
        low, high = inside(from_homogeneous(np.stack([-axis, axis]) @ self.to_picture.T), self.size)
        return bool(low), bool(high)

    def _bounds_all_around(self) -> Points:
        """(n, 2) points of a cylinder or sphere that bound the picture."""
        grid = even_grid(*self._corners, OUTLINE_POINTS)
        outline = self.inverse(np.concatenate([grid[0], grid[-1], grid[:, 0], grid[:, -1]]))
        low, high = np.array([0.0, 0.0]), np.array(self.canvas.size, np.float64) - 1
        along = 0 if self.canvas.surface.horizontal_axis else 1
        for holds, end in zip(self._holds_axis, (low, high), strict=True):
            if holds:  # all around, and along the axis up to the end of the canvas
                ends = np.stack([low, high])
                ends[:, along] = end[along]
                outline = np.concatenate([outline, ends])
        return outline[np.isfinite(outline).all(axis=-1)]

    def _bounds_on_plane(self) -> Points:
        """(n, 2) corners of the part of the picture that a plane canvas shows, also where its horizon crosses it.

        The picture's outline is clipped at the canvas's borders (Sutherland & Hodgman 1974) in homogeneous coordinates,
        in which a picture that reaches behind the camera is still one convex polygon.
        """
        (left, top), (right, bottom) = self._corners
        corners = self._to_frame(np.array([[left, top], [right, top], [right, bottom], [left, bottom]]))
        corners[:, :2] -= corners[:, 2:] * np.asarray(self.canvas.origin)
        width, height = self.canvas.size
        for border in ([1, 0, 0.5], [-1, 0, width - 0.5], [0, 1, 0.5], [0, -1, height - 0.5]):
            corners = _clipped(corners, np.array(border))
        found = from_homogeneous(corners)
        return found[np.isfinite(found).all(axis=-1)]


def _in_turn(columns: Points, first: float, turn: float) -> Points:
    """Columns moved by whole turns into first .. first + turn."""
    return first + np.mod(columns - first, turn)


def _clipped(corners: Points, border: Points) -> Points:
    """The part of a convex polygon (n, 3) where the product with `border` (3,) is not negative."""
    kept: list[Points] = []
    for start, end in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        before, after = float(start @ border), float(end @ border)
        if before >= 0:
            kept.append(start)
        if (before >= 0) != (after >= 0):
            kept.append(start + (end - start) * (before / (before - after)))
    return np.array(kept).reshape(-1, 3)  # (n, 3)
