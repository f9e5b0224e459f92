"""Samples of every recipe, and the geometry that tests check them with."""

from dataclasses import replace
from functools import cache

import numpy as np
from worlds import CPU, gentle_bank

from datasets.options import SCENES, SampleOptions
from datasets.sample import Visibility
from datasets.sample_renderer import SampleRenderer

SIZE = (160, 120)
OPTIONS = SampleOptions(size=SIZE, photometry=False, geometry=True)
CAP = 4 * np.hypot(*SIZE) * 0.999  # px; warps are clipped there
AROUND = np.ones((3, 3), np.uint8)


@cache
def three_of_every_recipe():
    """Rendered once; do not change them."""
    renderers = [SampleRenderer(replace(OPTIONS, scenes=(name,)), 7, CPU, gentle_bank()) for name in SCENES]
    return [make(index) for make in renderers for index in range(3)]


def pixel_grid(view):
    """(h, w, 2) px."""
    height, width = view.mask.shape
    return np.stack(np.meshgrid(np.arange(width), np.arange(height)), 2).astype(float)


def at(field, points):
    """(..., c) bilinear values of a field (h, w, c) at points (..., 2), in double precision."""
    field = field.reshape(*field.shape[:2], -1).astype(float)
    left, top = (np.clip(np.floor(points[..., k]).astype(int), 0, field.shape[1 - k] - 2) for k in (0, 1))
    x, y = points[..., :1] - left[..., None], points[..., 1:] - top[..., None]
    upper = (1 - x) * field[top, left] + x * field[top, left + 1]
    lower = (1 - x) * field[top + 1, left] + x * field[top + 1, left + 1]
    return (1 - y) * upper + y * lower


def nearest(field, points):
    """Values of a field (h, w, ...) at the pixels nearest to points (..., 2)."""
    x, y = (np.clip(np.rint(points[..., k]).astype(int), 0, field.shape[1 - k] - 1) for k in (0, 1))
    return field[y, x]


def cameras_of(sample, backwards=False):
    """(K, K of the other, R, t) from the facts: x_other = R x + t; target to reference, or backwards."""
    known = {name: np.array(value) for name, value in sample.facts["cameras"].items()}
    rotation, translation = known["rotation"], known["translation"]
    if backwards:
        return known["reference"], known["target"], rotation.T, -rotation.T @ translation
    return known["target"], known["reference"], rotation, translation


def reprojected(pixels, depth, own, other, rotation, translation):
    """Pixels (..., 2) at depths (...), also infinite, in the other camera's picture; and its depth over the own one."""
    rays = np.concatenate([pixels, np.ones_like(pixels[..., :1])], -1) @ np.linalg.inv(own).T
    points = rays @ rotation.T + translation / depth[..., None]
    on_film = points @ other.T
    return on_film[..., :2] / on_film[..., 2:], points[..., 2]


def known_warp(view):
    """Pixels in front of the other camera whose warp is not clipped."""
    return (view.mask != Visibility.BEHIND) & (np.abs(view.warp) < CAP).all(2)
