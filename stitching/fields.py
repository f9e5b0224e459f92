"""Fields: (h, w, 2) float32 arrays of places or displacements, px, and what is done to them again and again."""

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # (h, w, 2), x then y
Mask = NDArray[np.bool_]  # (h, w)
Pixels = NDArray[np.uint8] | NDArray[np.uint16]  # (h, w, 3) BGR
Points = NDArray[np.float64]  # (..., 2), x then y
Size = tuple[int, int]  # (width, height)

Picture = TypeVar("Picture", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32])
Coordinates = TypeVar("Coordinates", NDArray[np.float32], NDArray[np.float64])

LATTICE = 8  # px between the nodes of a smooth map that is interpolated linearly in between
NOWHERE = -1e5  # px; stands for NaN inside cv2.remap, far outside of every picture


def pixel_grid(height: int, width: int) -> Field:
    """(height, width, 2): every pixel's own coordinates."""
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.stack([x, y], axis=-1)


def rescale(points: Coordinates, scale: float) -> Coordinates:
    """Coordinates after the picture was enlarged `scale` times (pixel centres at .5)."""
    return (points + 0.5) * scale - 0.5


def smooth_map(function: Callable[[Points], Points], size: Size, scale: float, offset: Size = (0, 0)) -> Field:
    """A smooth function of canvas px, drawn on a grid of `scale` px per canvas px.

    Args:
        function: (..., 2) canvas px -> (..., 2) px of some picture.
        size: (w, h) of the result.
        scale: result px per canvas px.
        offset: (x, y) of the result's first pixel on that grid.

    Returns:
        (h, w, 2) float32, exact on a lattice of `LATTICE` px, linear in between.
    """
    w, h = size
    columns, rows = -(-w // LATTICE) + 2, -(-h // LATTICE) + 2  # one node more on each side
    middle = (LATTICE - 1) / 2
    x = (np.arange(columns) - 1) * LATTICE + middle + offset[0]
    y = (np.arange(rows) - 1) * LATTICE + middle + offset[1]
    nodes = np.stack(np.meshgrid(x, y), axis=-1)  # (rows, columns, 2)
    places = np.nan_to_num(function(rescale(nodes, 1 / scale)), nan=NOWHERE).astype(np.float32)
    drawn = cv2.resize(places, (columns * LATTICE, rows * LATTICE), interpolation=cv2.INTER_LINEAR)
    return np.ascontiguousarray(drawn[LATTICE : LATTICE + h, LATTICE : LATTICE + w])


def inside(places: Field, size: Size) -> Mask:
    """(h, w): which (h, w, 2) places lie in a picture of `size`; NaN does not."""
    x, y = places[..., 0], places[..., 1]
    result: Mask = (x >= -0.5) & (y >= -0.5) & (x <= size[0] - 0.5) & (y <= size[1] - 0.5)
    return result


def look_up(picture: Picture, places: Field, interpolation: int = cv2.INTER_LINEAR) -> Picture:
    """Sample a picture or field (h, w[, c]) at (h', w', 2) places; outside, its nearest border pixel."""
    return cv2.remap(picture, places, None, interpolation, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[return-value]


def follow(first: Field, then: Field) -> Field:
    """Displacement of moving by `first` and from there by `then`; both (h, w, 2) px on one grid."""
    h, w = first.shape[:2]
    return first + look_up(then, pixel_grid(h, w) + first)


def round_trip_error(there: Field, back: Field) -> NDArray[np.float32]:
    """(h, w): how far from its start a pixel ends that moves by `there` and then by `back`, px."""
    total = follow(there, back)
    result: NDArray[np.float32] = cv2.magnitude(total[..., 0], total[..., 1])
    return result


def push_pull(field: Field, known: NDArray[np.float32]) -> Field:
    """Fill what is not known smoothly from what is: push-pull interpolation (Gortler et al. 1996, section 3.4).

    Args:
        field: (h, w, 2).
        known: (h, w) weights 0..1; where 1 the field stays as it is.

    Returns:
        (h, w, 2); zeros where nothing at all is known.
    """
    levels = [(field * known[..., None], known)]
    while min(levels[-1][1].shape) > 2:
        values, weights = (cv2.pyrDown(level) for level in levels[-1])
        full = np.minimum(4 * weights, 1)  # a quarter of known pixels is enough to know the coarse one
        rise = full / np.maximum(weights, 1e-6)
        levels.append((values * rise[..., None], full))
    values, weights = levels[-1]
    filled = values / np.maximum(weights, 1e-6)[..., None]
    for values, weights in levels[-2::-1]:
        filled = cv2.resize(filled, weights.shape[::-1], interpolation=cv2.INTER_LINEAR)
        filled = values + (1 - weights)[..., None] * filled
    return filled.astype(np.float32)


def enlarge(field: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Resample a field (values unchanged) to `size`; pixel centres at .5."""
    return cv2.resize(field, size, interpolation=cv2.INTER_LINEAR)  # type: ignore[return-value]


def bounding_box(mask: Mask, margin: int = 0) -> tuple[slice, slice]:
    """Rows and columns that hold all True pixels, and `margin` more on each side; the whole where none is True."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return slice(0, mask.shape[0]), slice(0, mask.shape[1])
    return (
        slice(max(rows[0] - margin, 0), min(rows[-1] + 1 + margin, mask.shape[0])),
        slice(max(columns[0] - margin, 0), min(columns[-1] + 1 + margin, mask.shape[1])),
    )
