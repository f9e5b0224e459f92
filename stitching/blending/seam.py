"""The classical generator: gain matching, then a graph-cut seam that avoids what does not match."""

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.blending.blend import Blend
from stitching.blending.gain import match_gain
from stitching.geometry.pixel_maps import Mask, bounding_box, enlarge
from stitching.warping.warp import AlignedPair

SEAM_AREA = 0.06e6  # px of overlap at which the seam is cut
EDGE_WEIGHT = 2.0  # of a difference of gradients against one of colours
FLOOR = 3.0  # grey levels that a seam costs anywhere, so that it is short
CENTRING = 5.0  # how much more it costs at the rim of the overlap than in its middle
UNTRUSTED = 60.0  # grey levels added where the target's place is not known


def seam(pair: AlignedPair, compensator: str) -> Blend:
    """Cut the overlap in two along the path where the pictures differ least."""
    gain = match_gain(pair, compensator)
    matched = np.clip(pair.target * gain, 0, 255).astype(np.float32)
    weight = np.where(pair.reference_valid, 1, 0).astype(np.float32)
    overlap = pair.reference_valid & pair.target_valid
    only_target = pair.target_valid & ~pair.reference_valid
    if overlap.any() and only_target.any():
        box = bounding_box(overlap, 8)
        cost = mismatch(pair.reference.astype(np.float32), matched, pair.trusted)
        cost = (cost + FLOOR) * (1 + CENTRING * _off_centre(pair.reference_valid, pair.target_valid) ** 2)
        usable = pair.target_valid & ~pair.hidden
        weight[box] = _cut(cost[box], pair.reference_valid[box], usable[box])
    return Blend(weight, gain)


def mismatch(reference: NDArray[np.float32], target: NDArray[np.float32], trusted: Mask) -> NDArray[np.float32]:
    """(h, w): how visible a seam through a pixel would be, grey levels."""
    colours = cv2.transform(cv2.absdiff(reference, target), np.full((1, 3), 1 / 3, np.float32))
    grey = [cv2.transform(p, np.full((1, 3), 1 / 3, np.float32)) for p in (reference, target)]
    slopes = [cv2.spatialGradient(np.clip(p, 0, 255).astype(np.uint8)) for p in grey]
    edges = sum(np.abs(a.astype(np.float32) - b) for a, b in zip(*slopes, strict=True)) / 8
    cost = cv2.blur(colours + EDGE_WEIGHT * edges, (3, 3))
    return np.asarray(np.where(trusted, cost, cost + UNTRUSTED), np.float32)


def _off_centre(reference_valid: Mask, target_valid: Mask) -> NDArray[np.float32]:
    """(h, w): 0 midway between what only one and what only the other picture shows, 1 where one of them begins."""
    to_reference, to_target = (
        cv2.distanceTransform((~only).astype(np.uint8), cv2.DIST_L2, 5)
        for only in (reference_valid & ~target_valid, target_valid & ~reference_valid)
    )
    return np.asarray(np.abs(to_reference - to_target) / np.maximum(to_reference + to_target, 1), np.float32)


def _cut(cost: NDArray[np.float32], reference_valid: Mask, target_valid: Mask) -> NDArray[np.float32]:
    """Weight of the reference: 1 and 0 on the two sides of the cheapest cut (Kwatra et al. 2003)."""
    h, w = cost.shape
    shrink = min(1.0, float(np.sqrt(SEAM_AREA / cost.size)))
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
    weight = enlarge((reference_side > 0).astype(np.float32), (w, h))
    return np.where(target_valid, np.where(reference_valid, weight, 0), reference_valid).astype(np.float32)
