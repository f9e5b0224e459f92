"""Relaxing the backward map away from the seam: one picture alone is shown there, and should keep its shapes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.distances import distance_to
from stitching.geometry.pixel_maps import Field, Mask, push_pull, smoothstep
from stitching.warping.base_warp import base_map, target_px_per_working_px
from stitching.warping.flow.flow_warp import texture
from stitching.warping.placement import Placement
from stitching.warping.straight_lines import find_segments
from stitching.warping.warp import AlignedPair

TRANSITION = 0.03  # of the diagonal: so far from the seam the map is the base at the earliest
MAX_SLOPE = 0.05  # px per px, of the transition from the dense map to the base: where they differ more, it is longer
SEAM_BAND = 0.01  # of the diagonal, on the target's side of the seam, where the dense map still holds
MIN_TEXTURE = 0.3  # 0..1, see `texture`: with less the dense map is a guess
SUPPORT_WINDOW = 0.02  # of the diagonal, side of the window around a pixel of the dense map
MIN_SUPPORT = 0.4  # share of that window that is reliable, without which the pixel does not count
MAX_AREA_RATIO = 4.0  # of areas to those of the base warp, either way: beyond, the map counts as torn or folded
SMOOTHING = 0.02  # of the diagonal, side of the windows over which the length of the transition is averaged
FIRST_MARGIN = 0.01  # of the diagonal around a tear or fold, where the dense map is given up; doubles each round
MAX_ROUNDS = 4
STEEPEST = 1.5  # slope of smoothstep in its middle


def relax_map(placement: Placement, pair: AlignedPair, weight: NDArray[np.float32], coarse: Field) -> Field:
    """Pass from the dense backward map at the seam to the base warp where only the target is shown.

    What the dense map differs by at the seam goes on smoothly, and fades. Where it is not trusted there, where a
    picture has no texture, and where it would tear or fold what is shown, the base warp holds at once.

    Args:
        placement: of the target.
        pair: both pictures as they are placed.
        weight: (h, w), share of the reference in the panorama, 0..1.
        coarse: (h, w, 2) canvas -> full-size target px, what the base warp goes to far from the overlap.

    Returns:
        (h, w, 2) canvas -> full-size target px, like `placement.map_xy`, defined everywhere.
    """
    diagonal = float(np.hypot(*weight.shape))
    of_reference = weight >= 0.5
    from_seam = distance_to(of_reference)
    reliable = _reliability(pair)
    to_target = distance_to(~of_reference)
    segments = find_segments(pair.target, pair.target_valid & (to_target < TRANSITION * diagonal))
    base = base_map(placement, coarse, reliable, from_seam + to_target, ~pair.reference_valid, segments)
    unit = target_px_per_working_px(base, placement.covered)
    wanted = _is_supported(reliable) & placement.trusted & (from_seam <= SEAM_BAND * diagonal)
    kept = wanted & _unbroken(placement.map_xy, base, wanted, ~of_reference, unit)
    return base + _fading(placement.map_xy - base, kept, unit)


def _unbroken(dense: Field, base: Field, kept: Mask, shown: Mask, unit: float) -> Mask:
    """(h, w): where the dense map may be kept so that it neither tears nor folds the target, as far as `MAX_ROUNDS` do.

    Found on every second row and column, as it takes long.

    Args:
        dense, base: (h, w, 2) maps.
        kept: (h, w), where the dense map is wanted.
        shown: (h, w), where the panorama shows the target.
        unit: target px per px of the grid.
    """
    size = kept.shape[1], kept.shape[0]
    dense, base, kept, shown = dense[::2, ::2], base[::2, ::2], kept[::2, ::2], shown[::2, ::2]
    if min(kept.shape) < 2:
        return np.ones(size[::-1], bool)
    difference, expected = dense - base, _areas(base)
    allowed = np.ones(kept.shape, bool)
    margin = FIRST_MARGIN * float(np.hypot(*kept.shape))
    for _ in range(MAX_ROUNDS):
        ratio = _areas(base + _fading(difference, kept & allowed, 2 * unit)) / expected
        broken = shown & ((ratio < 1 / MAX_AREA_RATIO) | (ratio > MAX_AREA_RATIO))
        if not broken.any():
            break
        allowed &= distance_to(broken) > margin
        margin *= 2
    return np.asarray(cv2.resize(allowed.view(np.uint8), size, interpolation=cv2.INTER_NEAREST) > 0)


def _fading(difference: Field, kept: Mask, unit: float) -> Field:
    """The difference (h, w, 2) of two maps, continued smoothly from the pixels that are kept, and faded to zero.

    Args:
        difference: target px.
        kept: (h, w), where it does not change.
        unit: target px per px of the grid.
    """
    diagonal = float(np.hypot(*kept.shape))
    continued = push_pull(difference, kept.astype(np.float32))
    size = np.asarray(cv2.magnitude(continued[..., 0], continued[..., 1]), np.float32)
    side = round(SMOOTHING * diagonal) | 1
    size = np.asarray(cv2.blur(cv2.blur(size, (side, side)), (side, side)), np.float32)
    length = np.maximum(TRANSITION * diagonal, STEEPEST / MAX_SLOPE / unit * size)
    t: NDArray[np.float32] = np.minimum(distance_to(kept) / length, 1).astype(np.float32)
    return np.asarray(continued * (1 - smoothstep(t[..., None])), np.float32)


def _areas(map_xy: Field) -> NDArray[np.float32]:
    """(h, w): the area that each pixel of a map (h, w, 2) takes, px^2, never 0; negative where it is folded."""
    dy, dx = (np.asarray(np.gradient(map_xy, axis=axis), np.float32) for axis in (0, 1))
    areas = np.asarray(dx[..., 0] * dy[..., 1] - dx[..., 1] * dy[..., 0], np.float32)
    return np.where(areas == 0, np.float32(1e-9), areas)


def _reliability(pair: AlignedPair) -> NDArray[np.float32]:
    """(h, w) 0..1: the texture that both pictures have where the warp is trusted; 0 outside the overlap."""
    shared = np.minimum(texture(pair.reference), texture(pair.target))
    return np.where(pair.trusted & pair.overlap, shared, 0).astype(np.float32)


def _is_supported(reliable: NDArray[np.float32]) -> Mask:
    """(h, w): where enough of the surroundings is reliable."""
    side = round(SUPPORT_WINDOW * float(np.hypot(*reliable.shape))) | 1
    share = cv2.blur((reliable > MIN_TEXTURE).astype(np.float32), (side, side))
    return np.asarray(share > MIN_SUPPORT)
