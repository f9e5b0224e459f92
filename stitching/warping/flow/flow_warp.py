"""From dense flow to a warp, alike for every method of flow: forward-backward check, confidence, extrapolation."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.at_once import at_once
from stitching.geometry.pixel_maps import Field, Mask, forward_backward_error
from stitching.geometry.rectangles import bounding_rectangle
from stitching.io.picture import to_grey
from stitching.warping.flow.beyond_overlap import found_beyond_overlap
from stitching.warping.flow.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.warp import CanvasPair, Warp

MAX_ROUND_TRIP_ERROR = 1.5  # px of forward-backward error up to which a pixel is trusted
FLOW_MARGIN = 32  # px around the overlap in which flow is estimated too: filters look beyond its border
OUTSIDE_CONFIDENCE = 0.9  # of pixels outside the reference's view; below 1: consistent pixels are splatted on top
TEXTURE_WINDOW = 15  # px
FLAT_GRADIENT = 0.5  # grey levels per px: mean gradient of a picture that has nothing to match


@dataclass(frozen=True, eq=False)
class BidirectionalFlow:
    """Flow between two pictures of one size, px.

    Attributes:
        forward: (h, w, 2) from the first picture (here always the target) to the second (the reference).
        backward: (h, w, 2) from the second to the first.
        guessed: (h, w) pixels of the first whose flow was taken from a neighbour; None = nowhere.
    """

    forward: Field
    backward: Field
    guessed: Mask | None = None

    @classmethod
    def of(cls, forward: Callable[[], Field], backward: Callable[[], Field]) -> "BidirectionalFlow":
        """Both computed, at the same time where there are two threads."""
        return cls(*at_once(forward, backward))


FlowMethod = Callable[[CanvasPair], BidirectionalFlow]  # target -> reference and back, of all of the pair


def warp_from_flow(
    pair: CanvasPair,
    method: FlowMethod,
    extrapolation: Extrapolation = extrapolate_fading,
    beyond: Mask | None = None,
) -> Warp:
    """The warp that a method of dense flow gives.

    Pixels of the overlap that the flow does not bring back to where they began (Sundaram et al. 2010) are occluded or
    wrong; they and what is not searched get their residual by extrapolation, in which textured pixels count more than
    flat ones.

    Args:
        pair: what to warp.
        method: estimates the flow target -> reference and back; it gets the overlap and `FLOW_MARGIN` around it, and
            is not called where nothing overlaps.
        extrapolation: fills pixels without a consistent flow.
        beyond: (h, w), outside the overlap, where near things are looked for that both pictures show.

    Returns:
        The warp; its confidence is 1 at consistent pixels of the overlap that are not guessed and at what is found
        beyond it, 0 at the other pixels of the overlap.
    """
    part = bounding_rectangle(pair.overlap, FLOW_MARGIN)
    if beyond is not None and beyond.any():
        part = part.joined(bounding_rectangle(beyond))
    residual = np.zeros((*pair.target_valid.shape, 2), np.float32)
    consistent, guessed = np.zeros((2, *pair.target_valid.shape), bool)
    if pair.overlap.any():
        flow = method(pair.crop(part))
        residual[part.slices] = flow.forward
        consistent[part.slices] = forward_backward_error(flow.forward, flow.backward) < MAX_ROUND_TRIP_ERROR
        if flow.guessed is not None:
            guessed[part.slices] = flow.guessed
    known, detail = consistent & pair.overlap, texture(pair.target)
    warped = extrapolation(residual, known * detail, pair.overlap)
    # What is around near things beyond the overlap is not moved with them: it lies far behind.
    sure = consistent & ~guessed
    near = found_beyond_overlap(pair, residual, sure, detail)
    warped, known = np.where(near[..., None], residual, warped), known & sure | near
    return Warp(warped, np.where(pair.overlap | known, known, OUTSIDE_CONFIDENCE).astype(np.float32))


def texture(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(h, w) 0..1: how much a pixel's neighbourhood has to match; a clear sky has nothing."""
    dx, dy = (slope.astype(np.float32) / 8 for slope in cv2.spatialGradient(to_grey(picture)))
    energy = cv2.blur(dx * dx + dy * dy, (TEXTURE_WINDOW, TEXTURE_WINDOW))
    result: NDArray[np.float32] = energy / (energy + FLAT_GRADIENT**2)
    return result
