"""The classical generator: gain matching, then a graph-cut seam where the pictures differ least."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.gain import match_gain, overall_gain
from stitching.blending.rims import sides, without_islands
from stitching.blending.seam_cost import seam_cost
from stitching.geometry.distances import distance_to
from stitching.geometry.pixel_maps import Mask, resize_field
from stitching.geometry.rectangles import bounding_rectangle
from stitching.warping.warp import AlignedPair

CUT_AREA = 0.06e6  # px: the seam is cut on a copy of the overlap of this size, as the cut takes long
CUT_MARGIN = 8  # px around the overlap
LENGTH_COST = 3.0  # grey levels that each px of a seam costs anywhere, so that it is short
PARALLAX_COST = 30.0  # grey levels for each percent of the diagonal of parallax: beyond the seam it has to be bent away
PARALLAX_WINDOW = 5  # px, over which parallax is averaged
MAX_PARALLAX = 0.04  # of the diagonal: more costs no more
CENTRING = 5.0  # a seam at the rim of the overlap costs 1 + 5 times what it costs midway between the rims


def seam(pair: AlignedPair, compensator: str, overall: NDArray[np.float32] | None = None) -> Blend:
    """Cut the overlap in two along the path of least `seam_cost` and parallax, away from the rims, and match the gain.

    Args:
        pair: the aligned pair; what is hidden from the target is shown by the reference, but beside its rim.
        compensator, overall: see `match_gain`.

    Returns:
        The blend; its weight is 0 or 1, softened only by enlarging the cut to the working size.
    """
    overall = overall_gain(pair, compensator) if overall is None else overall
    matched = np.clip(pair.target * overall, 0, 255).astype(np.float32)
    weight = np.where(pair.reference_valid, 1, 0).astype(np.float32)
    overlap = pair.overlap
    only_target = pair.target_valid & ~pair.reference_valid
    if overlap.any() and (only_target.any() or (pair.kept and pair.kept.target.any())):
        box = bounding_rectangle(overlap, CUT_MARGIN).slices
        cost = seam_cost(pair.reference.astype(np.float32), matched, pair.trusted)
        if pair.parallax is not None:
            cost = cost + _parallax_cost(pair.parallax)
        cost = (cost + LENGTH_COST) * (1 + CENTRING * _distance_from_middle(pair) ** 2)
        reference_side, target_side = sides(pair)
        weight[box] = _cut(cost[box], reference_side[box], target_side[box])
        weight = without_islands(weight, pair)
    return Blend(weight, match_gain(pair, compensator, weight, overall))


def _parallax_cost(parallax: NDArray[np.float32]) -> NDArray[np.float32]:
    """(h, w) grey levels: a seam goes round near things, which have to be bent where it cuts them."""
    share = np.minimum(parallax / np.hypot(*parallax.shape), MAX_PARALLAX)
    return np.asarray(100 * PARALLAX_COST * cv2.blur(share, (PARALLAX_WINDOW, PARALLAX_WINDOW)), np.float32)


def _distance_from_middle(pair: AlignedPair) -> NDArray[np.float32]:
    """(h, w): 0 midway between what only one and what only the other picture shows, 1 where one of these begins."""
    to_reference, to_target = (
        distance_to(alone)
        for alone in (pair.reference_valid & ~pair.target_valid, pair.target_valid & ~pair.reference_valid)
    )
    return np.asarray(np.abs(to_reference - to_target) / np.maximum(to_reference + to_target, 1), np.float32)


def _cut(cost: NDArray[np.float32], reference_valid: Mask, target_valid: Mask) -> NDArray[np.float32]:
    """Weight of the reference (h, w): 1 and 0 on the two sides of the cheapest cut (Kwatra et al. 2003)."""
    h, w = cost.shape
    shrink = min(1.0, float(np.sqrt(CUT_AREA / cost.size)))
    size = max(8, round(w * shrink)), max(8, round(h * shrink))
    # OpenCV charges the difference of the two pictures along the cut: with these two it is our own cost.
    charged = cv2.resize(cost, size, interpolation=cv2.INTER_AREA)
    pictures = [np.zeros((size[1], size[0], 3), np.float32), cv2.merge([charged] * 3)]
    masks = [
        cv2.resize(valid.astype(np.uint8) * 255, size, interpolation=cv2.INTER_NEAREST)
        for valid in (reference_valid, target_valid)
    ]
    finder = cv2.detail.GraphCutSeamFinder("COST_COLOR")
    cut = finder.find(pictures, [(0, 0), (0, 0)], masks)  # type: ignore[arg-type]  # OpenCV's stub knows UMat only
    reference_side = np.asarray(cut[0].get() if isinstance(cut[0], cv2.UMat) else cut[0])
    weight = resize_field((reference_side > 0).astype(np.float32), (w, h))
    return np.where(target_valid, np.where(reference_valid, weight, 0), reference_valid).astype(np.float32)
