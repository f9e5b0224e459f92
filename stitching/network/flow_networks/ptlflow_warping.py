"""A flow network of ptlflow in PWM's place."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.errors import JobError, one_line
from stitching.io.picture import GAIN_LIMITS
from stitching.network.flow_networks.ptlflow_package import silence
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.pixelwise_warping import PixelwiseWarp
from stitching.network.stitching_network import StitchingNetwork

MIN_SIDE = 256  # px: the coarsest levels of some networks, at 1/64 or 1/128, are empty or divide by zero on less
TRAINING_ITERATIONS = 12  # of recurrent networks, as RAFT trains (Teed & Deng 2020); more of them come later


class PtlflowWarping(nn.Module):
    """A flow network of ptlflow as a module that takes a pair of any size.

    Where a picture is not valid, it shows the other one, as for the classical estimator.
    """

    def __init__(self, network: nn.Module) -> None:
        """Wrap a network.

        network: called with {"images": (b, 2, 3, h, w) BGR 0..1}, it gives {"flows": (b, 1, 2, h, w) px}; in training
        also "flow_preds": what it corrected step by step, or a pyramid of sizes and units of its own.
        """
        super().__init__()
        self.network = network
        self._iterations = getattr(network, "iters", None)

    def train(self, mode: bool = True) -> "PtlflowWarping":
        """As of any module; a recurrent network makes fewer iterations in training."""
        super().train(mode)
        if isinstance(self._iterations, int):
            fewer = min(self._iterations, TRAINING_ITERATIONS)
            self.network.iters = fewer if mode else self._iterations  # type: ignore[assignment]
        return self

    def forward(self, pair: PairTensors) -> PixelwiseWarp:
        """The residual of the target, which is the flow from the target to the reference; visibility is not known.

        The sequence has all predictions of picture size; of a pyramid of smaller ones the result alone.
        """
        height, width = pair.target.shape[2:]
        below, right = max(MIN_SIDE - height, 0), max(MIN_SIDE - width, 0)
        pictures = [functional.pad(p, (0, right, 0, below), mode="replicate") for p in _filled(pair)]
        outputs = self.network({"images": torch.stack(pictures, dim=1)})  # (b, 2, 3, h, w)
        flow: Tensor = outputs["flows"][:, 0]
        steps = outputs.get("flow_preds", ())
        refined = all(isinstance(step, Tensor) and step.shape == flow.shape for step in steps)
        sequence = tuple(step[..., :height, :width] for step in ([*steps[:-1], flow] if refined else [flow]))
        return PixelwiseWarp(sequence, sequence[-1], None, None)


class PtlflowStitchingNetwork(StitchingNetwork):
    """A flow network of ptlflow in PWM's place, with an encoder of its own; the backbone is SIGMo's alone."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.warping = PtlflowWarping(network)  # type: ignore[assignment]

    def warp(self, pair: PairTensors, start: Start | None = None) -> PixelwiseWarp:
        """The flow of every target pixel. A `start` is not used: such a network takes none.

        Raises JobError where the network fails, as a few do in training or in half precision.
        """
        try:
            with silence():
                return self.warping(pair)  # type: ignore[no-any-return]
        except Exception as error:
            if "memory" in str(error):  # the training has its own words for that
                raise
            raise JobError(
                f"the flow network cannot be trained ({one_line(error)}); use another one, or try --precision fp32"
            ) from error


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
