"""Flow networks of the package ptlflow as estimators of the warp."""

from dataclasses import replace

import torch
from torch import Tensor, nn

from stitching.errors import InputError, JobError, one_line
from stitching.geometry.pixel_maps import Field
from stitching.network.devices import choose_device
from stitching.network.flow_networks.ptlflow_package import create_network, silence
from stitching.network.flow_networks.ptlflow_warping import PtlflowWarping
from stitching.network.interface import Device
from stitching.network.pair_tensors import PairTensors, to_tensor
from stitching.warping.flow.flow_warp import BidirectionalFlow, warp_from_flow
from stitching.warping.warp import CanvasPair, Warp

DEFAULT_WEIGHTS = "things"  # trained on FlyingThings3D; most networks have them


def ptlflow_warp(pair: CanvasPair, model: str, checkpoint: str = "", device: Device = "auto") -> Warp:
    """Estimate the warp with a network of ptlflow.

    Args:
        pair: what to warp.
        model: name of the network.
        checkpoint: file (see `create_network`), name of weights that ptlflow offers for download, or "":
            `DEFAULT_WEIGHTS`.
        device: where the network computes; auto: a GPU where there is one.

    Raises:
        InputError: no such network, weights or device, or they give no finite flow.
        JobError: the network fails.
    """
    chosen = choose_device(device)
    return warp_by_network(pair, PtlflowWarping(create_network(model, checkpoint or DEFAULT_WEIGHTS)), chosen)


def warp_by_network(pair: CanvasPair, warping: nn.Module, device: str = "cpu") -> Warp:
    """The warp by a module with the call of `PtlflowWarping`, forward and backward to check it.

    device: cpu or cuda; the module is moved there.

    Raises:
        InputError: the module gives no finite flow.
        JobError: the module fails.
    """

    def flow(pair: CanvasPair) -> BidirectionalFlow:
        arrays = pair.reference, pair.target, pair.reference_valid, pair.target_valid
        try:
            with torch.no_grad(), silence():
                warping.eval().to(device)
                reference, target, reference_valid, target_valid = (to_tensor(array).to(device) for array in arrays)
                forward = warping(PairTensors(reference, target, reference_valid, target_valid)).residual
                backward = warping(PairTensors(target, reference, target_valid, reference_valid)).residual
        except Exception as error:  # some want more than two pictures, or a GPU, or more memory
            raise JobError(f"the flow network failed on {device} ({one_line(error)}); use another one") from error
        if not (forward.isfinite().all() and backward.isfinite().all()):
            raise InputError("the flow network gives no finite flow: its weights are broken; use other ones")
        return BidirectionalFlow(_to_field(forward), _to_field(backward))

    return replace(warp_from_flow(pair, flow), device=device)


def _to_field(flow: Tensor) -> Field:
    """(1, 2, h, w) -> (h, w, 2)."""
    field: Field = flow[0].permute(1, 2, 0).contiguous().cpu().numpy()
    return field
