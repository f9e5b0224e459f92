"""Chooses the canvas of many pictures: the part of a plane, a cylinder or a sphere that holds them all."""

import math
from collections.abc import Mapping
from functools import reduce

import numpy as np

from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.picture_view import PictureView
from stitching.adjustment.surface_choice import MAX_ANGLE, Projection, Views, choose_surface
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, project
from stitching.geometry.pixel_maps import Size
from stitching.geometry.rectangles import Rectangle

MAX_REACH = 1.5  # diagonals that a picture may reach from its centre on a plane: it may run off to its horizon
MAX_CANVAS_RATIO = 30  # px of the canvas, of all pictures together; a diagonal strip of n pictures needs n / 4


def choose_canvas(arrangement: Arrangement, sizes: Mapping[int, Size], projection: Projection) -> Canvas:
    """The canvas that holds all pictures of an arrangement.

    Args:
        arrangement: where the pictures lie.
        sizes: number of a picture -> its (w, h), px; of all pictures of the arrangement.
        projection: "auto" = the first of plane, cylinder and sphere that shows all without stretching much; see
            `choose_surface`.

    Returns:
        The canvas, as large as the pictures on it; its px are as large as the frame's in its centre. It wraps where
        the pictures leave no gap around a cylinder or sphere; else its ends are in the widest gap.

    Raises:
        InputError: the projection cannot show these pictures, or the canvas would be larger than `MAX_CANVAS_RATIO`.
    """
    views = [(matrix, sizes[number]) for number, matrix in arrangement.to_picture.items()]
    surface = choose_surface(arrangement, views, projection)
    canvas = _plane_canvas(surface, views) if surface.focal is None else _canvas_all_around(surface, views)
    _check_area(canvas, sum(math.prod(size) for _, size in views))
    return canvas


def _plane_canvas(surface: Surface, views: Views) -> Canvas:
    """The part of the plane that holds all pictures, each as far as `_reachable` says."""
    shown = []
    for matrix, size in views:
        reachable = _reachable(surface, matrix, size)
        shown.append(PictureView(reachable, matrix, size).window().translated(*reachable.origin))
    together = reduce(Rectangle.joined, shown)
    return Canvas(surface, together.origin, together.size)


def _reachable(surface: Surface, matrix: Matrix, size: Size) -> Canvas:
    """The part of the plane within `MAX_REACH` of a picture's centre, by the picture's diagonal as large as there."""
    centre = np.subtract(size, 1) / 2
    right, left, down, up = project(
        np.linalg.inv(matrix), centre + np.array([[0.5, 0], [-0.5, 0], [0, 0.5], [0, -0.5]])
    )
    place = (right + left) / 2
    if not np.isfinite(place).all():
        raise InputError("pictures lie behind the plane of the reference; take another reference, or motion affine")
    magnification = math.sqrt(abs(np.linalg.det(np.stack([right - left, down - up]))))
    reach = math.ceil(MAX_REACH * magnification * math.hypot(*size))
    x, y = np.round(place).astype(int).tolist()
    return Canvas(surface, (x - reach, y - reach), (2 * reach + 1, 2 * reach + 1))


def _canvas_all_around(surface: Surface, views: Views) -> Canvas:
    """The part of a cylinder or sphere that holds all pictures; as wide as a whole turn where they leave no gap."""
    everywhere = _whole_surface(surface)
    windows = [PictureView(everywhere, matrix, size).window() for matrix, size in views]
    rows = min(window.top for window in windows), max(window.bottom for window in windows)
    if surface.turn is None:
        columns = min(window.left for window in windows), max(window.right for window in windows)
    else:
        columns = _columns_around(windows, everywhere.size[0])
    left, top = everywhere.origin
    return Canvas(surface, (left + columns[0], top + rows[0]), (columns[1] - columns[0], rows[1] - rows[0]))


def _whole_surface(surface: Surface) -> Canvas:
    """All of a sphere, or a cylinder up to `MAX_ANGLE`; the frame's centre is in its middle."""
    assert surface.focal is not None
    half_turn = np.pi * surface.focal
    half_length = half_turn / 2 if surface.spherical else surface.focal * math.tan(math.radians(MAX_ANGLE))
    around, along = round(2 * half_turn), 2 * math.ceil(half_length) + 1
    width, height = (along, around) if surface.horizontal_axis else (around, along)
    x, y = surface.centre
    return Canvas(surface, (round(x) - width // 2, round(y) - height // 2), (width, height))


def _columns_around(windows: list[Rectangle], turn: int) -> tuple[int, int]:
    """First and last + 1 column that hold all windows: all around but for the widest gap; 0, turn where there is none.

    The first column is within half a turn of column 0, left or right of it.
    """
    shown = np.zeros(turn, np.bool_)
    for window in windows:
        shown[np.arange(window.left, window.right) % turn] = True
    first = np.flatnonzero(shown & ~np.roll(shown, 1))  # after each gap
    if len(first) == 0:
        return 0, turn
    last = np.flatnonzero(shown & ~np.roll(shown, -1))  # before each gap
    before = np.roll(last, 1)
    gaps = np.mod(first - before, turn)
    start, end = int(first[np.argmax(gaps)]), int(before[np.argmax(gaps)])
    length = (end - start) % turn + 1
    return (start, start + length) if start <= turn // 2 else (start - turn, start - turn + length)


def _check_area(canvas: Canvas, pixels: int) -> None:
    width, height = canvas.size
    if width * height > MAX_CANVAS_RATIO * pixels:
        raise InputError(
            f"the panorama would have {width} x {height} px, {width * height / pixels:.0f} times those of all pictures;"
            f" at most {MAX_CANVAS_RATIO} times, take another reference, projection or motion"
        )
