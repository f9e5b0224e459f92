"""Warp estimators by name. An estimator is a function of a `CanvasPair`; see `stitching.warping.warp.Estimator`."""

from functools import partial
from importlib.util import find_spec

from stitching.errors import InputError, did_you_mean
from stitching.io.files import expand_home
from stitching.network.interface import MATCHING, Device
from stitching.network.runtime.checked_file import read_checked
from stitching.network.runtime.network_files import graph_file, load_runtime
from stitching.warping.estimators.classical import classical
from stitching.warping.estimators.homography import homography
from stitching.warping.estimators.matches import MatchesEstimator
from stitching.warping.warp import CanvasPair, Estimator, Warp

ESTIMATORS: dict[str, Estimator] = {"classical": classical, "homography": homography}


def find_estimator(name: str, device: Device = "auto") -> Estimator:
    """The estimator called `name`.

    One of `ESTIMATORS`; `matches`, with the trained network that ships, or `matches:WEIGHTS`, see `graph_file`; or
    `ptlflow:MODEL[:WEIGHTS]`, see `ptlflow.ptlflow_warp`. Nothing heavy is imported before the estimator is called.

    Raises:
        InputError: there is none, a package is not installed, or the weights are missing.
    """
    kind, _, rest = name.partition(":")
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    if kind == "matches" and name != "matches:":
        return _matches(rest, device)
    model, _, weights = rest.partition(":")
    if kind == "ptlflow" and model:
        return _ptlflow(name, model, weights, device)
    known, similar = ", ".join(ESTIMATORS), did_you_mean(name, ("auto", *ESTIMATORS, "matches"))
    raise InputError(
        f"no warp called {name!r}; known: {known}, matches, matches:WEIGHTS, ptlflow:MODEL or ptlflow:MODEL:FILE"
        f"{similar}"
    )


def _matches(weights: str, device: Device) -> Estimator:
    path = graph_file(MATCHING, weights)  # missing and damaged weights are reported before any work is done
    if path.suffix == ".onnx":
        read_checked(path)
    open_matching = partial(load_runtime, MATCHING, weights, device)

    def estimate(pair: CanvasPair) -> Warp:
        if weights or device == "cuda":
            open_matching()  # what somebody names and cannot be used is told of, also where it is not needed
        return MatchesEstimator(open_matching)(pair)

    return estimate


def _ptlflow(name: str, model: str, weights: str, device: Device) -> Estimator:
    path = expand_home(weights)
    if path.is_file():
        weights = str(path)
    elif path.suffix:  # names of weights have none
        raise InputError(f"no weights at {weights}: expected a .safetensors, .ckpt or .pth file for {model}")
    if find_spec("ptlflow") is None:
        raise InputError(f"{name} needs the package ptlflow: pip install 'parastitch[ptlflow]'")

    def estimate(pair: CanvasPair) -> Warp:
        from stitching.warping.estimators.ptlflow import ptlflow_warp  # torch, seconds

        return ptlflow_warp(pair, model, weights, device)

    return estimate
