"""The picture in the middle of an arrangement: in its view the others are turned and stretched least."""

from collections.abc import Mapping

import numpy as np

from stitching.adjustment.arrangement import Arrangement
from stitching.geometry.homographies import from_homogeneous, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size


def central_picture(arrangement: Arrangement, sizes: Mapping[int, Size]) -> int:
    """The number of the picture with the smallest sum of distances to the others (their medoid).

    The distance of two pictures is that of their corners and centres: angles around a turning camera, else px of the
    frame. Of equally central pictures the first is taken.

    Args:
        arrangement: where the pictures lie.
        sizes: number of a picture -> its (w, h), px.
    """
    numbers = sorted(arrangement.to_picture)
    places = np.stack([_places(arrangement, number, sizes[number]) for number in numbers])  # (n, 5, 2 or 3)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1).mean(axis=2)  # (n, n)
    total = np.nan_to_num(apart.sum(axis=1), nan=np.inf)  # NaN: a corner behind the frame's camera
    return numbers[int(np.argmin(np.round(total, 9)))]


def _places(arrangement: Arrangement, number: int, size: Size) -> Points:
    """Corners and centre of a picture: (5, 3) directions from a turning camera, or (5, 2) px of the frame."""
    w, h = size[0] - 1, size[1] - 1
    points = np.array([[0, 0], [w, 0], [w, h], [0, h], [w / 2, h / 2]], np.float64)
    frame = to_homogeneous(points) @ np.linalg.inv(arrangement.to_picture[number]).T
    if arrangement.focal is None:
        return from_homogeneous(frame)
    side = (frame[:, :2] - frame[:, 2:] * arrangement.centre) / arrangement.focal
    directions = np.column_stack([side, frame[:, 2]])
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))
