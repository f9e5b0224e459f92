"""Placing the pictures on the working canvas: the estimators' input, and what becomes of their output."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse import Alignment
from stitching.alignment.coarse_warp import CoarseWarp
from stitching.errors import InputError
from stitching.geometry.canvas import Canvas, Surface
from stitching.geometry.pixel_maps import (
    Field,
    Mask,
    Size,
    evaluate_on_grid,
    forward_map,
    inside,
    pixel_grid,
    push_pull,
    remap,
    rescale,
)
from stitching.io.images import Picture, shrink, to_8_bit
from stitching.io.warp_file import WarpField
from stitching.warping.occlusion import hidden_from_target
from stitching.warping.splat import splat
from stitching.warping.warp import AlignedPair, CanvasPair, Warp

CLOSED_HOLES = 9  # px of the working canvas: narrower holes are stretches, not openings


@dataclass(frozen=True)
class Placement:
    """The target's place on the working canvas, as an estimator found it or a file said.

    Attributes:
        places: (h, w, 2) float32, canvas -> full-size target px; a smooth guess where not `trusted`.
        covered: (h, w), where that lies in the target.
        trusted: (h, w), where the target is known to be in its place: not hidden from either picture.
        residual: (h, w, 2) float32, the warp after coarse alignment, working px; NaN where not covered, and
            everywhere where it was loaded from a file.
        scale: working px per canvas px.
    """

    map_xy: Field
    covered: Mask
    trusted: Mask
    residual: Field
    scale: float


def working_scale(canvas: Canvas, megapix: float) -> float:
    """Working px per canvas px for a canvas of at most `megapix`."""
    return min(1.0, float(np.sqrt(megapix * 1e6 / (canvas.size[0] * canvas.size[1]))))


def place_pair(
    reference: Picture, target: Picture, alignment: Alignment, coarse: CoarseWarp, scale: float
) -> tuple[CanvasPair, Field]:
    """Draw both pictures, coarsely aligned, on a working canvas of `scale` px per canvas px.

    Returns:
        What estimators see, and the coarse map (h, w, 2) canvas -> full-size target px.
    """
    size = _size(coarse.canvas, scale)
    map_xy = evaluate_on_grid(coarse, size, scale)
    pixels, valid = draw(target, map_xy, scale)
    reference_places = evaluate_on_grid(coarse.canvas.to_reference, size, scale)
    reference_pixels, reference_valid = draw(reference, reference_places, scale)
    matches = alignment.matches
    points = rescale(coarse.canvas.from_reference(matches.reference), scale)
    target_points = rescale(coarse.inverse(matches.target), scale)
    known = np.isfinite(points).all(axis=1) & np.isfinite(target_points).all(axis=1)
    pair = CanvasPair(reference_pixels, pixels, reference_valid, valid, points[known], target_points[known])
    return pair, map_xy


def place_target(warp: Warp, pair: CanvasPair, coarse: Field, target_size: Size, scale: float) -> Placement:
    """Splat a warp onto the canvas; narrow holes are closed, wide ones keep a guess that is not trusted."""
    splatted = splat(warp.residual, warp.confidence, pair.target_valid)
    residual = push_pull(splatted.residual, splatted.covered.astype(np.float32))
    h, w = splatted.covered.shape
    sources = pixel_grid(h, w) + residual
    map_xy = remap(coarse, sources)
    in_target = remap(pair.target_valid.astype(np.uint8), sources, cv2.INTER_NEAREST) > 0
    covered = inside(map_xy, target_size) & in_target
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CLOSED_HOLES, CLOSED_HOLES))
    closed = cv2.morphologyEx(splatted.covered.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    shown = np.where(covered[..., None], residual, np.nan).astype(np.float32)
    return Placement(map_xy, covered, closed & covered, shown, scale)


def aligned_pair(reference: Picture, target: Picture, canvas: Canvas, placement: Placement) -> AlignedPair:
    """Draw both pictures on the working canvas after the warp: what generators see."""
    pixels, valid = draw(target, placement.map_xy, placement.scale)
    size = placement.covered.shape[1], placement.covered.shape[0]
    reference_places = evaluate_on_grid(canvas.to_reference, size, placement.scale)
    reference_pixels, reference_valid = draw(reference, reference_places, placement.scale)
    valid &= placement.covered
    pixels[~valid] = 0
    hidden = hidden_from_target(placement.map_xy, placement.covered, placement.trusted, placement.scale)
    return AlignedPair(
        reference_pixels, pixels, reference_valid, valid, placement.trusted & valid, hidden & reference_valid
    )


def to_warp_field(placement: Placement, canvas: Canvas, reference_size: Size, target_size: Size) -> WarpField:
    """The placement as a file holds it, with the forward map."""
    backward = np.where(placement.covered[..., None], placement.map_xy, np.nan).astype(np.float32)
    forward, forward_scale = forward_map(backward, placement.scale, target_size)
    return WarpField(
        backward, placement.trusted, placement.scale, forward, forward_scale, canvas.origin,
        canvas.surface.focal or 0.0, reference_size, target_size, canvas.size,
    )  # fmt: skip


def from_warp_field(warp: WarpField, reference: Picture, target: Picture) -> tuple[Canvas, Placement]:
    """Canvas and placement of a loaded warp.

    Raises:
        InputError: it was made for pictures of other sizes.
    """
    for name, size, picture in (
        ("reference", warp.reference_size, reference),
        ("target", warp.target_size, target),
    ):
        if size != picture.size:
            raise InputError(
                f"the loaded warp is for a {name} of {size[0]} x {size[1]}, {picture.name} has"
                f" {picture.size[0]} x {picture.size[1]}; load a warp made from pictures of the same sizes"
            )
    w, h = warp.reference_size
    canvas = Canvas(Surface(warp.focal or None, ((w - 1) / 2, (h - 1) / 2)), warp.origin, warp.canvas_size)
    covered = np.isfinite(warp.map[..., 0])
    map_xy = push_pull(np.where(covered[..., None], warp.map, 0), covered.astype(np.float32))
    return canvas, Placement(map_xy, covered, warp.trusted & covered, np.full_like(map_xy, np.nan), warp.scale)


def _size(canvas: Canvas, scale: float) -> Size:
    return round(canvas.size[0] * scale), round(canvas.size[1] * scale)


def draw(picture: Picture, map_xy: Field, scale: float) -> tuple[NDArray[np.uint8], Mask]:
    """A picture drawn at the working scale where `map_xy` (full-size px) say, and where it has pixels."""
    small = shrink(picture, scale)
    where = rescale(map_xy, small.size[0] / picture.size[0])
    valid = inside(map_xy, picture.size)
    if small.valid is not None:
        valid &= remap(small.valid, where) > 127
    pixels = remap(to_8_bit(small.pixels), where)
    return np.where(valid[..., None], pixels, 0).astype(np.uint8), valid
