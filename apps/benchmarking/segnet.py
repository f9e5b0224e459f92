"""SegNet, from scratch: the network on which multi-task optimizers are usually compared on Cityscapes."""

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = 64, 128, 256, 512, 512  # of the five stages
_DEPTHS = 2, 2, 3, 3, 3  # convolutions in each, as in VGG-16


class SegNetTrunk(nn.Module):
    """VGG-16's convolutions and their mirror image, which puts values back where max pooling took them.

    Badrinarayanan, Kendall & Cipolla, SegNet, PAMI 2017. 24.9 M parameters; images (b, 3, h, w), sides multiples of
    32 -> features (b, 64, h, w).
    """

    features = WIDTHS[0]

    def __init__(self) -> None:
        super().__init__()
        before = 3, *WIDTHS[:-1]
        self.down = nn.ModuleList(_stage(*stage) for stage in zip(before, WIDTHS, _DEPTHS, strict=True))
        after = WIDTHS[0], *WIDTHS[:-1]
        self.up = nn.ModuleList(_stage(*stage) for stage in zip(WIDTHS, after, _DEPTHS, strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        x, places = images, []
        for stage in self.down:
            x, found = functional.max_pool2d(stage(x), 2, return_indices=True)
            places.append(found)
        for stage, found in zip(reversed(self.up), reversed(places), strict=True):
            x = stage(functional.max_unpool2d(x, found, [2, 2]))
        return x


def _stage(before: int, after: int, depth: int) -> nn.Sequential:
    """(b, before, h, w) -> (b, after, h, w)."""
    layers: list[nn.Module] = []
    for channels in (before, *[after] * (depth - 1)):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)
