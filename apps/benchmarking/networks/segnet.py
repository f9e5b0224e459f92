"""SegNet, from scratch: the network on which multi-task optimizers are usually compared on Cityscapes."""

from torch import Tensor, nn
from torch.nn import functional

WIDTHS = 64, 128, 256, 512, 512  # of the five stages
_DEPTHS = 2, 2, 3, 3, 3  # convolutions in each, as in VGG-16


class SegNetTrunk(nn.Module):
    """VGG-16's convolutions as encoder, and their mirror image as decoder, which unpools by the encoder's max indices.

    Badrinarayanan, Kendall & Cipolla, SegNet, PAMI 2017. 24.9 M parameters; images (b, channels, h, w), sides
    multiples of 32 -> features (b, 64, h, w).
    """

    features = WIDTHS[0]

    def __init__(self, channels: int = 3) -> None:
        super().__init__()
        inputs = channels, *WIDTHS[:-1]
        self.down = nn.ModuleList(_stage(*stage) for stage in zip(inputs, WIDTHS, _DEPTHS, strict=True))
        outputs = WIDTHS[0], *WIDTHS[:-1]
        self.up = nn.ModuleList(_stage(*stage) for stage in zip(WIDTHS, outputs, _DEPTHS, strict=True))

    def forward(self, images: Tensor) -> Tensor:
        """Features for the heads."""
        x, all_indices = images, []
        for stage in self.down:
            x, indices = functional.max_pool2d(stage(x), 2, return_indices=True)
            all_indices.append(indices)
        for stage, indices in zip(reversed(self.up), reversed(all_indices), strict=True):
            x = stage(functional.max_unpool2d(x, indices, [2, 2]))
        return x


def _stage(inputs: int, outputs: int, depth: int) -> nn.Sequential:
    """(b, inputs, h, w) -> (b, outputs, h, w)."""
    layers: list[nn.Module] = []
    for channels in (inputs, *[outputs] * (depth - 1)):
        layers += [nn.Conv2d(channels, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*layers)
