"""The classical warp with a dense inverse search from a trained network's matches among its candidates."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import push_pull
from stitching.network.interface import Planes, Runtime
from stitching.network.runtime.window import NetworkWindow
from stitching.warping.estimators.classical import classical_flow
from stitching.warping.flow.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.flow.flow_warp import BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, Warp

MIN_MATCH_PROBABILITY = 0.3  # probability of a match from which on it is used


@dataclass(frozen=True)
class MatchesEstimator:
    """A `stitching.warping.warp.Estimator`.

    The network finds large displacements where sparse features fail, to a few pixels; the search makes them exact, and
    the pictures decide at every pixel which candidate is right.
    """

    matching: Runtime  # of `stitching.network.interface.MATCHING`
    extrapolation: Extrapolation = extrapolate_fading

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""

        def flow(pair: CanvasPair) -> BidirectionalFlow:
            return classical_flow(pair, matched_flow(self.matching, pair))

        return replace(warp_from_flow(pair, flow, self.extrapolation), device=self.matching.device)


def window_of(pair: CanvasPair) -> NetworkWindow:
    """A pair as the networks take it."""
    return NetworkWindow.of(pair.reference, pair.target, pair.reference_valid, pair.target_valid)


def matched_flow(matching: Runtime, pair: CanvasPair) -> BidirectionalFlow:
    """Flow target -> reference and back, from the network's matches alone."""
    window = window_of(pair)
    found = matching(window.pictures)
    forward, backward = (window.displacement_to_canvas(_filled(found, side)) for side in ("forward", "backward"))
    return BidirectionalFlow(forward, backward)


def _filled(found: Planes, side: str) -> NDArray[np.float32]:
    """(1, 2, rows, columns) matches, those below `MIN_MATCH_PROBABILITY` replaced by what is around them."""
    confidence = found[f"{side}_confidence"][0, 0]
    weight = np.where(confidence > MIN_MATCH_PROBABILITY, confidence, 0)
    matches = np.ascontiguousarray(found[f"{side}_matches"][0].transpose(1, 2, 0))  # (rows, columns, 2)
    return push_pull(matches, weight).transpose(2, 0, 1)[None]
