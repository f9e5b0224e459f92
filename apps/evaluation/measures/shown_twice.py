"""How much of the target a panorama shows twice, by the true places of its pixels; see docs/evaluate.md."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from apps.evaluation.measures.photographed_warp import STANDARD_WIDTH
from apps.evaluation.true_places import TrueMap
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, inside, pixel_grid, remap, rescale

_FAR = 3.0  # px of a picture scaled to `STANDARD_WIDTH`: what is shown farther from its true place is not at it
_SPECK = np.ones((3, 3), np.uint8)  # map px; narrower parts come from rounding at the edges of things


@dataclass(frozen=True, eq=False)
class ShownTarget:
    """What a panorama shows of the target.

    Attributes:
        map_xy: (h, w, 2) float32, canvas -> target px, as it was drawn; outside the target any value, or NaN.
        weight: (h, w) float32, share of the reference in the panorama, 0..1.
        canvas: what the panorama shows, before any crop.
        scale: px of the two arrays per canvas px.
    """

    map_xy: Field
    weight: NDArray[np.float32]
    canvas: Canvas
    scale: float


def shown_twice(shown: ShownTarget, truth: TrueMap, reference_width: int) -> float | None:
    """Share of the target on the canvas that is shown away from its true place, and there again; None = no target.

    Only what the reference shows has a true place. There again: the panorama shows the reference there, or the same
    point of the target.
    """
    h, w = shown.weight.shape
    on_canvas = inside(shown.map_xy, truth.target_size)
    if not on_canvas.any():
        return None
    last = np.array(truth.target_size) - 1
    nearest = np.rint(np.where(on_canvas[..., None], shown.map_xy, 0)).clip(0, last).astype(np.intp)
    columns, rows = np.moveaxis(nearest, -1, 0)  # (h, w) each
    from_target = on_canvas & (shown.weight < 0.5) & truth.visible[rows, columns]
    true_place = rescale(shown.canvas.from_reference(truth.map_xy[rows, columns].astype(np.float64)), shown.scale)
    away = np.linalg.norm(true_place - pixel_grid(h, w), axis=-1) > _limit(reference_width) * shown.scale
    place = np.nan_to_num(true_place, nan=-1).astype(np.float32)
    by_reference = remap(shown.weight, place, cv2.INTER_NEAREST) >= 0.5
    by_target = np.linalg.norm(remap(shown.map_xy, place) - shown.map_xy, axis=-1) <= _limit(truth.target_size[0])
    twice = from_target & away & inside(place, (w, h)) & (by_reference | by_target)
    twice = cv2.morphologyEx(twice.astype(np.uint8), cv2.MORPH_OPEN, _SPECK) > 0
    return float(twice.sum() / on_canvas.sum())


def _limit(width: int) -> float:
    """`_FAR`, px of a picture of `width`."""
    return _FAR * width / STANDARD_WIDTH
