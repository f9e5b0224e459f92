"""Chooses what many pictures are painted on.

The first of these on which sizes vary little is taken: a plane for scans and narrow views, a cylinder for a row of
pictures, a sphere where they also reach far up or down.
"""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from stitching.adjustment.arrangement import Arrangement
from stitching.alignment.canvas_planning import (
    MAX_CYLINDER_VARIATION,
    MAX_PLANE_FIELD,
    MAX_PLANE_VARIATION,
    variation_on,
)
from stitching.errors import InputError, require
from stitching.geometry.canvas import Surface
from stitching.geometry.homographies import Matrix, focal_length, size_variation, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size, even_grid

Projection = Literal["auto", "plane", "cylinder", "sphere"]
PROJECTIONS = get_args(Projection)

MAX_STRETCH = 2.0  # of a picture, against the least stretched ones, on the plane or cylinder that "auto" takes
MAX_ANGLE = 80.0  # degrees from the plane's centre or a cylinder's equator, where lengths are 14 times as large
MAX_TILT = 150.0  # degrees up or down from the frame's centre, on a lying cylinder

Views = Sequence[tuple[Matrix, Size]]  # of each picture: frame px -> picture px, and its size


def choose_surface(arrangement: Arrangement, views: Views, projection: Projection) -> Surface:
    """The surface that shows an arrangement.

    Where the focal length is known, the directions that the pictures show decide. Where it is not, they lie on the
    frame's plane, unless their sizes vary much there and less on a cylinder, as for pairs.

    Args:
        arrangement: where the pictures lie.
        views: of its pictures, in any order.
        projection: what is wanted.

    Raises:
        InputError: the projection cannot show these pictures.
    """
    require(
        arrangement.motion == "perspective" or projection in ("auto", "plane"),
        f"projection {projection} of pictures whose motion is {arrangement.motion}",
        "plane or auto, which do not bend flat originals",
    )
    plane = Surface(None, arrangement.centre)
    if arrangement.focal is None and (projection == "plane" or arrangement.motion != "perspective"):
        return plane
    focal = arrangement.focal or arrangement.known_focal or _likely_focal(arrangement.frame_size, views)
    focal = round(2 * np.pi * focal) / (2 * np.pi)  # a whole turn is a whole number of px
    cylinders = [Surface(focal, arrangement.centre, horizontal_axis) for horizontal_axis in (False, True)]
    sphere = Surface(focal, arrangement.centre, spherical=True)
    if arrangement.focal is None and projection == "auto":
        return _surface_of_one_plane(plane, cylinders, views)
    directions = [_directions(focal, arrangement.centre, matrix, size) for matrix, size in views]
    # Upright ones keep what is vertical straight; lying ones bend it: they are for what reaches far up or down.
    little = [surface for surface in cylinders if _stretches_little(surface, directions)]
    cylinder = (little or [min(cylinders, key=lambda surface: _stretch(surface, directions))])[0]
    if projection == "auto":
        return next((one for one in (plane, cylinder) if _stretches_little(one, directions)), sphere)
    chosen = {"plane": plane, "cylinder": cylinder, "sphere": sphere}[projection]
    _check_reach(chosen, projection, directions)
    return chosen


def _likely_focal(frame_size: Size, views: Views) -> float:
    """The median of what each picture's homography tells of the frame's focal length, px."""
    return float(np.median([focal_length(_to_plane(matrix), frame_size, size) for matrix, size in views]))


def _to_plane(matrix: Matrix) -> Matrix:
    """Picture px -> frame px, scaled as homographies of pairs are."""
    inverse = np.linalg.inv(matrix)
    return np.asarray(inverse / abs(inverse[2, 2]))


def _surface_of_one_plane(plane: Surface, cylinders: Sequence[Surface], views: Views) -> Surface:
    """The plane, or where sizes vary much in one of the pictures on it, a cylinder if that helps."""
    homographies = [(_to_plane(matrix), size) for matrix, size in views]
    on_plane = max(size_variation(*one) for one in homographies)
    if on_plane <= MAX_PLANE_VARIATION:
        return plane
    variations = [max(variation_on(cylinder, *one) for one in homographies) for cylinder in cylinders]
    best = int(np.argmin(variations))
    return cylinders[best] if variations[best] < MAX_CYLINDER_VARIATION * on_plane else plane


def _directions(focal: float, centre: tuple[float, float], matrix: Matrix, size: Size) -> Points:
    """(n, 3) unit vectors from the frame's camera to points spread over a picture: right, down, ahead."""
    grid = even_grid((-0.5, -0.5), (size[0] - 0.5, size[1] - 0.5)).reshape(-1, 2)  # (rows, columns, 2) -> (n, 2)
    frame = to_homogeneous(grid) @ np.linalg.inv(matrix).T
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


def _stretch(surface: Surface, directions: Sequence[Points]) -> float:
    """How much larger the most stretched picture is shown than what is stretched least (95th, 5th percentile)."""
    # Across the axis lengths grow by the inverse of the cosine, along it by its square.
    lengths = [np.maximum(_from_axis(surface, one), 1e-9) ** -1.5 for one in directions]
    return float(max(np.percentile(one, 95) for one in lengths) / np.percentile(np.concatenate(lengths), 5))


def _stretches_little(surface: Surface, directions: Sequence[Points]) -> bool:
    together = np.concatenate(directions)
    if _reach(surface, directions) > MAX_ANGLE or _stretch(surface, directions) > MAX_STRETCH:
        return False
    angles = np.arctan2(together[:, :2], together[:, 2:])
    return surface.focal is not None or bool(np.rad2deg(np.ptp(angles, axis=0)).max() <= MAX_PLANE_FIELD)


def _reach(surface: Surface, directions: Sequence[Points]) -> float:
    """The largest angle to the plane's centre or the cylinder's equator, degrees."""
    least = min(float(_from_axis(surface, one).min()) for one in directions)
    return math.degrees(math.acos(min(1.0, least)))


def _check_reach(surface: Surface, projection: Projection, directions: Sequence[Points]) -> None:
    """Refuse a plane or cylinder that would have to reach infinitely far."""
    angle = _reach(surface, directions)
    if surface.spherical or angle <= MAX_ANGLE:
        return
    others = "cylinder, sphere or auto" if projection == "plane" else "sphere or auto"
    raise InputError(
        f"projection {projection}: the pictures reach {angle:.0f} degrees from its centre, where it can show"
        f" {MAX_ANGLE:.0f}; take {others}"
    )
