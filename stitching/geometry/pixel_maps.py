"""Maps of pixels: (h, w, 2) float32 arrays of positions or displacements, px; sampling, composing, inverting them."""

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]  # (h, w, 2), x then y
Mask = NDArray[np.bool_]  # (h, w)
Grey = NDArray[np.uint8]  # (h, w), a picture or a mask of 0 and 255
Pixels = NDArray[np.uint8] | NDArray[np.uint16]  # (h, w, 3) BGR
Points = NDArray[np.float64]  # (..., 2), x then y
Size = tuple[int, int]  # (width, height)

Raster = TypeVar("Raster", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float32])
Coordinates = TypeVar("Coordinates", NDArray[np.float32], NDArray[np.float64])

GRID_STEP = 8  # px between the nodes at which a smooth function is evaluated
OUTSIDE_ALL = -1e5  # px; far outside of every picture: stands for NaN, which cv2.remap does not take


def pixel_grid(height: int, width: int) -> Field:
    """(height, width, 2): every pixel's own coordinates."""
    grid = np.empty((height, width, 2), np.float32)
    grid[..., 0] = np.arange(width)
    grid[..., 1] = np.arange(height)[:, None]
    return grid


def rescale(points: Coordinates, scale: float | Coordinates) -> Coordinates:
    """Coordinates (..., 2) of points of a picture after it is enlarged `scale` times, or (x, y) times."""
    return (points + 0.5) * scale - 0.5


def smoothstep(t: Coordinates) -> Coordinates:
    """3 t^2 - 2 t^3 of every value 0..1: rises from 0 to 1, without a slope at both ends."""
    return t * t * (3 - 2 * t)


def even_grid(low: Sequence[float] | Points, high: Sequence[float] | Points, count: int = 48) -> Points:
    """(count, count, 2) points spread evenly from `low` to `high`, the (x, y) of two opposite corners."""
    x, y = np.meshgrid(*(np.linspace(start, stop, count) for start, stop in zip(low, high, strict=True)))
    return np.stack([x, y], axis=-1)


def box_outline(low: Sequence[float] | Points, high: Sequence[float] | Points) -> Points:
    """(n, 2) points spread evenly along the border of a box with the corners `low` and `high`, (x, y)."""
    grid = even_grid(low, high)
    return np.concatenate([grid[0], grid[-1], grid[:, 0], grid[:, -1]])


def evaluate_on_grid(function: Callable[[Points], Points], size: Size, scale: float, offset: Size = (0, 0)) -> Field:
    """Evaluate a smooth function of canvas px on a grid of `scale` px per canvas px.

    Args:
        function: (..., 2) canvas px -> (..., 2) px of some picture.
        size: (w, h) of the result.
        scale: result px per canvas px.
        offset: (x, y) of the result's first pixel on that grid.

    Returns:
        (h, w, 2) float32; exact on a lattice of `GRID_STEP` px, interpolated linearly in between; `OUTSIDE_ALL`
        where the function is NaN.
    """
    x, y = (_nodes(start, length, GRID_STEP) for start, length in zip(offset, size, strict=True))
    nodes = np.stack(np.meshgrid(x, y), axis=-1)  # (rows, columns, 2)
    map_xy = np.nan_to_num(function(rescale(nodes, 1 / scale)), nan=OUTSIDE_ALL)
    return _between_nodes(map_xy.astype(np.float32), GRID_STEP, size, offset)


def crop_and_resize(
    field: NDArray[np.float32],
    scale: float,
    size: Size,
    offset: Size = (0, 0),
    lattice: int | None = None,
    field_offset: Size = (0, 0),
) -> NDArray[np.float32]:
    """A part of a field, enlarged. Positions are exact, while `cv2.remap` rounds them to 1/32 px of the field.

    Args:
        field: (h, w[, c]); values do not change; beyond the border they are those of the border.
        scale: field px per result px.
        size, offset: (w, h) and (x, y) of the part, result px.
        lattice: result px between sampled values, linear in between; None = about as dense as the field.
        field_offset: (x, y) of the field's first pixel, where it is a part, too.

    Returns:
        (h', w'[, c]) float32 of `size`.
    """
    lattice = lattice or max(1, round(1 / scale))
    x, y = (_nodes(start, length, lattice) for start, length in zip(offset, size, strict=True))
    x, y = rescale(x, scale) - field_offset[0], rescale(y, scale) - field_offset[1]
    first = min(max(int(x[0]), 0), field.shape[1] - 1)
    rows = _interpolated(field[:, first : int(max(x[-1], 0)) + 2], y, 0)
    return _between_nodes(_interpolated(rows, x - first, 1), lattice, size, offset)


def resize_field(field: NDArray[np.float32], size: Size) -> NDArray[np.float32]:
    """Interpolate a field (h, w[, c]) linearly to `size` (w, h); values are not scaled."""
    return np.asarray(cv2.resize(field, size, interpolation=cv2.INTER_LINEAR), np.float32)


def _nodes(start: int, length: int, lattice: int) -> Points:
    """Centres of the cells of `lattice` px, from the cell before pixel `start` to the cell after the last pixel."""
    cells = np.arange(start // lattice - 1, (start + length - 1) // lattice + 2, dtype=np.float64)
    return cells * lattice + (lattice - 1) / 2


def _between_nodes(values: NDArray[np.float32], lattice: int, size: Size, offset: Size) -> NDArray[np.float32]:
    """Linear interpolation between values (rows, columns[, c]) at the `_nodes` of `size` and `offset`."""
    rows, columns = values.shape[:2]
    dense = resize_field(values, (columns * lattice, rows * lattice))
    left, top = (start % lattice + lattice for start in offset)
    return dense[top : top + size[1], left : left + size[0]]


def _interpolated(values: NDArray[np.float32], at: Points, axis: int) -> NDArray[np.float32]:
    """Linear interpolation at (n,) positions along an axis, which gets the length n; constant beyond the border."""
    last = values.shape[axis] - 1
    at = np.clip(at, 0, last)
    low = at.astype(np.intp)
    share = np.expand_dims((at - low).astype(np.float32), [i for i in range(values.ndim) if i != axis])
    below = values.take(low, axis)
    result: NDArray[np.float32] = values.take(np.minimum(low + 1, last), axis)
    result -= below
    result *= share
    result += below
    return result


def inside(points: Coordinates, size: Size) -> Mask:
    """(...): which (..., 2) points lie in a picture of `size`, its last pixels included; NaN does not."""
    low, high = np.array([-0.5, -0.5]), np.array([size[0] - 0.5, size[1] - 0.5])
    found = cv2.inRange(points.reshape(1, -1, 2), low, high) > 0  # (..., 2) -> (1, n, 2)
    return np.asarray(found).reshape(points.shape[:-1])  # (1, n) -> (...)


def remap(picture: Raster, map_xy: Field, interpolation: int = cv2.INTER_LINEAR) -> Raster:
    """Sample a picture or field (h, w[, c]) at (h', w', 2) points; outside, its nearest border pixel."""
    # OpenCV's stubs do not know that the second map may be missing.
    sampled: Raster = cv2.remap(  # type: ignore[call-overload]
        picture, map_xy, None, interpolation, borderMode=cv2.BORDER_REPLICATE
    )
    return sampled


def compose_flows(first: Field, second: Field) -> Field:
    """Displacement of moving by `first` and from there by `second`; all (h, w, 2) px on one grid."""
    h, w = first.shape[:2]
    return first + remap(second, pixel_grid(h, w) + first)


def forward_backward_error(forward: Field, backward: Field) -> NDArray[np.float32]:
    """(h, w): distance from a pixel to where it ends when it moves by `forward` and then by `backward`, px."""
    total = compose_flows(forward, backward)
    return np.asarray(cv2.magnitude(total[..., 0], total[..., 1]), np.float32)


def push_pull(field: Field, known: NDArray[np.float32]) -> Field:
    """Fill unknown values smoothly from known ones: push-pull interpolation (Gortler et al. 1996, section 3.4).

    Args:
        field: (h, w, 2).
        known: (h, w) weights 0..1; where 1 the field does not change.

    Returns:
        (h, w, 2); zeros if nothing is known.
    """
    levels = [(field * known[..., None], known)]
    while max(levels[-1][1].shape) > 1:
        values, weights = (np.asarray(cv2.pyrDown(level), np.float32) for level in levels[-1])
        saturated = np.minimum(4 * weights, 1)  # a coarse pixel is known where a quarter of its fine pixels are
        gain = saturated / np.maximum(weights, 1e-6)
        levels.append((values * gain[..., None], saturated))
    values, weights = levels[-1]
    filled: Field = np.asarray(values / np.maximum(weights, 1e-6)[..., None], np.float32)
    for values, weights in levels[-2::-1]:
        coarser = resize_field(filled, (weights.shape[1], weights.shape[0]))
        filled = values + (1 - weights)[..., None] * coarser
    return filled


def forward_map(backward: Field, scale: float, target_size: Size) -> tuple[Field, float]:
    """Invert a backward map: for every target pixel its position on the canvas.

    Args:
        backward: (h, w, 2) canvas grid of `scale` px per canvas px -> target px, NaN where not covered.
        scale: px of the grid per canvas px.
        target_size: (w, h), px.

    Returns:
        (h', w', 2) float32, target grid -> canvas px, and the grid's px per target px: at most `scale`, at most 1, and
        so that it has at most four times the px of `backward`, from which no more is known. Target pixels that no
        canvas pixel shows (hidden ones, for example) are filled from their neighbours.
    """
    tw, th = target_size
    grid_scale = min(1.0, scale, math.sqrt(4 * backward[..., 0].size / (tw * th)))
    w, h = max(1, round(tw * grid_scale)), max(1, round(th * grid_scale))
    rows, columns = np.nonzero(np.isfinite(backward[..., 0]))
    points = backward[rows, columns]  # (n, 2) target px
    cells = np.round(rescale(points, grid_scale)).astype(np.int64)
    hit = (cells >= 0).all(axis=1) & (cells[:, 0] < w) & (cells[:, 1] < h)
    cell = cells[hit, 1] * w + cells[hit, 0]
    count = np.bincount(cell, minlength=h * w)
    canvas = rescale(np.stack([columns, rows], axis=-1)[hit].astype(np.float64), 1 / scale)  # (n, 2)
    # Offsets from the enlarged target hardly change from cell to cell, so they can be interpolated, and keep their
    # precision when they become float32.
    zoom = _spread(canvas) / max(_spread(points[hit]), 1e-9) if hit.any() else 1.0
    offset = canvas - zoom * points[hit]
    sums = np.stack([np.bincount(cell, offset[:, axis], h * w) for axis in (0, 1)], axis=-1)
    known = (count > 0).astype(np.float32).reshape(h, w)
    offsets = (sums / np.maximum(count, 1)[:, None]).astype(np.float32)
    enlarged = np.float32(zoom) * rescale(pixel_grid(h, w), 1 / grid_scale)
    return push_pull(offsets.reshape(h, w, 2), known) + enlarged, grid_scale


def _spread(points: Coordinates) -> float:
    """Root of the mean squared distance of (n, 2) points from their centre."""
    return float(np.sqrt(points.var(axis=0, dtype=np.float64).sum()))
