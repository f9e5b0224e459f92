"""The benchmark's small trunk: residual blocks down to an eighth of the size and a light way back to a half."""

import torch
from torch import Tensor, nn
from torch.nn import functional

WIDTHS = 16, 32, 64  # at 1/2, 1/4 and 1/8 of the size
FEATURES = 24  # few, so that tasks compete for them


class SmallTrunk(nn.Module):
    """0.2 M parameters; images (b, 3, h, w), sides multiples of 8 -> features (b, FEATURES, h / 2, w / 2)."""

    features = FEATURES

    def __init__(self) -> None:
        super().__init__()
        fine, middle, coarse = WIDTHS
        self.stem = conv(3, fine, 2)
        self.fine = Block(fine, fine)
        self.middle = nn.Sequential(Block(fine, middle, 2), Block(middle, middle))
        self.coarse = nn.Sequential(Block(middle, coarse, 2), Block(coarse, coarse))
        self.up_middle = conv(coarse + middle, middle)
        self.up_fine = conv(middle + fine, FEATURES)

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        fine = self.fine(functional.relu(self.stem(images)))
        middle = self.middle(fine)
        up = functional.relu(self.up_middle(torch.cat((doubled(self.coarse(middle)), middle), 1)))
        return functional.relu(self.up_fine(torch.cat((doubled(up), fine), 1)))


class Block(nn.Module):
    """Two convolutions and a way around them."""

    def __init__(self, before: int, after: int, stride: int = 1) -> None:
        super().__init__()
        self.first, self.second = conv(before, after, stride), conv(after, after)
        same = stride == 1 and before == after
        self.around = nn.Identity() if same else conv(before, after, stride, kernel=1)

    def forward(self, x: Tensor) -> Tensor:
        """(b, before, h, w) -> (b, after, h / stride, w / stride)."""
        return functional.relu(self.second(functional.relu(self.first(x))) + self.around(x))


def conv(before: int, after: int, stride: int = 1, kernel: int = 3) -> nn.Sequential:
    """A convolution and its batch norm."""
    layer = nn.Conv2d(before, after, kernel, stride, padding=kernel // 2, bias=False)
    return nn.Sequential(layer, nn.BatchNorm2d(after))


def doubled(x: Tensor) -> Tensor:
    """(b, c, h, w) -> (b, c, 2 h, 2 w)."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
