"""Chooses the canvas of many pictures: a plane, a cylinder or a sphere, and the part of it that holds them all.

The first of these on which sizes vary little is taken: a plane for scans and narrow views, a cylinder for a row of
pictures, a sphere where they also reach far up or down.
"""

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.arrangement import Arrangement
from stitching.adjustment.picture_view import PictureView
from stitching.errors import InputError, require
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.homographies import Matrix, project, to_homogeneous, usual_focal_length
from stitching.geometry.pixel_maps import Points, Size, even_grid
from stitching.geometry.rectangles import Rectangle

Projection = Literal["auto", "plane", "cylinder", "sphere"]
PROJECTIONS = get_args(Projection)

_Views = Sequence[tuple[Matrix, Size]]  # of each picture: frame px -> picture px, and its size

MAX_VARIATION = 2.0  # of sizes across all pictures, on the plane and on a cylinder that "auto" takes; as for pairs
MAX_PLANE_FIELD = 90.0  # degrees from one side of the pictures to the other, on the plane that "auto" takes
MAX_ANGLE = 80.0  # degrees from the plane's centre or a cylinder's equator, where lengths are 14 times as large
MAX_TILT = 150.0  # degrees up or down from the frame's centre, on a lying cylinder
MAX_REACH = 1.5  # diagonals that a picture may reach from its centre on a plane: it may run off to its horizon
MAX_CANVAS_RATIO = 50  # px of the canvas, of all pictures together; a diagonal strip of n pictures needs about n


def choose_canvas(arrangement: Arrangement, sizes: Mapping[int, Size], projection: Projection) -> Canvas:
    """The canvas that holds all pictures of an arrangement.

    Args:
        arrangement: where the pictures lie.
        sizes: number of a picture -> its (w, h), px; of all pictures of the arrangement.
        projection: "auto" = the first of plane, cylinder and sphere that shows all without stretching much.

    Returns:
        The canvas, as large as the pictures on it; its px are as large as the frame's in its centre. It wraps where
        the pictures leave no gap around a cylinder or sphere; else its ends are in the widest gap.

    Raises:
        InputError: the projection cannot show these pictures, or the canvas would be larger than `MAX_CANVAS_RATIO`.
    """
    views = [(matrix, sizes[number]) for number, matrix in arrangement.to_picture.items()]
    surface = _choose_surface(arrangement, views, projection)
    canvas = _plane_canvas(surface, views) if surface.focal is None else _canvas_all_around(surface, views)
    _check_area(canvas, sum(math.prod(size) for _, size in views))
    return canvas


def _choose_surface(arrangement: Arrangement, views: _Views, projection: Projection) -> Surface:
    plane = Surface(None, arrangement.centre)
    if arrangement.focal is None and projection in ("auto", "plane"):
        return plane
    require(
        arrangement.motion == "perspective",
        f"projection {projection} of pictures whose motion is {arrangement.motion}",
        "plane or auto, which do not bend flat originals",
    )
    focal = arrangement.focal or usual_focal_length(arrangement.frame_size)
    focal = round(2 * np.pi * focal) / (2 * np.pi)  # a whole turn is a whole number of px
    upright, lying = (Surface(focal, arrangement.centre, horizontal) for horizontal in (False, True))
    directions = _directions(focal, arrangement.centre, views)
    cylinder = min((upright, lying), key=lambda surface: _variation(_from_axis(surface, directions)))
    sphere = Surface(focal, arrangement.centre, spherical=True)
    if projection == "auto":
        usable = (one for one in (plane, cylinder) if _stretches_little(one, directions))
        return next(usable, sphere)
    chosen = {"plane": plane, "cylinder": cylinder, "sphere": sphere}[projection]
    _check_reach(chosen, projection, directions)
    return chosen


def _directions(focal: float, centre: tuple[float, float], views: _Views) -> Points:
    """(n, 3) unit vectors from the frame's camera to points spread over all pictures: right, down, ahead."""
    grids = []
    for matrix, size in views:
        grid = to_homogeneous(even_grid((-0.5, -0.5), (size[0] - 0.5, size[1] - 0.5)).reshape(-1, 2))  # (n, 2)
        grids.append(grid @ np.linalg.inv(matrix).T)
    frame = np.concatenate(grids)
    vectors = np.column_stack([(frame[:, :2] - frame[:, 2:] * centre) / focal, frame[:, 2]])
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _from_axis(surface: Surface, directions: Points) -> NDArray[np.float64]:
    """(n,): cosine of the angle to the plane's centre or the cylinder's equator."""
    x, y, z = directions.T
    if surface.focal is None:
        return np.asarray(z)
    if surface.horizontal_axis:  # its ends, behind the camera, are not joined
        return np.where(z > math.cos(math.radians(MAX_TILT)), np.hypot(y, z), 0.0)
    return np.asarray(np.hypot(x, z))


def _variation(from_axis: NDArray[np.float64]) -> float:
    """Ratio of the largest to the smallest magnification of lengths (95th to 5th percentile), as for pairs."""
    low, high = np.percentile(np.maximum(from_axis, 1e-9), [5, 95])
    return float((high / low) ** 1.5)  # across the axis lengths grow by the inverse, along it by its square


def _stretches_little(surface: Surface, directions: Points) -> bool:
    from_axis = _from_axis(surface, directions)
    if from_axis.min() < math.cos(math.radians(MAX_ANGLE)) or _variation(from_axis) > MAX_VARIATION:
        return False
    angles = np.arctan2(directions[:, :2], directions[:, 2:])
    return surface.focal is not None or bool(np.rad2deg(np.ptp(angles, axis=0)).max() <= MAX_PLANE_FIELD)


def _check_reach(surface: Surface, projection: Projection, directions: Points) -> None:
    """Refuse a plane or cylinder that would have to reach infinitely far."""
    angle = math.degrees(math.acos(min(1.0, float(_from_axis(surface, directions).min()))))
    if surface.spherical or angle <= MAX_ANGLE:
        return
    others = "cylinder, sphere or auto" if projection == "plane" else "sphere or auto"
    raise InputError(
        f"projection {projection}: the pictures reach {angle:.0f} degrees from its centre, where it can show"
        f" {MAX_ANGLE:.0f}; take {others}"
    )


def _plane_canvas(surface: Surface, views: _Views) -> Canvas:
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


def _canvas_all_around(surface: Surface, views: _Views) -> Canvas:
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
