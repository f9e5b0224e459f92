"""The networks that are compared on: a trunk that all tasks share and a small head for each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.benchmarking.encoders import ENCODERS
from apps.benchmarking.losses import channels
from apps.benchmarking.segnet import SegNetTrunk
from apps.benchmarking.small import SmallTrunk
from datasets.labels import Labels
from mtl.connection_strength import Layer, find_layers
from mtl.optimization import Parameters
from mtl.task_norm import TaskNorm, convert_to_task_norms, use_task

TRUNKS: Mapping[str, Callable[[], Any]] = {"small": SmallTrunk, "segnet": SegNetTrunk, **ENCODERS}


class MultiTaskNetwork(nn.Module):
    """A trunk, images (b, 3, h, w) -> features (b, trunk.features, h / n, w / n), and a head for each task."""

    def __init__(self, trunk: nn.Module, features: int, labels: Mapping[str, Labels], norms: bool) -> None:
        super().__init__()
        self.norms = norms
        self.trunk = convert_to_task_norms(trunk, list(labels)) if norms else trunk
        self.heads = nn.ModuleDict({task: _head(features, channels(meaning)) for task, meaning in labels.items()})

    def forward(self, images: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Answers of `tasks`, (b, channels, h, w); one pass of the trunk, with task norms one for each task."""
        size, features = images.shape[-2:], None if self.norms else self.trunk(images)
        answers = {}
        for task in tasks:
            small = self.heads[task](self._features(images, task) if features is None else features)
            answers[task] = functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
        return answers

    def _features(self, images: Tensor, task: str) -> Tensor:
        with use_task(self.trunk, task):
            features: Tensor = self.trunk(images)
        return features

    def split(self) -> Parameters:
        """Shared parameters, and each task's own: its head and its norms."""
        norms = [module for module in self.trunk.modules() if isinstance(module, TaskNorm)]
        own = {task: [*head.parameters()] for task, head in self.heads.items()}
        for task, parameters in own.items():
            parameters.extend(parameter for norm in norms for parameter in norm.norms[task].parameters())
        apart = {parameter for parameters in own.values() for parameter in parameters}
        return Parameters([parameter for parameter in self.trunk.parameters() if parameter not in apart], own)

    def layers(self, size: tuple[int, int]) -> list[Layer]:
        """The trunk's layers with task norms. size: (w, h) of the images, px. Raises as find_layers."""
        device, training = next(self.parameters()).device, self.training
        blank, task = torch.zeros(2, 3, size[1], size[0], device=device), next(iter(self.heads))
        self.eval()  # running statistics stay
        with torch.no_grad():
            layers = find_layers(self.trunk, lambda: self._features(blank, task))
        self.train(training)
        return layers


def _head(features: int, outputs: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.ReLU(), nn.Conv2d(features, outputs, 1))


def build_network(name: str, labels: Mapping[str, Labels], norms: bool, seed: int) -> MultiTaskNetwork:
    """The network of a name of TRUNKS for these tasks; its random weights depend on the seed.

    Raises InputError where it is one of timm's and that is missing.
    """
    torch.manual_seed(seed)
    trunk = TRUNKS[name]()
    network = MultiTaskNetwork(trunk, trunk.features, labels, norms)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
