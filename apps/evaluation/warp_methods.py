"""The warps that are measured, by name.

Every warp of `parastitch stitch`, and two that are of use on the reference's plane alone: on a cylinder, or where the
overlap is small, a warp that is extrapolated on a plane runs to the horizon.
"""

from dataclasses import replace
from functools import partial

import numpy as np

from stitching.errors import InputError, did_you_mean
from stitching.io.picture import to_grey
from stitching.network.interface import MATCHING, PWM
from stitching.network.runtime.network_files import graph_file, load_runtime
from stitching.warping.estimators.classical import classical
from stitching.warping.estimators.matches import MatchesEstimator
from stitching.warping.estimators.pwm import PwmEstimator
from stitching.warping.estimators.registry import find_estimator
from stitching.warping.flow.dense_inverse_search import refine
from stitching.warping.flow.extrapolate import extrapolate_on_plane
from stitching.warping.warp import CanvasPair, Estimator, Warp

DIS = "+dis"  # a name's ending: a last dense inverse search after the warp
WARPS = {  # kind -> its whole name
    "classical": "classical",
    "homography": "homography",
    "planar": "planar",
    "matches": "matches[:WEIGHTS]",
    "pwm": "pwm[:WEIGHTS]",
    "ptlflow": "ptlflow:MODEL[:FILE]",
}


def find_method(name: str) -> Estimator:
    """The warp estimator called `name`.

    `planar`: the classical warp, extrapolated on the plane that most of the overlap follows. `pwm[:WEIGHTS]`: the warp
    of the network's matches, extrapolated likewise and then by PWM. Others: as `find_estimator`. Each may end in
    "+dis".

    Raises:
        InputError: there is no such warp, a package is not installed, or the weights are missing.
    """
    if name.endswith(DIS):
        return partial(_sharpened, find_method(name.removesuffix(DIS)))
    if name == "planar":
        return partial(classical, extrapolation=extrapolate_on_plane)
    kind, _, weights = name.partition(":")
    if kind == "pwm" and name != "pwm:":
        return _pwm(weights)
    if kind not in WARPS:
        known, similar = ", ".join(WARPS.values()), did_you_mean(name, WARPS)
        raise InputError(f"no warp {name!r}; known: {known}, each also with {DIS}{similar}")
    return find_estimator(name)


def _sharpened(estimator: Estimator, pair: CanvasPair) -> Warp:
    """The estimator's warp, moved by at most 3 px where both pictures have pixels and the warp is confident."""
    warp = estimator(pair)
    better = refine(to_grey(pair.target), to_grey(pair.reference), warp.residual)
    confident = (pair.overlap & (warp.confidence > 0.5))[..., None]
    return replace(warp, residual=np.where(confident, better, warp.residual))


def _pwm(weights: str) -> Estimator:
    for graph in (MATCHING, PWM):
        graph_file(graph, weights)  # missing weights are reported before any work is done

    def estimate(pair: CanvasPair) -> Warp:
        start = MatchesEstimator(partial(load_runtime, MATCHING, weights), extrapolate_on_plane)
        return PwmEstimator(load_runtime(PWM, weights), start)(pair)

    return estimate
