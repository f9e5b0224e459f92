"""The warp with our trained network: what it matches is searched from, what it extends lies beside the overlap."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import Box, Field, Mask, bounding_box, push_pull
from stitching.network.runtime.onnx_runtime import Runner
from stitching.network.runtime.window import MARGIN, SURE, NetworkWindow
from stitching.warping.classical import classical_flow
from stitching.warping.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.flow_warp import OUTSIDE_CONFIDENCE, BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, Estimator, Warp, forward_backward_consistent


@dataclass(frozen=True)
class NetworkEstimator:
    """The classical warp, with a dense inverse search from the network's matches among its candidates.

    The network finds large moves where sparse features fail, to a few pixels; the search makes them exact, and the
    pictures decide at every pixel which candidate is right.
    """

    runner: Runner
    extrapolation: Extrapolation = extrapolate_fading

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""

        def flows(pair: CanvasPair, box: Box) -> BidirectionalFlow:
            return classical_flow(pair, box, matched_flows(self.runner, pair, box))

        return warp_from_flow(pair, flows, self.extrapolation)


@dataclass(frozen=True)
class ExtendingEstimator:
    """PWM extends another estimator's warp on the reference's plane, where it was trained.

    What that warp is sure of stays, the network moves the rest: what is hidden, and what the reference does not show.
    """

    runner: Runner
    begun: Estimator

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""
        begun = self.begun(pair)
        trusted = forward_backward_consistent(begun, pair)
        box = bounding_box(pair.target_valid, MARGIN)
        window = NetworkWindow.of(pair, box)
        inputs = window.pictures | window.start(begun.residual[box], trusted[box])
        found = self.runner(("free", "confidence"), inputs)
        residual, visible = begun.residual.copy(), np.zeros(pair.target_valid.shape, np.float32)
        residual[box] = kept(begun.residual[box], trusted[box], window.enlarged(found["free"]) / window.scale)
        visible[box] = window.enlarged(found["confidence"])[..., 0]
        confidence = np.where(pair.overlap, np.maximum(visible, trusted), OUTSIDE_CONFIDENCE).astype(np.float32)
        return Warp(residual, confidence)


def matched_flows(runner: Runner, pair: CanvasPair, box: Box) -> BidirectionalFlow:
    """Flows target -> reference and back inside a box of the canvas, (h, w, 2) px, from the network's matches alone."""
    window = NetworkWindow.of(pair, box)
    names = ("matches", "match_confidence"), ("back_matches", "back_confidence")
    found = runner([name for both in names for name in both], window.pictures)
    there, back = (_spread(found[moves], found[sure]) for moves, sure in names)
    return BidirectionalFlow(window.enlarged(there) / window.scale, window.enlarged(back) / window.scale)


def _spread(moves: NDArray[np.float32], sure: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, 2, rows, columns) matches, those that are not believed replaced by what is around them."""
    believed = np.where(sure > SURE, sure, 0)[0, 0]
    filled = push_pull(np.ascontiguousarray(moves[0].transpose(1, 2, 0)), believed)  # (rows, columns, 2)
    return filled.transpose(2, 0, 1)[None]


def kept(begun: Field, trusted: Mask, residual: Field) -> Field:
    """(h, w, 2): `begun` where it is trusted, `residual` elsewhere; beside what is trusted it passes over."""
    weight = trusted.astype(np.float32)
    near = cv2.blur(weight, (9, 9))
    keep = np.maximum(weight, np.minimum(2 * near, 1))[..., None]  # falls to 0 within four pixels: nothing tears
    return np.asarray(keep * begun + (1 - keep) * residual, np.float32)
