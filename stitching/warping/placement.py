"""Where the target lies on the working canvas: from an estimated warp, or from a warp file."""

from dataclasses import dataclass

import cv2
import numpy as np

from stitching.errors import InputError
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, Size, forward_map, inside, pixel_grid, push_pull, remap
from stitching.io.picture import Picture
from stitching.io.warp_file import WarpField, uncovered_share
from stitching.warping.splat import splat_warp
from stitching.warping.warp import CanvasPair, Warp

MAX_CLOSED_HOLE = 9  # px of the working canvas: a narrower hole is a stretched surface, a wider one a torn one


@dataclass(frozen=True)
class Placement:
    """A backward map of the target, with what is known about it.

    Attributes:
        map_xy: (h, w, 2) float32, working canvas -> full-size target px; a smooth guess where not `trusted`.
        covered: (h, w), where that lies in the target.
        trusted: (h, w), where the warp is known: hidden neither from the reference nor from the target.
        residual: (h, w, 2) float32, working px: canvas pixel -> where the coarsely aligned target has what is shown
            there; NaN where not covered, and everywhere where the warp was loaded from a file.
        scale: working px per canvas px.
    """

    map_xy: Field
    covered: Mask
    trusted: Mask
    residual: Field
    scale: float

    @property
    def residual_in_canvas_px(self) -> Field:
        """(h, w, 2) float32, `residual` in px of the full canvas."""
        return self.residual / np.float32(self.scale)


def place_target(warp: Warp, pair: CanvasPair, coarse_map: Field, target_size: Size, scale: float) -> Placement:
    """Splat a warp onto the canvas, fill what nothing lands on, and follow the coarse map into the target.

    Args:
        warp: of the coarsely aligned target.
        pair: what it was estimated from.
        coarse_map: (h, w, 2) working canvas -> full-size target px, without the residual.
        target_size: (w, h) of the full-size target.
        scale: working px per canvas px.
    """
    splatted = splat_warp(warp.residual, warp.confidence, pair.target_valid)
    residual = push_pull(splatted.residual, splatted.covered.astype(np.float32))
    h, w = splatted.covered.shape
    source = pixel_grid(h, w) + residual  # on the coarsely aligned target
    map_xy = remap(coarse_map, source)
    covered = inside(map_xy, target_size) & (remap(pair.target_valid.astype(np.uint8), source, cv2.INTER_NEAREST) > 0)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (MAX_CLOSED_HOLE, MAX_CLOSED_HOLE))
    closed = cv2.morphologyEx(splatted.covered.astype(np.uint8), cv2.MORPH_CLOSE, kernel) > 0
    residual = np.where(covered[..., None], residual, np.nan).astype(np.float32)
    return Placement(map_xy, covered, closed & covered, residual, scale)


def to_warp_field(placement: Placement, canvas: Canvas, reference_size: Size, target_size: Size) -> WarpField:
    """The placement as a warp file holds it, with the forward map; sizes (w, h) of the full-size pictures."""
    backward = np.where(placement.covered[..., None], placement.map_xy, np.nan).astype(np.float32)
    forward, forward_scale = forward_map(backward, placement.scale, target_size)
    return WarpField(
        backward, placement.trusted, placement.scale, forward, forward_scale, canvas.origin,
        canvas.surface.focal or 0.0, reference_size, target_size, canvas.size, canvas.surface.horizontal_axis,
        uncovered_share(backward, forward, placement.scale),
    )  # fmt: skip


def from_warp_field(warp: WarpField) -> Placement:
    """The placement of a warp that passed `warp_file.check_warp`; it lies on `warp.canvas`."""
    covered = np.isfinite(warp.map[..., 0])
    map_xy = push_pull(np.where(covered[..., None], warp.map, 0), covered.astype(np.float32))
    return Placement(map_xy, covered, warp.trusted & covered, np.full_like(map_xy, np.nan), warp.scale)


def check_sizes(warp: WarpField, reference: Picture, target: Picture) -> None:
    """Raise InputError where a warp was made for pictures of other sizes."""
    for name, size, picture in (("reference", warp.reference_size, reference), ("target", warp.target_size, target)):
        if size != picture.size:
            raise InputError(
                f"the loaded warp is for a {name} of {size[0]} x {size[1]}, {picture.name} has"
                f" {picture.size[0]} x {picture.size[1]}; load a warp of pictures of these sizes, with the same --lens"
            )
