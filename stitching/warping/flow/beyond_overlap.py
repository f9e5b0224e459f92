"""Near things that both pictures show, although the coarse alignment puts them outside the overlap: they move far."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.local_correlation import local_correlation
from stitching.geometry.pixel_maps import Field, Mask, inside, pixel_grid, remap
from stitching.io.picture import to_grey
from stitching.warping.flow.dense_inverse_search import nearest_match_flow
from stitching.warping.warp import CanvasPair

WINDOW = 9  # px, over which the pictures are compared
MIN_CORRELATION = 0.7  # with less, what came back to its place came back by chance
MIN_TEXTURE = 0.3  # 0..1, see `flow_warp.texture`
MIN_OVERLAP = 0.25  # of the target: with less, a larger search finds more that is wrong than near things


def led_into_reference(pair: CanvasPair) -> Mask:
    """(h, w): pixels outside the overlap that would lie in the other picture if they moved like the nearest match.

    Pixels of the target that would lie in the reference, and pixels of the reference that would lie in the target; none
    where the pictures share little.
    """
    if pair.overlap.sum() < MIN_OVERLAP * pair.target_valid.sum():
        return np.zeros_like(pair.overlap)
    sides = (pair.target_points, pair.target_valid), (pair.reference_points, pair.reference_valid)
    led = np.zeros_like(pair.overlap)
    for (start, valid), (end, end_valid) in (sides, sides[::-1]):
        move = nearest_match_flow(start, end, (valid.shape[0], valid.shape[1]))
        if move is not None:
            led |= valid & ~pair.overlap & lands(move, end_valid)
    return led


def found_beyond_overlap(pair: CanvasPair, residual: Field, consistent: Mask, texture: NDArray[np.float32]) -> Mask:
    """(h, w): target pixels outside the overlap that the reference is taken to show.

    They have texture, are forward-backward consistent, and look like the place of the reference that they move to.

    Args:
        pair: the pictures.
        residual: (h, w, 2) px, of the target.
        consistent: (h, w), whether the flow back leads to where it began.
        texture: (h, w) 0..1, of the target.
    """
    candidates = consistent & pair.target_valid & ~pair.overlap & lands(residual, pair.reference_valid)
    candidates &= texture > MIN_TEXTURE
    if not candidates.any():
        return candidates
    places = pixel_grid(*candidates.shape) + residual
    there = remap(to_grey(pair.reference), places).astype(np.float32)
    return candidates & (local_correlation(to_grey(pair.target).astype(np.float32), there, WINDOW) > MIN_CORRELATION)


def lands(residual: Field, valid: Mask) -> Mask:
    """(h, w): which pixels a residual (h, w, 2) moves to where a picture is valid."""
    places = pixel_grid(*valid.shape) + residual
    return inside(places, valid.shape[::-1]) & (remap(valid.astype(np.uint8), places, cv2.INTER_NEAREST) > 0)
