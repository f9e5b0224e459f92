"""Flow networks of the package ptlflow (Morimitsu 2021): made by name, with weights from a file or the net.

Its code is Apache-2.0; the weights that its authors trained are CC BY-NC-SA: not for commercial use.
"""

import io
import pickle
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from stitching.errors import InputError, did_you_mean, one_line
from stitching.io.files import expand_home
from stitching.network.weights import is_weights_file, load_weights

KIND = "ptlflow"  # begins the name of a network in PWM's place: ptlflow:MODEL
PREFIX = "warping.network."  # of its weights in a file that parastitch train wrote


def create_network(model: str, checkpoint: str = "") -> nn.Module:
    """A network of ptlflow.

    Args:
        model: its name there.
        checkpoint: file of weights: .safetensors, also one that `parastitch train` wrote, or what torch saved of
            tensors alone, as ptlflow's .ckpt; or the name of weights that ptlflow offers for download; or "": random
            weights, to begin a training with.

    Raises:
        InputError: no such network, it cannot be created here, or no such weights for it. Nothing pickled is run.
    """
    with silence(), redirect_stderr(io.StringIO()):
        try:
            ptlflow = import_module("ptlflow")  # seconds: it imports the code of every network
        except Exception as error:  # RuntimeError where torch and torchvision do not fit
            raise InputError(
                f"the package ptlflow cannot be imported ({one_line(error)}): pip install 'parastitch[ptlflow]' in a "
                "new environment, torch and torchvision from the same index"
            ) from error
        if model not in ptlflow.get_model_names():
            known = ptlflow.get_model_names()
            similar = did_you_mean(model, known)
            raise InputError(f"ptlflow has no network called {model!r}; known: {', '.join(known)}{similar}")
        try:
            network: nn.Module = ptlflow.get_model(model)
        except Exception as error:  # each network has reasons of its own, some want to download parts
            raise InputError(
                f"ptlflow cannot create its network {model} here: {one_line(error)}; use another one"
            ) from error
    if checkpoint:
        _restore(network, model, checkpoint)
    return network


@contextmanager
def silence() -> Iterator[None]:
    """Networks of ptlflow print as they like, also to the standard output where a summary may be wanted."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _restore(network: nn.Module, model: str, checkpoint: str) -> None:
    """Load weights into the network, from a file or the net."""
    offered: Mapping[str, str] = getattr(network, "pretrained_checkpoints", {})
    path = expand_home(checkpoint)
    if path.is_file():
        loaded = _read(path, model)
    elif checkpoint in offered:
        loaded = _download(offered[checkpoint], model, checkpoint)
    else:
        raise InputError(
            f"no weights {checkpoint!r} for ptlflow's {model}: there is no such file, and ptlflow offers "
            f"{', '.join(offered) or 'none'}; name a file of its weights: ptlflow:{model}:FILE"
        )
    try:
        network.load_state_dict(loaded.get("state_dict", loaded))
        # Some networks keep more than tensors, such as the mean colour of what they were trained on.
        for name, value in loaded.get("hyper_parameters", {}).get("extra_params", {}).items():
            network.add_extra_param(name, value)  # type: ignore[operator]
    except Exception as error:  # RuntimeError where they do not fit, others where these are no weights at all
        raise InputError(f"{checkpoint} does not hold the weights of ptlflow's {model}: {one_line(error)}") from error


def _read(path: Path, model: str) -> dict[str, Any]:
    try:
        if path.suffix != ".safetensors":
            return _mapping(torch.load(path, map_location="cpu", weights_only=True))
        with safe_open(path, framework="pt") as opened:
            own = is_weights_file(opened.metadata())
            if not own:
                return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 - it is no dict
    except Exception as error:  # a damaged file raises nearly anything
        pickled = isinstance(error, pickle.UnpicklingError)
        reason = "it is no checkpoint, or holds pickled objects" if pickled else f"it is damaged ({one_line(error)})"
        raise InputError(
            f"cannot read the weights in {path}: {reason}; expected a .safetensors file, or a .ckpt or .pth of tensors"
        ) from error
    return _trained_here(path, model)


def _trained_here(path: Path, model: str) -> dict[str, Any]:
    """Of a file that `parastitch train` wrote, the weights of the network in PWM's place."""
    checkpoint, wanted = load_weights(path), f"{KIND}:{model}"
    if (found := checkpoint.flow) != wanted:
        advice = f"--warp {found}:{path}" if found.startswith(KIND) else f"--warp matches:{path}"
        raise InputError(f"{path} holds the flow network {found}, not {wanted}; use {advice}")
    weights = checkpoint.weights.items()
    return {name.removeprefix(PREFIX): value for name, value in weights if name.startswith(PREFIX)}


def _download(address: str, model: str, name: str) -> dict[str, Any]:
    try:
        return _mapping(
            torch.hub.load_state_dict_from_url(
                address, map_location="cpu", progress=False, check_hash=True, weights_only=True
            )
        )
    except Exception as error:  # no net, a broken download, a full disk
        raise InputError(
            f"cannot download the weights {name!r} of ptlflow's {model} ({one_line(error)}); "
            f"get {address} elsewhere and name that file: ptlflow:{model}:FILE"
        ) from error


def _mapping(loaded: object) -> dict[str, Any]:
    if not isinstance(loaded, dict):
        raise TypeError(f"it holds one {type(loaded).__name__}, not weights by name")
    return loaded
