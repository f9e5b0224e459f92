"""Outlines of cut-out layers, as signed distances: blobs, polygons, leaves, branches, fences, frames."""

from collections.abc import Callable

import cv2
import numpy as np
import torch
from torch import Tensor

from datasets.arrays import Doubles, Pixels

SIDE = 256  # texels of a map of distances
COUNT = 192  # outlines
_MARGIN = 6  # texels at the sides that no outline touches
_MAX_DISTANCE = 32.0  # texels; further away the distance stays the same
_SHIFT = 4  # fractional bits of the coordinates that are drawn

_Draw = Callable[[np.random.Generator], Pixels]


def draw_outlines(seed: int = 0) -> Tensor:
    """(COUNT, 1, SIDE, SIDE) float16 distance to the outline, texels, positive inside; all that is drawn is in turn."""
    rng = np.random.default_rng(seed)
    return torch.stack([_distances(_KINDS[number % len(_KINDS)](rng)) for number in range(COUNT)])[:, None]


def _distances(shape: Pixels) -> Tensor:
    """Signed distances to the outline of a mask (SIDE, SIDE) of 0 and 255."""
    border = np.ones(shape.shape, bool)
    border[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN] = False
    shape[border] = 0
    inside, outside = (cv2.distanceTransform(mask, cv2.DIST_L2, 5) for mask in (shape, 255 - shape))
    signed = np.where(shape > 0, inside - 0.5, 0.5 - outside).clip(-_MAX_DISTANCE, _MAX_DISTANCE)
    return torch.from_numpy(signed.astype(np.float16))


def _empty() -> Pixels:
    return np.zeros((SIDE, SIDE), np.uint8)


def _fill(shape: Pixels, points: Doubles, value: int = 255) -> Pixels:
    fixed = np.rint(points * (1 << _SHIFT)).astype(np.int32)  # (n, 2)
    cv2.fillPoly(shape, [fixed], value, shift=_SHIFT)
    return shape


def _line(shape: Pixels, start: Doubles, end: Doubles, thickness: float) -> None:
    along = (end - start) / max(float(np.hypot(*(end - start))), 1e-6)
    across = np.array([-along[1], along[0]]) * thickness / 2
    _fill(shape, np.stack([start + across, end + across, end - across, start - across]))


def _around(radii: Doubles, centre: Doubles) -> Doubles:
    """(n, 2) points around a centre at even angles."""
    angles = np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.asarray(centre + radii[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=1))


def _blob_outline(rng: np.random.Generator, radius: float, centre: Doubles) -> Doubles:
    """A smooth closed curve: a circle with a few waves."""
    angles = np.linspace(0, 2 * np.pi, 180, endpoint=False)
    waves = np.arange(2, 8)
    heights = rng.normal(0, 0.5, len(waves)) / waves
    radii = radius * np.exp((heights[:, None] * np.cos(waves[:, None] * angles + rng.uniform(0, 7, (6, 1)))).sum(0))
    return _around(np.minimum(radii, 1.6 * radius), centre)


def _blob(rng: np.random.Generator) -> Pixels:
    return _fill(_empty(), _blob_outline(rng, SIDE * rng.uniform(0.2, 0.35), _middle()))


def _polygon(rng: np.random.Generator) -> Pixels:
    """Corners at random radii: from a triangle to a star."""
    return _fill(_empty(), _around(SIDE * rng.uniform(0.15, 0.48, rng.integers(3, 10)), _middle()))


def _rectangle(rng: np.random.Generator) -> Pixels:
    half = SIDE * np.array([rng.uniform(0.15, 0.46), rng.uniform(0.15, 0.46)])
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * half
    return _fill(_empty(), _middle() + corners)


def _leaves(rng: np.random.Generator) -> Pixels:
    """Many small blobs, crowded in the middle."""
    shape = _empty()
    for _ in range(rng.integers(15, 90)):
        centre = _middle() + rng.normal(0, SIDE * 0.17, 2)
        _fill(shape, _blob_outline(rng, SIDE * rng.uniform(0.01, 0.06), centre))
    return shape


def _branches(rng: np.random.Generator) -> Pixels:
    """A tree of ever thinner twigs from one side."""
    shape = _empty()

    def grow(start: Doubles, angle: float, length: float, thickness: float) -> None:
        for _ in range(4):  # a bent twig
            angle += rng.normal(0, 0.15)
            end = start + length / 4 * np.array([np.cos(angle), np.sin(angle)])
            _line(shape, start, end, thickness)
            start = end
        if thickness > 2.5:
            for side in (-1, 1, 1)[: rng.integers(2, 4)]:
                turn = side * rng.uniform(0.2, 0.9)
                grow(start, angle + turn, length * rng.uniform(0.5, 0.9), thickness * rng.uniform(0.5, 0.75))

    grow(np.array([SIDE / 2, SIDE * 0.97]), -np.pi / 2, SIDE * rng.uniform(0.25, 0.4), rng.uniform(5, 14))
    return shape


def _fence(rng: np.random.Generator) -> Pixels:
    """Bars side by side, sometimes with rails across."""
    shape = _empty()
    pitch = SIDE * rng.uniform(0.06, 0.3)
    thickness = float(np.clip(pitch * rng.uniform(0.1, 0.45), 3, 20))
    for x in np.arange(rng.uniform(0, pitch), SIDE, pitch):
        _line(shape, np.array([x, 0]), np.array([x, SIDE]), thickness)
    for y in rng.uniform(0.05, 0.95, rng.integers(0, 4)) * SIDE:
        _line(shape, np.array([0, y]), np.array([SIDE, y]), thickness * rng.uniform(0.7, 1.5))
    return shape


def _poles(rng: np.random.Generator) -> Pixels:
    """One to three long bars in any directions."""
    shape = _empty()
    for _ in range(rng.integers(1, 4)):
        start, end = rng.uniform(0.03, 0.97, (2, 2)) * SIDE
        _line(shape, start, end, SIDE * rng.uniform(0.012, 0.08))
    return shape


def _frame(rng: np.random.Generator) -> Pixels:
    """A blob, polygon or rectangle with a hole."""
    shape = (_blob, _polygon, _rectangle)[rng.integers(3)](rng)
    inside = cv2.distanceTransform(shape, cv2.DIST_L2, 5)
    shape[inside > inside.max() * rng.uniform(0.2, 0.6)] = 0
    return shape


def _middle() -> Doubles:
    return np.full(2, SIDE / 2)


_KINDS: tuple[_Draw, ...] = (_blob, _polygon, _leaves, _branches, _blob, _fence, _rectangle, _poles, _frame)
