"""The graphs of `stitching.network.interface` as torch modules: to export them, or to run them as they are."""

import torch
from torch import Tensor, nn

from stitching.network.backbone import Features
from stitching.network.correlation import CELL, best_match
from stitching.network.interface import MATCHING, PWM, SIGMO, GraphInterface
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.stitched_image_generating import StitchInputs
from stitching.network.stitching_network import StitchingNetwork


class TorchGraph(nn.Module):
    """A network as one graph: takes the inputs of its interface, in their order, and gives its outputs in theirs."""

    interface: GraphInterface

    def __init__(self, network: StitchingNetwork) -> None:
        """`network` is in evaluation mode afterwards."""
        super().__init__()
        self.network = network.eval()


class MatchingGraph(TorchGraph):
    """The best matches of the target's cells in the reference, and of the reference's in the target."""

    interface = MATCHING

    def forward(self, reference: Tensor, target: Tensor, reference_valid: Tensor, target_valid: Tensor) -> list[Tensor]:
        """The outputs of `MATCHING`."""
        pair = PairTensors(reference, target, reference_valid, target_valid)
        exchanged = PairTensors(target, reference, target_valid, reference_valid)
        reference_features, target_features = self.network.warp_features(pair)
        forward = self._matches(pair, reference_features, target_features)
        return [*forward, *self._matches(exchanged, target_features, reference_features)]

    def _matches(self, pair: PairTensors, reference: Features, target: Features) -> tuple[Tensor, Tensor]:
        """(1, 2, h / 8, w / 8) px and (1, 1, h / 8, w / 8)."""
        logits = self.network.warping.match(pair, reference, target)
        displacement, confidence = best_match(logits, *target.eighth.shape[2:])
        # best_match weights the displacement with the confidence
        return CELL * displacement / confidence.clamp_min(1e-6), confidence


class PwmGraph(TorchGraph):
    """PWM from a given start."""

    interface = PWM

    def forward(
        self,
        reference: Tensor,
        target: Tensor,
        reference_valid: Tensor,
        target_valid: Tensor,
        start: Tensor,
        trusted: Tensor,
    ) -> list[Tensor]:
        """The outputs of `PWM`."""
        warp = self.network.warp(PairTensors(reference, target, reference_valid, target_valid), Start(start, trusted))
        return [warp.extrapolated, torch.sigmoid(warp.visibility)]


class SigmoGraph(TorchGraph):
    """SIGMo on pictures that are in their places."""

    interface = SIGMO

    def forward(self, reference: Tensor, target: Tensor, reference_valid: Tensor, target_valid: Tensor) -> list[Tensor]:
        """The outputs of `SIGMO`."""
        generated = self.network.generate(StitchInputs(reference, target, reference_valid, target_valid))
        return [generated.weight, generated.gain]


TORCH_GRAPHS: tuple[type[TorchGraph], ...] = (MatchingGraph, PwmGraph, SigmoGraph)


def torch_graph(graph: GraphInterface, network: StitchingNetwork) -> TorchGraph:
    """A network as the module of one graph."""
    (module,) = (kind for kind in TORCH_GRAPHS if kind.interface is graph)
    return module(network)
