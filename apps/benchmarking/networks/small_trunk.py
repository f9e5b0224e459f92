"""The benchmark's small trunk: residual blocks down to an eighth of the size, a light decoder up to a half."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = 16, 32, 64  # channels at 1/2, 1/4 and 1/8 of the size
FEATURES = 24  # few, so that tasks compete for them


class SmallTrunk(nn.Module):
    """0.2 M parameters; images (b, channels, h, w), sides multiples of 8 -> features (b, self.features, h / 2, w / 2).

    width: multiplies the channels of every layer, FEATURES too: the capacity for which the tasks compete.
    """

    def __init__(self, width: float = 1.0, channels: int = 3) -> None:
        super().__init__()
        fine, middle, coarse = (scaled(channels, width) for channels in WIDTHS)
        self.features = scaled(FEATURES, width)
        self.stem = conv_norm(channels, fine, 2)
        self.fine = ResidualBlock(fine, fine)
        self.middle = nn.Sequential(ResidualBlock(fine, middle, 2), ResidualBlock(middle, middle))
        self.coarse = nn.Sequential(ResidualBlock(middle, coarse, 2), ResidualBlock(coarse, coarse))
        self.up_middle = conv_norm(coarse + middle, middle)
        self.up_fine = conv_norm(middle + fine, self.features)

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        fine = self.fine(functional.relu(self.stem(images)))
        middle = self.middle(fine)
        up = functional.relu(self.up_middle(torch.cat((upsample(self.coarse(middle)), middle), 1)))
        return functional.relu(self.up_fine(torch.cat((upsample(up), fine), 1)))


def scaled(channels: int, width: float) -> int:
    """Channels of a layer in a network of this width, 1 or more."""
    return max(1, round(channels * width))


class ResidualBlock(nn.Module):
    """Two convolutions and a shortcut (He et al. 2016)."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = conv_norm(inputs, outputs, stride), conv_norm(outputs, outputs)
        same_shape = stride == 1 and inputs == outputs
        self.shortcut = nn.Identity() if same_shape else conv_norm(inputs, outputs, stride, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        return functional.relu(self.second(functional.relu(self.first(x))) + self.shortcut(x))


def conv_norm(inputs: int, outputs: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution and its batch norm."""
    layer = nn.Conv2d(inputs, outputs, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(outputs))


def upsample(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, 2 h, 2 w)."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
