"""Warp estimators by name. An estimator is a function of a `CanvasPair`; see `stitching.warping.warp.Estimator`."""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from stitching.errors import InputError
from stitching.network.runtime.network_files import find_network
from stitching.network.runtime.onnx_runtime import Device, Runner
from stitching.warping.classical import classical
from stitching.warping.warp import CanvasPair, Estimator, Warp


def homography(pair: CanvasPair) -> Warp:
    """The coarse alignment alone: no residual, full trust."""
    h, w = pair.target_valid.shape
    return Warp(np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32))


ESTIMATORS: dict[str, Estimator] = {"classical": classical, "homography": homography}


def find_estimator(name: str, device: Device = "auto") -> Estimator:
    """The estimator called `name`.

    One of `ESTIMATORS`; `network`, the trained network that ships, or `network:FILE`, one that `parastitch train` or
    `parastitch export` wrote; or `ptlflow:MODEL[:WEIGHTS]`, see `ptlflow.ptlflow_warp`. Nothing heavy is imported
    before the estimator is called.

    Raises:
        InputError: there is none, a package is not installed, or the weights are a file that is missing.
    """
    kind, _, rest = name.partition(":")
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    if kind == "network" and name != "network:":
        opened = find_network(name, rest, device)
        return lambda pair: _network(opened())(pair)
    model, _, weights = rest.partition(":")
    if kind == "ptlflow" and model:
        return _ptlflow(name, model, weights)
    known = ", ".join(ESTIMATORS)
    raise InputError(
        f"no warp called {name!r}; known: {known}, network, network:FILE, ptlflow:MODEL or ptlflow:MODEL:FILE"
    )


def _network(runner: Runner) -> Estimator:
    from stitching.warping.network import NetworkEstimator
    from stitching.warping.realignment import RealigningEstimator

    return RealigningEstimator(runner, NetworkEstimator(runner))


def _ptlflow(name: str, model: str, weights: str) -> Estimator:
    path = Path(weights).expanduser()
    if path.is_file():
        weights = str(path)
    elif path.suffix:  # names of weights have none
        raise InputError(f"no weights at {weights}: expected a .safetensors, .ckpt or .pth file for {model}")
    _demand("ptlflow", "ptlflow", name)

    def estimate(pair: CanvasPair) -> Warp:
        from stitching.warping.ptlflow import ptlflow_warp  # torch, seconds

        return ptlflow_warp(pair, model, weights)

    return estimate


def _demand(package: str, extra: str, name: str) -> None:
    if find_spec(package) is None:
        raise InputError(f"{name} needs the package {package}: pip install 'parastitch[{extra}]'")
