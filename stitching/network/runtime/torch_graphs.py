"""The graphs of `stitching.network.interface` as torch modules: to export them, or to run them as they are."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from stitching.network.interface import MATCHING, PWM, SIGMO, GraphInterface
from stitching.network.matching.correlation import CELL, best_match
from stitching.network.pair_tensors import PairTensors, Start
from stitching.network.stitching_network import StitchingNetwork

Tensors = Mapping[str, Tensor]  # name -> (1, channels, h, w)


class TorchGraph(nn.Module, ABC):
    """A network as one graph."""

    interface: GraphInterface

    def __init__(self, network: StitchingNetwork) -> None:
        """`network` is in evaluation mode afterwards."""
        super().__init__()
        self.network = network.eval()

    @abstractmethod
    def compute(self, inputs: Tensors) -> Tensors:
        """The outputs of the interface, by name."""

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        """The same for an exporter: inputs and outputs in the order of the interface."""
        outputs = self.compute(dict(zip(self.interface.inputs, inputs, strict=True)))
        return [outputs[name] for name in self.interface.outputs]


class MatchingGraph(TorchGraph):
    """The best matches of the target's cells in the reference, and of the reference's in the target."""

    interface = MATCHING

    def compute(self, inputs: Tensors) -> Tensors:
        """The outputs of `MATCHING`."""
        pair, matching = _pair(inputs), self.network.warping.matching
        reference, target = matching.describe_pair(pair, *self.network.warp_features(pair))
        forward = _best_matches("forward", matching.logits(reference, target, pair.reference_valid), target)
        return forward | _best_matches("backward", matching.logits(target, reference, pair.target_valid), reference)


class PwmGraph(TorchGraph):
    """PWM from a given start."""

    interface = PWM

    def compute(self, inputs: Tensors) -> Tensors:
        """The outputs of `PWM`."""
        warp = self.network.warp(_pair(inputs), Start(inputs["start"], inputs["trusted"]))
        assert warp.visibility is not None  # PWM predicts it
        return {"residual": warp.extrapolated, "confidence": torch.sigmoid(warp.visibility)}


class SigmoGraph(TorchGraph):
    """SIGMo on a target that is already warped."""

    interface = SIGMO

    def compute(self, inputs: Tensors) -> Tensors:
        """The outputs of `SIGMO`."""
        generated = self.network.generate(_pair(inputs))
        return {"weight": generated.weight, "gain": generated.gain}


TORCH_GRAPHS: tuple[type[TorchGraph], ...] = (MatchingGraph, PwmGraph, SigmoGraph)


def _best_matches(side: str, logits: Tensor, described: Tensor) -> dict[str, Tensor]:
    """Displacements (1, 2, h / 8, w / 8) px, and their confidence (1, 1, h / 8, w / 8), of the cells described."""
    displacement, confidence = best_match(logits, *described.shape[2:])
    # best_match weights the displacement with the confidence
    return {f"{side}_matches": CELL * displacement / confidence.clamp_min(1e-6), f"{side}_confidence": confidence}


def torch_graph(graph: GraphInterface, network: StitchingNetwork) -> TorchGraph:
    """A network as the module of one graph."""
    (module,) = (kind for kind in TORCH_GRAPHS if kind.interface is graph)
    return module(network)


def _pair(inputs: Tensors) -> PairTensors:
    return PairTensors(inputs["reference"], inputs["target"], inputs["reference_valid"], inputs["target_valid"])
