"""The classical warp, joined by a dense inverse search from a trained network's matches where it is unsure."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from stitching.geometry.pixel_maps import push_pull
from stitching.network.interface import Planes, Runtime
from stitching.network.runtime.cell_matches import mutual_cells
from stitching.network.runtime.window import AREA, NetworkWindow
from stitching.warping.estimators.classical import classical_flow
from stitching.warping.flow.beyond_overlap import led_into_reference
from stitching.warping.flow.extrapolate import Extrapolation, extrapolate_fading
from stitching.warping.flow.flow_warp import BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, Warp

MATCHING_AREA = 0.18e6  # px of a window: cells smaller than in the training are matched as well, and more finely


@dataclass(frozen=True)
class MatchesEstimator:
    """A `stitching.warping.warp.Estimator`.

    The network finds large displacements where sparse features fail, to a few pixels; the search makes them exact, and
    the pictures decide at every pixel which candidate is right. Where the classical candidates leave little of the
    overlap in doubt, it is not asked: the warp is the classical one, and says so.
    """

    open_matching: Callable[[], Runtime]  # of `stitching.network.interface.MATCHING`
    extrapolation: Extrapolation = extrapolate_fading

    def __call__(self, pair: CanvasPair) -> Warp:
        """The warp of the target in `pair`."""

        asked: list[Runtime] = []

        def matched(pair: CanvasPair) -> BidirectionalFlow:
            asked.append(self.open_matching())
            return matched_flow(asked[0], pair)

        flow = partial(classical_flow, matched=matched)
        warp = warp_from_flow(pair, flow, self.extrapolation, led_into_reference(pair))
        return replace(warp, device=asked[0].device, by_network=True) if asked else warp


def window_of(pair: CanvasPair, area: float = AREA) -> NetworkWindow:
    """A pair as the networks take it, in a window of at most `area` px."""
    return NetworkWindow.of(pair.reference, pair.target, pair.reference_valid, pair.target_valid, area)


def matched_flow(matching: Runtime, pair: CanvasPair) -> BidirectionalFlow:
    """Flow target -> reference and back, from the network's matches alone."""
    window = window_of(pair, MATCHING_AREA)
    found = matching(window.pictures)
    forward, backward = (
        window.displacement_to_canvas(_filled(found, side, mutual_cells(window, found, side)))
        for side in ("forward", "backward")
    )
    return BidirectionalFlow(forward, backward)


def _filled(found: Planes, side: str, mutual: NDArray[np.bool_]) -> NDArray[np.float32]:
    """(1, 2, rows, columns) matches, those that are not mutual replaced by what is around them."""
    weight = np.where(mutual, found[f"{side}_confidence"][0, 0], 0)
    matches = np.ascontiguousarray(found[f"{side}_matches"][0].transpose(1, 2, 0))  # (rows, columns, 2)
    return push_pull(matches, weight).transpose(2, 0, 1)[None]
