"""The picture in the middle of an arrangement: in its view the others are turned and stretched least."""

from collections.abc import Sequence

import numpy as np

from stitching.adjustment.arrangement import Arrangement
from stitching.geometry.homographies import corners, from_homogeneous, to_homogeneous
from stitching.geometry.pixel_maps import Points, Size
from stitching.io.picture import to_8_bit, to_grey
from stitching.io.picture_source import PictureSource

MAX_SIZE_RATIO = 1.6  # to the median length of the pictures' diagonals, in the frame
MAX_BADLY_EXPOSED = 0.25  # share of the pixels that are black or burnt out, beyond that of the best exposed picture
BLACK, WHITE = 4, 251  # grey levels that are black and burnt out, and beyond


def central_picture(arrangement: Arrangement, sources: Sequence[PictureSource]) -> int:
    """The number of the picture with the smallest sum of distances to the others (their medoid).

    The distance of two pictures is that of their corners and centres: angles around a turning camera, else px of the
    frame. A picture that is much more burnt out or black than another, or shows much more or less than they usually
    do, as an enlarged detail does, is not taken. Of equally central pictures the first is taken.

    Args:
        arrangement: where the pictures lie.
        sources: all pictures of the set.
    """
    numbers = sorted(arrangement.to_picture)
    places = np.stack([_places(arrangement, number, sources[number].size) for number in numbers])  # (n, 5, 2 or 3)
    apart = np.linalg.norm(places[:, None] - places[None], axis=-1).mean(axis=2)  # (n, n)
    total = np.nan_to_num(apart.sum(axis=1), nan=np.inf)  # NaN: a corner behind the frame's camera
    exposed = np.array([_well_exposed_share(sources[number]) for number in numbers])
    width = np.nan_to_num(np.linalg.norm(places[:, 0] - places[:, 2], axis=-1), nan=np.inf)  # of the diagonal
    usual = np.abs(np.log(width / np.median(width))) < np.log(MAX_SIZE_RATIO)
    usable = usual & (exposed > exposed[usual].max(initial=0.0) - MAX_BADLY_EXPOSED)
    return numbers[int(np.argmin(np.round(np.where(usable, total, np.inf), 9)))]


def _well_exposed_share(source: PictureSource) -> float:
    """Share 0..1 of the pixels that are neither black nor burnt out."""
    grey = to_grey(to_8_bit(source.copy.pixels, source.copy.levels))
    return float(((grey > BLACK) & (grey < WHITE)).mean())


def _places(arrangement: Arrangement, number: int, size: Size) -> Points:
    """Corners and centre of a picture: (5, 3) directions from a turning camera, or (5, 2) px of the frame."""
    points = corners(size[::-1])
    frame = to_homogeneous(np.vstack([points, points.mean(axis=0)])) @ np.linalg.inv(arrangement.to_picture[number]).T
    if arrangement.focal is None:
        return from_homogeneous(frame)
    side = (frame[:, :2] - frame[:, 2:] * arrangement.centre) / arrangement.focal
    directions = np.column_stack([side, frame[:, 2]])
    return np.asarray(directions / np.linalg.norm(directions, axis=1, keepdims=True))
