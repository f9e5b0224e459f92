"""The classical warp: dense candidates, the best for every pixel, checked both ways, extended smoothly."""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Box, Field, bounding_box, forward_backward_error
from stitching.io.picture import to_grey
from stitching.warping.dense_inverse_search import dense_inverse_search, nearest_match_flow, select_best, sharpen
from stitching.warping.extrapolate import Extension, fading, planar
from stitching.warping.semi_global import epipolar_flow
from stitching.warping.warp import CanvasPair, Warp

CONSISTENT = 1.5  # px of round-trip error up to which a pixel is trusted
MARGIN = 32  # px around the overlap in which flow is estimated
OUTSIDE_CONFIDENCE = 0.9  # of pixels that the reference cannot see: they give way to those that it does see
TEXTURE_WINDOW = 15  # px
FLAT = 0.5  # grey levels per px: slopes of a picture that has nothing to match
EPIPOLAR_AREA = 0.2e6  # px, the size at which semi-global matching works
NEAR = 12.0  # px around a flow that is nearly right
GAINS = 0.3, 3.0  # least and largest factor that makes the target as bright as the reference

FlowPair = tuple[Field, Field]  # target -> reference and reference -> target, (h, w, 2) px


def classical(pair: CanvasPair) -> Warp:
    """Estimate the warp without learning.

    Candidates are dense inverse search from nothing, the same seeded by sparse matches, and semi-global
    matching along epipolar lines, both ways; the best of them at every pixel goes on to `warp_of_flows`.
    """
    return warp_of_flows(pair, classical_flows)


def classical_on_plane(pair: CanvasPair) -> Warp:
    """The classical warp on a canvas that is the reference's plane everywhere, extended as `planar` does it.

    Truer there than `classical`; on a canvas that leaves the plane beside the reference, as panoramas have, that
    keeps straight what this bends.
    """
    return warp_of_flows(pair, classical_flows, planar)


def warp_of_flows(
    pair: CanvasPair, flows: Callable[[CanvasPair, Box], FlowPair], extension: Extension = fading
) -> Warp:
    """The warp that a method of dense flow gives.

    Pixels of the overlap that do not find their way back are hidden, or wrong: they take their warp from their
    neighbours.

    Args:
        pair: what to warp.
        flows: gives the flows target -> reference and reference -> target, (h, w, 2) px, inside a box of the
            canvas; it is not called where nothing overlaps.
        extension: fills the rest.
    """
    box = bounding_box(pair.overlap, MARGIN)
    residual = np.zeros((*pair.target_valid.shape, 2), np.float32)
    trusted = np.zeros(pair.target_valid.shape, bool)
    if pair.overlap.any():
        there, back = flows(pair, box)
        residual[box], trusted[box] = there, forward_backward_error(there, back) < CONSISTENT
    known = trusted & pair.overlap
    weight = known * _texture(pair.target)
    confidence = np.where(pair.overlap, known, OUTSIDE_CONFIDENCE).astype(np.float32)
    return Warp(extension(residual, weight, pair.overlap), confidence)


def classical_flows(pair: CanvasPair, box: Box, near: FlowPair | None = None) -> FlowPair:
    """Flows inside the box: the best of `classical`'s candidates, and of searches from and around flows `near` them."""
    reference, target = fill_outside(pair, box)
    reference_grey, target_grey = to_grey(reference), to_grey(target)
    offset = np.array([box[1].start, box[0].start], np.float64)
    reference_points, target_points = pair.reference_points - offset, pair.target_points - offset
    there = [dense_inverse_search(target_grey, reference_grey)]
    back = [dense_inverse_search(reference_grey, target_grey)]
    shape = target_grey.shape[0], target_grey.shape[1]
    sparse = (
        nearest_match_flow(target_points, reference_points, shape),
        nearest_match_flow(reference_points, target_points, shape),
    )
    for start, back_start in (sparse, near or (None, None)):
        if start is not None and back_start is not None:
            there.append(dense_inverse_search(target_grey, reference_grey, start))
            back.append(dense_inverse_search(reference_grey, target_grey, back_start))
    if near is not None:
        there.append(sharpen(target_grey, reference_grey, near[0], NEAR))
        back.append(sharpen(reference_grey, target_grey, near[1], NEAR))
    scale = min(1.0, float(np.sqrt(EPIPOLAR_AREA / max(pair.overlap.sum(), 1))))
    both = epipolar_flow(target_grey, reference_grey, pair.overlap[box], target_points, reference_points, scale)
    if both is not None:
        there.append(both[0])
        back.append(both[1])
    flow = sharpen(target_grey, reference_grey, select_best(target, reference, there, back))
    back_flow = sharpen(reference_grey, target_grey, select_best(reference, target, back, there))
    return flow, back_flow


def fill_outside(pair: CanvasPair, box: Box) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Both pictures cropped, the target as bright as the reference, each filled where it sees nothing.

    The filling is the other picture: a border of nothing would pull the flow along it.
    """
    overlap = pair.overlap[box]
    reference, target = pair.reference[box].copy(), pair.target[box]
    means = [np.asarray(cv2.mean(p, overlap.astype(np.uint8))[:3]) for p in (reference, target)]
    gain = np.clip(means[0] / np.maximum(means[1], 1), *GAINS)
    target = np.clip(target * gain.astype(np.float32), 0, 255).astype(np.uint8)
    only_target = ~pair.reference_valid[box] & pair.target_valid[box]
    only_reference = ~pair.target_valid[box] & pair.reference_valid[box]
    reference[only_target] = target[only_target]
    target[only_reference] = reference[only_reference]
    return reference, target


def _texture(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) 0..1: how far a pixel's neighbourhood has anything to match; clear sky has not."""
    dx, dy = (slope.astype(np.float32) / 8 for slope in cv2.spatialGradient(to_grey(picture)))
    energy = cv2.blur(dx * dx + dy * dy, (TEXTURE_WINDOW, TEXTURE_WINDOW))
    result: NDArray[np.float32] = energy / (energy + FLAT**2)
    return result
