"""Warp estimators by name. An estimator is a function of a `CanvasPair`; see `stitching.warp.Estimator`."""

from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import numpy as np

from stitching.errors import InputError
from stitching.estimators.classical import classical, classical_on_plane
from stitching.warp import CanvasPair, Estimator, Warp


def homography(pair: CanvasPair) -> Warp:
    """The coarse alignment alone: no residual, full trust."""
    h, w = pair.target_seen.shape
    return Warp(np.zeros((h, w, 2), np.float32), np.ones((h, w), np.float32))


ESTIMATORS: dict[str, Estimator] = {"classical": classical, "planar": classical_on_plane, "homography": homography}


Start = Literal["classical", "refined", "matches"]  # what a trained network begins with
_STARTS: dict[str, Start] = {"network": "classical", "refined": "refined", "matches": "matches"}


def find_estimator(name: str) -> Estimator:
    """The estimator called `name`.

    One of `ESTIMATORS`; with weights that `parastitch train` wrote, `network:FILE`, which extends the classical warp,
    `refined:FILE`, which refines it before, or `matches:FILE`, which begins with the network's own matches; or
    `ptlflow:MODEL[:WEIGHTS]`, see `ptlflow.ptlflow_warp`.
    Nothing heavy is imported before the estimator is called.

    Raises:
        InputError: there is none, a package is not installed, or the weights are a file that is missing.
    """
    kind, _, rest = name.partition(":")
    if name in ESTIMATORS:
        return ESTIMATORS[name]
    if kind in _STARTS and rest:
        return _trained(name, rest, _STARTS[kind])
    model, _, weights = rest.partition(":")
    if kind == "ptlflow" and model:
        return _ptlflow(name, model, weights)
    known = ", ".join(ESTIMATORS)
    raise InputError(
        f"no warp called {name!r}; known: {known}, network:FILE, refined:FILE, matches:FILE, "
        "ptlflow:MODEL or ptlflow:MODEL:FILE"
    )


def _trained(name: str, weights: str, start: Start) -> Estimator:
    path = Path(weights).expanduser()  # behind a colon no shell does it
    if not path.is_file():
        raise InputError(f"no weights at {weights}: expected a .safetensors file that `parastitch train` wrote")
    _demand("torch", "train", name)

    @cache
    def opened() -> Estimator:
        from stitching.estimators.network import NetworkEstimator  # torch, seconds
        from stitching.network.weights import open_network

        return NetworkEstimator(open_network(path), start)

    return lambda pair: opened()(pair)


def _ptlflow(name: str, model: str, weights: str) -> Estimator:
    path = Path(weights).expanduser()
    if path.is_file():
        weights = str(path)
    elif path.suffix:  # names of weights have none
        raise InputError(f"no weights at {weights}: expected a .safetensors, .ckpt or .pth file for {model}")
    _demand("ptlflow", "ptlflow", name)

    def estimate(pair: CanvasPair) -> Warp:
        from stitching.estimators.ptlflow import ptlflow_warp  # torch, seconds

        return ptlflow_warp(pair, model, weights)

    return estimate


def _demand(package: str, extra: str, name: str) -> None:
    if find_spec(package) is None:
        raise InputError(f"{name} needs the package {package}: pip install 'parastitch[{extra}]'")
