"""The network that every method trains: a trunk that all tasks share and a small head for each."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from apps.benchmarking.losses import output_channels
from apps.benchmarking.networks.digits_trunk import DigitsTrunk
from apps.benchmarking.networks.segnet import SegNetTrunk
from apps.benchmarking.networks.small_trunk import SmallTrunk
from apps.benchmarking.networks.timm_encoders import ENCODERS
from datasets.labels import Labels
from mtl.connection_strength import Layer, find_layers
from mtl.optimization import Parameters
from mtl.task_norm import TaskNorm, convert_to_task_norms, use_task

SCALABLE: Mapping[str, Callable[[float, int], Any]] = {  # by width and input channels
    "small": SmallTrunk, "digits": DigitsTrunk,
}  # fmt: skip
TRUNKS: Mapping[str, Callable[[int], Any]] = {"segnet": SegNetTrunk, **ENCODERS}  # by input channels
CELLS = {"digits": 1}  # in each direction, that heads for labels of whole pictures see; 3 where not said


class MultiTaskNetwork(nn.Module):
    """A trunk, images (b, channels, h, w) -> features (b, features, h / n, w / n), and a head for each task."""

    def __init__(
        self, trunk: nn.Module, features: int, labels: Mapping[str, Labels], task_norms: bool, channels: int, cells: int
    ) -> None:
        super().__init__()
        self.task_norms, self.channels = task_norms, channels
        self.trunk = convert_to_task_norms(trunk, list(labels)) if task_norms else trunk
        self.heads = nn.ModuleDict({task: _head(features, meaning, cells) for task, meaning in labels.items()})

    def forward(self, images: Tensor, tasks: Sequence[str]) -> dict[str, Tensor]:
        """Predictions for `tasks`, (b, channels, h, w), or (b, channels) where a label is of the whole picture.

        One pass of the trunk, with task norms one for each task.
        """
        size, features = images.shape[-2:], None if self.task_norms else self.trunk(images)
        predictions = {}
        for task in tasks:
            small = self.heads[task](self._task_features(images, task) if features is None else features)
            predictions[task] = small
            if small.ndim == 4:
                predictions[task] = functional.interpolate(small, size=size, mode="bilinear", align_corners=False)
        return predictions

    def _task_features(self, images: Tensor, task: str) -> Tensor:
        with use_task(self.trunk, task):
            features: Tensor = self.trunk(images)
        return features

    def split_parameters(self) -> Parameters:
        """Shared parameters, and each task's own ones: those of its head and its norms."""
        norms = [module for module in self.trunk.modules() if isinstance(module, TaskNorm)]
        own = {task: [*head.parameters()] for task, head in self.heads.items()}
        for task, parameters in own.items():
            parameters.extend(parameter for norm in norms for parameter in norm.norms[task].parameters())
        not_shared = {parameter for parameters in own.values() for parameter in parameters}
        return Parameters([parameter for parameter in self.trunk.parameters() if parameter not in not_shared], own)

    def shared_layers(self, size: tuple[int, int]) -> list[Layer]:
        """The trunk's layers that have task norms. size: (w, h) of the images, px. Raises as find_layers."""
        device, training = next(self.parameters()).device, self.training
        blank, task = torch.zeros(2, self.channels, size[1], size[0], device=device), next(iter(self.heads))
        self.eval()  # running statistics stay
        with torch.no_grad():
            layers = find_layers(self.trunk, lambda: self._task_features(blank, task))
        self.train(training)
        return layers


def _head(features: int, labels: Labels, cells: int) -> nn.Module:
    outputs = output_channels(labels)
    if labels.whole_picture:  # a grid of cells keeps where in the picture something is
        return nn.Sequential(nn.AdaptiveAvgPool2d(cells), nn.Flatten(), nn.Linear(features * cells * cells, outputs))
    return nn.Sequential(nn.Conv2d(features, features, 3, padding=1), nn.ReLU(), nn.Conv2d(features, outputs, 1))


def build_network(
    name: str, labels: Mapping[str, Labels], task_norms: bool, seed: int, width: float = 1.0, channels: int = 3
) -> MultiTaskNetwork:
    """The network of a name of SCALABLE or TRUNKS for these tasks; its random weights depend on the seed.

    width: multiplies the channels of the layers; of TRUNKS always 1. channels: of the images.

    Raises InputError where it is one of timm's, and that is missing or the images do not have 3 channels.
    """
    torch.manual_seed(seed)
    trunk = SCALABLE[name](width, channels) if name in SCALABLE else TRUNKS[name](channels)
    network = MultiTaskNetwork(trunk, trunk.features, labels, task_norms, channels, CELLS.get(name, 3))
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]
