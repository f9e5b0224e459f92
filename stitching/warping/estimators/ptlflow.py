"""Flow networks of the package ptlflow (Morimitsu 2021) as estimators of the warp.

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
from torch import Tensor, nn
from torch.nn import functional

from stitching.errors import InputError, JobError, one_line
from stitching.geometry.pixel_maps import Field
from stitching.network.pair_tensors import PairTensors, to_tensor
from stitching.warping.estimators.classical import GAIN_LIMITS
from stitching.warping.flow.flow_warp import BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, Warp

MIN_SIDE = 256  # px: the coarsest levels of some networks, at 1/64 or 1/128, are empty or divide by zero on less
DEFAULT_WEIGHTS = "things"  # trained on FlyingThings3D; most networks have them


class PtlflowWarping(nn.Module):
    """A flow network of ptlflow as a module that takes a pair of any size.

    Where a picture is not valid, it shows the other one, as for the classical estimator.
    """

    def __init__(self, network: nn.Module) -> None:
        """`network`: called with {"images": (b, 2, 3, h, w) BGR 0..1}, it gives {"flows": (b, 1, 2, h, w) px}."""
        super().__init__()
        self.network = network

    def forward(self, pair: PairTensors) -> Tensor:
        """(b, 2, h, w) px: the residual of the target, which is the flow from the target to the reference."""
        height, width = pair.target.shape[2:]
        below, right = max(MIN_SIDE - height, 0), max(MIN_SIDE - width, 0)
        pictures = [functional.pad(p, (0, right, 0, below), mode="replicate") for p in _filled(pair)]
        flow: Tensor = self.network({"images": torch.stack(pictures, dim=1)})["flows"][:, 0]
        return flow[..., :height, :width]


def ptlflow_warp(pair: CanvasPair, model: str, checkpoint: str = "") -> Warp:
    """Estimate the warp with a network of ptlflow, on the CPU.

    Args:
        pair: what to warp.
        model: name of the network.
        checkpoint: file (see `create_network`), name of weights that ptlflow offers for download, or "":
            `DEFAULT_WEIGHTS`.

    Raises:
        InputError: no such network or weights, or they give no finite flow.
        JobError: the network fails.
    """
    return warp_by_network(pair, PtlflowWarping(create_network(model, checkpoint or DEFAULT_WEIGHTS)))


def warp_by_network(pair: CanvasPair, warping: nn.Module) -> Warp:
    """The warp by a module with the call of `PtlflowWarping`, forward and backward to check it.

    Raises:
        InputError: the module gives no finite flow.
        JobError: the module fails.
    """
    warping.eval()

    def flow(pair: CanvasPair) -> BidirectionalFlow:
        reference, target, reference_valid, target_valid = (
            to_tensor(array) for array in (pair.reference, pair.target, pair.reference_valid, pair.target_valid)
        )
        try:
            with torch.no_grad(), _silence():
                forward = warping(PairTensors(reference, target, reference_valid, target_valid))
                backward = warping(PairTensors(target, reference, target_valid, reference_valid))
        except Exception as error:  # some want more than two pictures, or a GPU, or more memory
            raise JobError(f"the flow network failed ({one_line(error)}); use another one") from error
        if not (forward.isfinite().all() and backward.isfinite().all()):
            raise InputError("the flow network gives no finite flow: its weights are broken; use other ones")
        return BidirectionalFlow(_to_field(forward), _to_field(backward))

    return warp_from_flow(pair, flow)


def _to_field(flow: Tensor) -> Field:
    """(1, 2, h, w) -> (h, w, 2)."""
    field: Field = flow[0].permute(1, 2, 0).contiguous().numpy()
    return field


def create_network(model: str, checkpoint: str) -> nn.Module:
    """A network of ptlflow.

    Args:
        model: its name there.
        checkpoint: file of weights: .safetensors, or what torch saved of tensors alone, as ptlflow's .ckpt; or the name
            of weights that ptlflow offers for download.

    Raises:
        InputError: no such network, it cannot be created here, or no such weights for it. Nothing pickled is run.
    """
    with _silence(), redirect_stderr(io.StringIO()):
        try:
            ptlflow = import_module("ptlflow")  # seconds: it imports the code of every network
        except Exception as error:  # RuntimeError where torch and torchvision do not fit
            raise InputError(
                f"the package ptlflow cannot be imported ({one_line(error)}): pip install 'parastitch[ptlflow]' in a "
                "new environment, torch and torchvision from the same index"
            ) from error
        if model not in ptlflow.get_model_names():
            known = ", ".join(ptlflow.get_model_names())
            raise InputError(f"ptlflow has no network called {model!r}; known: {known}")
        try:
            network: nn.Module = ptlflow.get_model(model)
        except Exception as error:  # each network has reasons of its own, some want to download parts
            raise InputError(
                f"ptlflow cannot create its network {model} here: {one_line(error)}; use another one"
            ) from error
    _restore(network, model, checkpoint)
    return network


def _restore(network: nn.Module, model: str, checkpoint: str) -> None:
    """Load weights into the network, from a file or the net."""
    offered: Mapping[str, str] = getattr(network, "pretrained_checkpoints", {})
    if Path(checkpoint).is_file():
        loaded = _read(Path(checkpoint))
    elif checkpoint in offered:
        loaded = _download(offered[checkpoint], model, checkpoint)
    else:
        raise InputError(
            f"no weights {checkpoint!r} for ptlflow's {model}: there is no such file, and ptlflow offers "
            f"{', '.join(offered) or 'none'}; use --warp ptlflow:{model}:FILE with a file of its weights"
        )
    try:
        network.load_state_dict(loaded.get("state_dict", loaded))
        # Some networks keep more than tensors, such as the mean colour of what they were trained on.
        for name, value in loaded.get("hyper_parameters", {}).get("extra_params", {}).items():
            network.add_extra_param(name, value)  # type: ignore[operator]
    except Exception as error:  # RuntimeError where they do not fit, others where these are no weights at all
        raise InputError(f"{checkpoint} does not hold the weights of ptlflow's {model}: {one_line(error)}") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        return _mapping(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # a damaged file raises nearly anything
        pickled = isinstance(error, pickle.UnpicklingError)
        reason = "it is no checkpoint, or holds pickled objects" if pickled else f"it is damaged ({one_line(error)})"
        raise InputError(
            f"cannot read the weights in {path}: {reason}; expected a .safetensors file, or a .ckpt or .pth of tensors"
        ) from error


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
            f"get {address} elsewhere and use --warp ptlflow:{model}:FILE"
        ) from error


def _mapping(loaded: object) -> dict[str, Any]:
    if not isinstance(loaded, dict):
        raise TypeError(f"it holds one {type(loaded).__name__}, not weights by name")
    return loaded


def _filled(pair: PairTensors) -> tuple[Tensor, Tensor]:
    """Target and reference (b, 3, h, w), as `classical.fill_outside` makes them, on any device."""
    overlap = pair.reference_valid * pair.target_valid
    count = overlap.sum((2, 3), keepdim=True).clamp_min(1)
    means = [(p * overlap).sum((2, 3), keepdim=True) / count for p in (pair.reference, pair.target)]  # (b, 3, 1, 1)
    gain = (means[0] / means[1].clamp_min(1 / 255)).clamp(*GAIN_LIMITS)
    target = (pair.target * gain).clamp(0, 1)
    only_target = (1 - pair.reference_valid) * pair.target_valid
    only_reference = (1 - pair.target_valid) * pair.reference_valid
    reference = torch.lerp(pair.reference, target, only_target)
    return torch.lerp(target, reference, only_reference), reference


@contextmanager
def _silence() -> Iterator[None]:
    """Networks of ptlflow print as they like, also to the standard output where a summary may be wanted."""
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
