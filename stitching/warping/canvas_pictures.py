"""Both pictures drawn on the working canvas: before the warp for estimators, after it for generators."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from stitching.alignment.coarse_alignment import Alignment
from stitching.alignment.coarse_warp import CoarseWarp
from stitching.geometry.canvas import Canvas
from stitching.geometry.pixel_maps import Field, Mask, evaluate_on_grid, rescale
from stitching.io.picture import Picture, shrink, to_8_bit
from stitching.io.picture_sampling import magnification, sample
from stitching.warping.occlusion import hidden_from_target
from stitching.warping.placement import Placement
from stitching.warping.shown_elsewhere import shown_elsewhere
from stitching.warping.warp import AlignedPair, CanvasPair


def draw_canvas_pair(
    reference: Picture, target: Picture, alignment: Alignment, coarse: CoarseWarp, scale: float
) -> tuple[CanvasPair, Field]:
    """Draw both pictures, coarsely aligned, on a working canvas of `scale` px per canvas px.

    Returns:
        What estimators get, and the coarse map (h, w, 2) working canvas -> full-size target px.
    """
    width, height = coarse.canvas.size
    coarse_map = evaluate_on_grid(coarse, (round(width * scale), round(height * scale)), scale)
    drawn_reference = _draw_reference(reference, coarse.canvas, coarse_map, scale)
    drawn_target = draw(target, coarse_map, scale)
    matches = alignment.matches
    reference_points = rescale(coarse.canvas.from_reference(matches.reference), scale)
    target_points = rescale(coarse.inverse(matches.target), scale)
    known = np.isfinite(reference_points).all(axis=1) & np.isfinite(target_points).all(axis=1)
    pair = CanvasPair(
        drawn_reference[0], drawn_target[0], drawn_reference[1], drawn_target[1],
        reference_points[known], target_points[known],
    )  # fmt: skip
    return pair, coarse_map


def draw_aligned_pair(
    reference: Picture, target: Picture, canvas: Canvas, placement: Placement, drawn: CanvasPair | None = None
) -> AlignedPair:
    """Draw both pictures on the working canvas, the target where a placement puts it, but no part of it twice.

    Args:
        reference, target: at full size.
        canvas: that the placement lies on.
        placement: of the target.
        drawn: the pair before the warp, whose reference is the same; None: the reference is drawn here.
    """
    if drawn is None:
        reference_pixels, reference_valid = _draw_reference(reference, canvas, placement.map_xy, placement.scale)
    else:
        reference_pixels, reference_valid = drawn.reference, drawn.reference_valid
    return align_drawn(reference_pixels, reference_valid, *draw(target, placement.map_xy, placement.scale), placement)


def align_drawn(
    reference: NDArray[np.uint8],
    reference_valid: Mask,
    target: NDArray[np.uint8],
    in_target: Mask,
    placement: Placement,
) -> AlignedPair:
    """Two pictures that are drawn on the working canvas, as an aligned pair that shows no part of the target twice.

    Args:
        reference, target: (h, w, 3) BGR; the target is drawn where the placement puts it, and is changed.
        reference_valid, in_target: (h, w), where each has pixels.
        placement: of the target.
    """
    again = shown_elsewhere(placement.map_xy, placement.covered, placement.trusted)
    target_valid = in_target & placement.covered & ~(again & reference_valid)
    target[~target_valid] = 0
    hidden = hidden_from_target(placement.map_xy, placement.covered, placement.trusted, placement.scale)
    return AlignedPair(
        reference, target, reference_valid, target_valid, placement.trusted & target_valid, hidden & reference_valid,
    )  # fmt: skip


def draw(picture: Picture, map_xy: Field, scale: float) -> tuple[NDArray[np.uint8], Mask]:
    """Draw a picture on a grid of `scale` px per full-size px; it is shrunk first, so that it does not alias.

    Args:
        picture: at full size.
        map_xy: (h, w, 2) grid -> full-size picture px.
        scale: 0..1.

    Returns:
        (h, w, 3) uint8 BGR, black where the picture has no pixels, and (h, w) where it has.
    """
    small = shrink(picture, scale / magnification(map_xy, picture.size, scale))
    pixels, valid = sample(replace(small, pixels=to_8_bit(small.pixels, small.levels)), picture.to_photograph(map_xy))
    return np.where(valid[..., None], pixels, 0).astype(np.uint8), valid


def _draw_reference(reference: Picture, canvas: Canvas, grid: Field, scale: float) -> tuple[NDArray[np.uint8], Mask]:
    """Draw the reference on a working canvas as large as `grid` (h, w, 2)."""
    height, width = grid.shape[:2]
    return draw(reference, evaluate_on_grid(canvas.to_reference, (width, height), scale), scale)
